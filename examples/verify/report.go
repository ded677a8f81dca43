package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/examples/verify/internal/shape"
	"github.com/memfault-go/memfault/examples/verify/internal/uncertain"
)

// report is what the program found out. It contains names of operations and fields, kinds of
// values and statuses, and no value of the account.
type report struct {
	Version     string         `json:"memfault_go_version"`
	OtherHosts  bool           `json:"other_hosts"` // -url was given
	Interrupted bool           `json:"interrupted"`
	Verdict     string         `json:"verdict"`
	Results     []result       `json:"results"`
	Marks       []markedResult `json:"uncertain"`

	Leftovers []string          `json:"left_behind,omitempty"` // kinds of what -write could not remove
	Untried   map[string]string `json:"untried,omitempty"`     // operations that -write leaves out, with the reason

	anyAgreed, anyContradicts bool
}

// markedResult is what the program found out about a mark.
type markedResult struct {
	Name     string `json:"name"` // as in the comments of the client
	Question string `json:"question"`
	verdict
	Confirms string `json:"confirmed_by"`
	Refutes  string `json:"refuted_by"`
}

func (s *session) report(interrupted, otherHosts bool) *report {
	r := &report{
		Version: memfault.Version, OtherHosts: otherHosts, Interrupted: interrupted, Results: s.results,
		Leftovers: s.leftovers, anyAgreed: s.agreed(), anyContradicts: s.contradicted(),
	}
	if s.wrote {
		r.Untried = s.untried()
	}
	s.hideNames()
	for _, mark := range uncertain.Marks() {
		v, ok := s.marks[mark.Name]
		switch {
		case !ok && mark.Write && !s.wrote:
			v = verdict{open, "only -write settles it"}
		case !ok:
			v = verdict{open, "no response settles it"}
		}
		r.Marks = append(r.Marks, markedResult{mark.Name, mark.Question, v, mark.Confirms, mark.Refutes})
	}
	switch {
	case r.anyContradicts:
		r.Verdict = "Memfault contradicts the client."
	case !r.anyAgreed:
		r.Verdict = "Nothing could be compared: check the credential and the slugs."
	case interrupted:
		r.Verdict = "The run was interrupted. Until then, nothing contradicts the client."
	default:
		r.Verdict = "Nothing contradicts the client."
	}
	return r
}

// hideNames masks the names of unknown fields that are values of a later response.
func (s *session) hideNames() {
	hide := func(path string) string {
		at := strings.LastIndex(path, ".") + 1
		if s.private(path[at:]) {
			return path[:at] + shape.Mask(path[at:])
		}
		return path
	}
	for _, r := range s.results {
		for i, f := range r.Findings {
			if f.Kind == unknownField {
				r.Findings[i].Path = hide(f.Path)
			}
		}
	}
}

// exitCode is 0 only for a complete run that could compare responses and found no
// contradiction.
func (r *report) exitCode() int {
	if r.anyContradicts || !r.anyAgreed || r.Interrupted || len(r.Leftovers) > 0 {
		return exitContradicts
	}
	return exitAgrees
}

// save writes the report as JSON.
func (r *report) save(name string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(data, '\n'), 0o600)
}

// print writes the report as a table.
func (r *report) print(out io.Writer) {
	counts := map[outcome]int{}
	for _, line := range r.Results {
		counts[line.Outcome]++
		status := ""
		if line.Status > 0 {
			status = fmt.Sprint(line.Status)
		}
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%-40s %-12s %-4s %s", line.Name, line.Outcome, status, line.Reason), " "))
		for _, f := range line.Findings {
			sign := "-"
			if f.Kind.contradicts() {
				sign = "!"
			}
			fmt.Fprintf(out, "    %s %s\n", sign, f)
		}
	}
	fmt.Fprint(out, "\nUNCERTAIN in the comments of the client (refuted: other than it assumes, which it allows for):\n")
	for _, mark := range r.Marks {
		fmt.Fprintf(out, "%-40s %-12s %s\n", mark.Name, mark.State, mark.Answer)
	}
	for _, mark := range uncertain.Open() {
		fmt.Fprintf(out, "%-40s %-12s %s\n", mark.Name, open, mark.Reason)
	}
	fmt.Fprintln(out)
	for _, o := range []outcome{agrees, contradicts, empty, absent, forbidden, unavailable, skipped} {
		if counts[o] > 0 {
			fmt.Fprintf(out, "%d %s  ", counts[o], o)
		}
	}
	if n := len(r.Untried); n > 0 {
		fmt.Fprintf(out, "%d not tried (the report has the reasons)", n)
	}
	fmt.Fprintln(out)
	r.printSettled(out)
	fmt.Fprintf(out, "\n%s\n\nTo paste into an issue of the package, on one line:\n%s\n", r.Verdict, r.line())
}

// printSettled prints the facts that the run settled, and how.
func (r *report) printSettled(out io.Writer) {
	confirmedNames, refutedNames := r.settled(confirmed), r.settled(refuted)
	settled := len(confirmedNames) + len(refutedNames)
	fmt.Fprintf(out, "\nSettled: %d of %d UNCERTAIN facts.\n", settled, len(r.Marks)+len(uncertain.Open()))
	for _, mark := range r.Marks {
		if mark.State == confirmed || mark.State == refuted {
			fmt.Fprintf(out, "  %s, %s: %s\n    %s\n", mark.Name, mark.State, mark.Answer, mark.Question)
		}
	}
	if len(refutedNames) > 0 {
		fmt.Fprint(out, "A refuted fact is news for the authors. It does not contradict the client, which works in both cases.\n")
	}
}

// settled returns the names of the marks with a state.
func (r *report) settled(s state) []string {
	var names []string
	for _, mark := range r.Marks {
		if mark.State == s {
			names = append(names, mark.Name)
		}
	}
	return names
}

// line returns the result in one line. Like the report, it contains no value of the account.
func (r *report) line() string {
	var agreed int
	var wrong []string
	for _, result := range r.Results {
		switch result.Outcome {
		case agrees:
			agreed++
		case contradicts:
			wrong = append(wrong, result.Name)
		}
	}
	text := fmt.Sprintf("memfault-go %s verify: %d of %d agree", r.Version, agreed, len(r.Results))
	if r.Interrupted {
		text += " (interrupted)"
	}
	if r.OtherHosts {
		text += " (with -url)"
	}
	for _, part := range []struct {
		title string
		names []string
	}{{"contradicted by", wrong}, {"refuted", r.settled(refuted)}, {"confirmed", r.settled(confirmed)}} {
		list := "none"
		if len(part.names) > 0 {
			list = strings.Join(part.names, ", ")
		}
		text += "; " + part.title + ": " + list
	}
	return text
}
