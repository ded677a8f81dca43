// Command chunks shows what is in the chunks of a device, and what is damaged. It needs neither
// a network nor an account.
//
//	go run ./examples/chunks [-serial S] [-symbols app.elf] [-json] [FILE]
//
// It reads a file or the standard input: a log with the MC: lines or the hexadecimal lines of
// the data export, base64 text, or bytes with a 32-bit little-endian length before each chunk.
// At the end it lists what may keep the device from showing up in Memfault.
//
// The exit code is 0 if there are messages and all are whole, 1 if anything is damaged or there
// is no message, and 2 if the usage is wrong or a file cannot be read.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/chunkexport"
)

// The exit codes.
const (
	exitWhole   = 0
	exitDamaged = 1
	exitUsage   = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, time.Now()))
}

func run(args []string, in io.Reader, out, problems io.Writer, now time.Time) int {
	flags := flag.NewFlagSet("chunks", flag.ContinueOnError)
	flags.SetOutput(problems)
	serial := flags.String("serial", "", "the `serial` under which the chunks are uploaded, for messages that name no device")
	symbolFile := flags.String("symbols", "", "the symbol `file` of the firmware (ELF), with the names of metrics and traces")
	asJSON := flags.Bool("json", false, "print a JSON object for each message and each damage; the summary goes to the standard error")
	flags.Usage = func() {
		fmt.Fprintln(problems, "usage: chunks [-serial S] [-symbols app.elf] [-json] [FILE]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitWhole
	} else if err != nil {
		return exitUsage
	}
	if flags.NArg() > 1 {
		fmt.Fprintf(problems, "chunks: one file at a time, not %d: flags come before the file\n", flags.NArg())
		return exitUsage
	}
	fail := func(err error) int {
		fmt.Fprintln(problems, "chunks:", printable(err.Error()))
		return exitUsage
	}
	var firmware *symbols
	if *symbolFile != "" {
		var err error
		if firmware, err = readSymbols(*symbolFile); err != nil {
			return fail(err)
		}
	}
	if name := flags.Arg(0); name != "" && name != "-" {
		file, err := os.Open(name) //nolint:gosec // the user names the file
		if err != nil {
			return fail(err)
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}

	var printer printer = &textPrinter{out: out, serial: *serial}
	summary := out
	if *asJSON {
		printer, summary = &jsonPrinter{out: out, serial: *serial}, problems
	}
	input := &watchedInput{r: in}
	format, chunks := chunkexport.Read(input)
	s := &session{findings: newFindings(*serial, format, now), printer: printer, firmware: firmware}
	err := s.read(chunks)
	if err == nil {
		err = printer.err()
	}
	if err != nil {
		return fail(err)
	}
	fmt.Fprint(summary, strings.Join(s.findings.report(input.start, input.size), "\n")+"\n")
	if s.findings.damaged > 0 || s.findings.messages == 0 {
		return exitDamaged
	}
	return exitWhole
}

// watchedInput keeps the size and the first bytes of what it read.
type watchedInput struct {
	r     io.Reader
	start []byte
	size  int64
}

func (w *watchedInput) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	const enough = 64
	w.start = append(w.start, p[:min(n, enough-len(w.start))]...)
	w.size += int64(n)
	return n, err
}
