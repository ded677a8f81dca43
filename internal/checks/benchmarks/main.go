// Command benchmarks compares the package with a bare net/http loop and with other API
// clients, and fails if a budget is missed. See README.md.
//
//	go run . [-quick]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/process"
)

func main() {
	quick := flag.Bool("quick", false, "measure less, with more tolerance, in less than 40 s")
	only := flag.String("only", "", "measure only the part with this name")
	serving := flag.Bool("serve", false, "run as the server until standard input ends")
	flag.Parse()
	var err error
	if *serving {
		err = serve()
	} else {
		err = run(context.Background(), os.Stdout, *quick, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

var project = memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}

// bench contains what all measurements need.
type bench struct {
	url        string // of the server in the other process
	dir        string // for programs that are built
	quick      bool
	rounds     int // of fast work
	slowRounds int // of work that waits
}

// limit returns the budget, or its tolerant form for a quick run on a loaded machine.
func (b *bench) limit(budget, tolerant float64) float64 {
	if b.quick {
		return tolerant
	}
	return budget
}

// measurement is a part of the table that is measured together.
type measurement struct {
	name string
	rows func(*bench, context.Context) ([]row, error)
}

var measurements = []measurement{
	{"lists", (*bench).lists},
	{"get", (*bench).smallGet},
	{"prefetch", (*bench).prefetch},
	{"chunks", (*bench).chunks},
	{"walk", (*bench).walk},
	{"upload", (*bench).upload},
	{"size", (*bench).size},
}

func run(ctx context.Context, out io.Writer, quick bool, only string) error {
	url, stop, err := process.StartSelf(ctx, "-serve")
	if err != nil {
		return err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "benchmarks")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // nothing of value is left
	b := &bench{url: url, dir: dir, quick: quick, rounds: 31, slowRounds: 3}
	if quick {
		b.rounds, b.slowRounds = 3, 1
	}
	start := time.Now()
	rows, err := b.measure(ctx, measurements, only)
	if err != nil {
		return err
	}
	load, _ := os.ReadFile("/proc/loadavg") // exists on Linux only
	_, err = fmt.Fprintf(out, "%s, %d CPUs, load %s, %.0f s\n\n", runtime.Version(), runtime.NumCPU(), strings.TrimSpace(string(load)), time.Since(start).Seconds())
	if err != nil {
		return err
	}
	if err := print(out, rows); err != nil {
		return err
	}
	return check(rows)
}

// measure returns the rows of all measurements. A measurement that misses a budget is made again,
// once, with three times as many rounds, because other work on the machine can slow one side.
func (b *bench) measure(ctx context.Context, measurements []measurement, only string) ([]row, error) {
	var all []row
	for _, m := range measurements {
		if only != "" && m.name != only {
			continue
		}
		rows, err := m.rows(b, ctx)
		if err == nil && slices.ContainsFunc(rows, row.missed) {
			again := *b
			again.rounds, again.slowRounds = 3*b.rounds, 3*b.slowRounds
			rows, err = m.rows(&again, ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		all = append(all, rows...)
	}
	if len(all) == 0 && only != "" {
		return nil, fmt.Errorf("unknown measurement %q", only)
	}
	return all, nil
}
