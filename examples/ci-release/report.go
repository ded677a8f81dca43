package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// event is something that happened.
type event struct {
	Step    string `json:"step"`
	State   state  `json:"state"`
	Subject string `json:"subject,omitempty"` // a file, a board or a cohort
	Text    string `json:"text"`
	Data    any    `json:"data,omitempty"` // of status
}

type state string

const (
	stateDone      state = "done"
	stateUnchanged state = "unchanged" // Memfault had it
	stateWould     state = "would"     // with -dry-run
	stateNote      state = "note"
)

// result is how the program ended.
type result struct {
	ExitCode int      `json:"exit_code"`
	Error    string   `json:"error,omitempty"`
	Done     []string `json:"done,omitempty"` // steps
	Left     []string `json:"left,omitempty"`
}

// reporter shows what the program does. Its methods are safe for concurrent use.
type reporter interface {
	event(e event)
	// upload returns the progress of a file. Its end must be called.
	upload(name string) progress
	// close ends all output but the result.
	close()
	result(r result)
}

// progress shows how much of a file was sent.
type progress interface {
	sent(sent, total int64)
	end(err error)
}

// jsonLines prints one JSON object a line.
type jsonLines struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

func newJSONLines(out io.Writer) *jsonLines { return &jsonLines{encoder: json.NewEncoder(out)} }

func (j *jsonLines) print(value any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.encoder.Encode(value) // an error could not be printed either
}

func (j *jsonLines) event(e event)          { j.print(e) }
func (j *jsonLines) result(r result)        { j.print(r) }
func (j *jsonLines) close()                 {}
func (j *jsonLines) upload(string) progress { return silent{} }

type silent struct{}

func (silent) sent(int64, int64) {}
func (silent) end(error)         {}

// plain prints lines for people, as in the log of a CI job.
type plain struct {
	mu          sync.Mutex
	out, errors io.Writer
	width       int // columns of the terminal; 0 if lines are not broken
}

func (p *plain) event(e event) { p.print(p.line(e)) }

// line returns the line of an event, broken between words for the terminal.
func (p *plain) line(e event) string {
	const steps = 12
	if p.width > 0 && p.width < narrow {
		return wrap(strings.Join(strings.Fields(e.line()), " ")+"\n", p.width, 2)
	}
	return wrap(e.line(), p.width, steps)
}

// wrap breaks a text between words into lines of at most width columns, if no word is longer.
// All lines but the first are indented.
func wrap(text string, width, indent int) string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	var b strings.Builder
	column := 0
	rest := strings.TrimRight(text, "\n")
	for rest != "" {
		word, after, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
		spaces := len(rest) - len(strings.TrimLeft(rest, " "))
		if column > 0 {
			spaces++
		}
		if n := utf8.RuneCountInString(word); column > 0 && column+spaces+n > width {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		} else {
			b.WriteString(strings.Repeat(" ", spaces))
			column += spaces
		}
		b.WriteString(word)
		column += utf8.RuneCountInString(word)
		rest = after
	}
	return b.String() + "\n"
}

func (e event) line() string {
	subject := e.Subject
	if subject != "" {
		subject += ": "
	}
	if e.State == stateNote {
		subject = "note: " + subject
	}
	return fmt.Sprintf("%-10s  %s%s\n", e.Step, subject, e.Text)
}

func (p *plain) print(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.out, text) // an error could not be printed either
}

func (p *plain) close() {}

// result prints the error in one line, and before it what is done and what is left.
func (p *plain) result(r result) {
	if r.Error == "" {
		return
	}
	if len(r.Done) > 0 || r.ExitCode == exitInterrupted && len(r.Left) > 0 {
		done := cmp.Or(strings.Join(r.Done, ", "), "nothing")
		_, _ = io.WriteString(p.errors, wrap(fmt.Sprintf("ci-release: done: %s; left: %s\n", done, strings.Join(r.Left, ", ")), p.width, 2))
	}
	_, _ = io.WriteString(p.errors, wrap(fmt.Sprintf("ci-release: %s\n", r.Error), p.width, 2)) // as in print
}

// upload prints a line for each quarter of a large file.
func (p *plain) upload(name string) progress { return &quarters{plain: p, name: name} }

type quarters struct {
	*plain
	name string
	last int64
}

func (q *quarters) sent(sent, total int64) {
	const large = 16 << 20
	now := sent * 4 / max(total, 1)
	if total >= large && now > q.last && now < 4 {
		q.print(wrap(fmt.Sprintf("%-10s  %s: %d%% of %s\n", "", q.name, now*25, size(total)), q.width, 2))
	}
	q.last = now
}

func (q *quarters) end(error) {}

// size returns a number of bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB"}
	value := float64(n)
	for value >= 1024 && len(units) > 1 {
		value, units = value/1024, units[1:]
	}
	return fmt.Sprintf("%.4g %s", value, units[0])
}
