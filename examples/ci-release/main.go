// Command ci-release is what a CI job runs after a build: it uploads symbols and payloads to
// Memfault, deploys the release to a cohort, proves that a device of the cohort is offered
// exactly these bytes, and waits until a share of the cohort runs them. Every step first
// checks what Memfault has, so that a second run continues where the first one stopped.
//
// The README shows its commands and exit codes, and docs/releases.md how to use it in CI.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program immediately
	a := app{stdout: os.Stdout, stderr: os.Stderr, connect: connect}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		a.bars, a.sameTerminal = os.Stderr, term.IsTerminal(int(os.Stdout.Fd()))
	}
	a.width = columns(os.Stdout)
	os.Exit(a.run(ctx, os.Args[1:]))
}

// columns returns the width of a terminal, and 0 for any other file, whose lines are not broken.
// The variable COLUMNS has precedence, as in the help.
func columns(file *os.File) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil {
		return n
	}
	n, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// app is the program without what a test replaces.
type app struct {
	stdout, stderr io.Writer
	bars           io.Writer // terminal for progress bars; nil if there is none
	sameTerminal   bool      // whether stdout is that terminal
	width          int       // columns of stdout; 0 if lines are not broken
	connect        func(context.Context, *cli) (*connection, error)
}

// run returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	c, command, err := parse(args, a.stdout, a.width)
	if err != nil {
		_, _ = io.WriteString(a.stderr, wrap(fmt.Sprintf("ci-release: %s\n", oneLine(err)), a.width, 2))
		return exitUsage
	}
	if command == nil { // the help was printed
		return exitDone
	}
	s := &session{cli: c, out: a.reporter(c)}
	err = a.runCommand(ctx, s, command)
	s.out.close()
	code := exitCode(ctx, err)
	s.out.result(s.summary(code, err))
	return code
}

func (a *app) runCommand(ctx context.Context, s *session, command command) error {
	if err := command.read(ctx); err != nil {
		return err
	}
	connection, err := a.connect(ctx, s.cli)
	if err != nil {
		return err
	}
	defer connection.close()
	s.connection = connection
	return s.runSteps(ctx, command.steps(s))
}

func (a *app) reporter(c *cli) reporter {
	lines := &plain{out: a.stdout, errors: a.stderr, width: a.width}
	switch {
	case c.JSON:
		return newJSONLines(a.stdout)
	case a.bars != nil:
		return &bars{plain: lines, terminal: a.bars, sameTerminal: a.sameTerminal}
	default:
		return lines
	}
}

// command is a subcommand.
type command interface {
	// read checks the flags and the local files. It sends nothing.
	read(ctx context.Context) error
	// steps returns what the command does, in order.
	steps(s *session) []step
}

// step is a part of a command that a later run does not repeat.
type step struct {
	name string
	run  func(context.Context) error
}

// session is the state that all steps share.
type session struct {
	*connection
	cli  *cli
	out  reporter
	done []string // names of steps
	left []string // the step that failed first
}

// runSteps stops at the first error.
func (s *session) runSteps(ctx context.Context, steps []step) error {
	for _, st := range steps {
		s.left = append(s.left, st.name)
	}
	for _, st := range steps {
		err := context.Cause(ctx)
		if err == nil {
			err = st.run(ctx)
		}
		if err != nil {
			return &stepError{st.name, err}
		}
		s.done, s.left = append(s.done, st.name), s.left[1:]
	}
	return nil
}

// stepError is the error of a step.
type stepError struct {
	step  string
	cause error
}

func (e *stepError) Error() string { return e.step + ": " + e.cause.Error() }
func (e *stepError) Unwrap() error { return e.cause }

// summary describes how the command ended.
func (s *session) summary(code int, err error) result {
	r := result{ExitCode: code, Done: s.done, Left: s.left}
	switch {
	case err == nil:
	case code == exitInterrupted:
		r.Error = "interrupted; run the same command again to continue"
	default:
		r.Error = oneLine(err)
		if advice := advise(err); advice != "" {
			r.Error += ". " + advice
		}
	}
	return r
}

// oneLine returns the text of an error without line breaks.
func oneLine(err error) string {
	text := strings.TrimPrefix(err.Error(), "memfault: ")
	if step := (*stepError)(nil); errors.As(err, &step) {
		text = step.step + ": " + strings.TrimPrefix(step.cause.Error(), "memfault: ")
	}
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
