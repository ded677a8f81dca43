package faultmatrix

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/faults.md")

const pageFile = "../../../docs/faults.md"

// TestPage_IsCurrent compares the page with the expectations that TestMatrix and TestWebhook check.
func TestPage_IsCurrent(t *testing.T) {
	want := page()
	if *update {
		require.NoError(t, os.WriteFile(pageFile, []byte(want), 0o644))
	}
	got, err := os.ReadFile(pageFile)
	require.NoError(t, err)
	if want != string(got) {
		t.Error("docs/faults.md differs from the expectations: run go generate in internal/checks/faultmatrix")
	}
}

const introduction = `<!-- Written by go generate in internal/checks/faultmatrix. Do not edit. -->

# Faults

What a call does if something goes wrong. First the three that most people look for: a time limit or
a lost response, a rate limit, and a server in trouble.

`

const reading = `
- After a *time limit* or a *lost response*, nobody knows whether Memfault did what was asked. What is
  safe to repeat was repeated. After a create, look whether it is there before you call again. To call
  an upload again is safe: it reports whether Memfault has the file.
- A *429* is never carried out, so everything is retried. The wait that it asks for holds for all calls
  to the API host with the same credential.
- *502, 503, 504 and 529* are retried if that is safe. A 500 is not, except by the storage of an upload.

` + "`errors.Is(err, memfault.ErrTemporary)`" + ` reports whether the same call may succeed later.

## How to read a row

A row is a fault that never passes. "Error" is the kind of the error, without its Err; "ok" is a
success. The other columns are kinds of operations, with the number of requests that the package
sends: a read during a %s fails with %s after %d requests. If a kind of operation has another
outcome, it is before the number.

The columns:

| Column | Operation | Safe to repeat |
| --- | --- | --- |
`

const checked = `
The tests in internal/checks/faultmatrix make every call in the tables, with the default RetryPolicy,
and check each number and each error. They also check that no goroutine, connection or response body is
left, that the error text contains no secret, and that no credential is sent to another host.
They use simulated time and connections in memory, so that nothing depends on the speed of the
machine.

%d calls are checked: %d faults with %d kinds of operations. No pair is omitted. In one call the
fault never passes, in another call it occurs once. There is only one call for a fault with a
large response, because such a response is never retried. The last table lists %d deliveries to
a webhook.

## All faults

Faults that have the same outcome everywhere share a row.

`

const details = `
## Details

- **Sent** is the number of attempts of the package. **Received** is the number of requests that
  reach a server. The two differ if a connection fails first, if a redirect is followed, or if
  net/http repeats a request by itself; see Response.Attempts.
- **Time** is how long the call takes. A range is due to random waits between the attempts.
- **Once** is the outcome if the fault occurs only once. "same" means that the package does not
  retry. An idle connection can break only once.
- A list reads two pages. The fault hits the second page.
- An upload consists of three requests: prepare, PUT and commit. The fault hits one of them.
- If the storage responds with 403, an upload requests another URL and sends the file there, once.
- If the commit fails with 409, the upload is a success, because Memfault has the file already.
- net/http repeats a request that an HTTP/2 server has not processed. The package prevents that
  for requests that are not safe to repeat. The server sends the GOAWAY that excludes the request
  after 7 s.
- A connection that is dead without a close is found on HTTP/1 by the time limit of an attempt,
  and on HTTP/2 by the pings of the package's own transport. For these faults and those of a
  proxy, the calls use that transport; for the others, one of the tests.
- If the operation does not need the response body, the package waits for it at most 5 s. If the
  body does not arrive, the operation succeeds nevertheless.
`

// wanted contains the faults that most people look for. Those of a row have the same outcome.
var wanted = [][]string{
	{"no response header for 2 minutes", "connection reset after the request"},
	{"429", "429, Retry-After: 7"},
	{"502 with an HTML page", "503", "504", "529"},
}

func TestPage_FirstRows(t *testing.T) {
	columns := columnsOf(kinds)
	for _, names := range wanted {
		for _, name := range names {
			require.Equal(t, cells(faultNamed(names[0]), columns), cells(faultNamed(name), columns), name)
		}
	}
}

func page() string {
	var b strings.Builder
	calls := 0
	for _, f := range faults {
		calls += len(kinds) * len(f.runs())
	}
	columns := columnsOf(kinds)
	b.WriteString(introduction)
	header(&b, columns)
	for _, names := range wanted {
		row(&b, append([]string{strings.Join(names, "; ")}, cells(faultNamed(names[0]), columns)...)...)
	}
	example := faultNamed("503").rule(kinds[0], false)
	fmt.Fprintf(&b, reading, "503", "Err"+errorText(example), example.attempts)
	for _, column := range columns {
		for _, k := range column {
			repeated := "no"
			if k.repeatable {
				repeated = "yes"
			}
			row(&b, k.name, "`"+k.operation+"`, "+k.method, repeated)
		}
	}
	fmt.Fprintf(&b, checked, calls, len(faults), len(kinds), len(deliveries))
	header(&b, columns)
	for _, same := range rowsOf(faults, columns) {
		var names []string
		for _, f := range same {
			names = append(names, f.name)
		}
		row(&b, append([]string{strings.Join(names, "; ")}, cells(same[0], columns)...)...)
	}
	b.WriteString(details)
	for _, k := range kinds {
		writeKind(&b, k)
	}
	writeWebhook(&b)
	return b.String()
}

func faultNamed(name string) *fault {
	return faults[slices.IndexFunc(faults, func(f *fault) bool { return f.name == name })]
}

// columnsOf groups the kinds of operations that have the same outcome under every fault.
func columnsOf(kinds []*kind) [][]*kind {
	return group(kinds, func(k *kind) string {
		var outcomes []string
		for _, f := range faults {
			outcomes = append(outcomes, cellText(f.rule(k, false)))
		}
		return strings.Join(outcomes, "|")
	})
}

// rowsOf groups the faults that have the same outcome in every column.
func rowsOf(faults []*fault, columns [][]*kind) [][]*fault {
	return group(faults, func(f *fault) string { return strings.Join(cells(f, columns), "|") })
}

// group puts the items with the same key together, in the order of the first of them.
func group[T any](items []T, key func(T) string) [][]T {
	var groups [][]T
	place := map[string]int{}
	for _, item := range items {
		k := key(item)
		at, ok := place[k]
		if !ok {
			at = len(groups)
			place[k] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], item)
	}
	return groups
}

func header(b *strings.Builder, columns [][]*kind) {
	names := []string{"Fault", "Error"}
	for _, column := range columns {
		var kinds []string
		for _, k := range column {
			kinds = append(kinds, strings.Fields(k.name)[0]) // a list by page or by cursor is a list
		}
		names = append(names, strings.Join(slices.Compact(kinds), ", "))
	}
	row(b, names...)
	row(b, repeat("---", len(names))...)
}

// cells returns the kind of the error that most columns have, and then for each column the number
// of requests, with the outcome if it is another.
func cells(f *fault, columns [][]*kind) []string {
	usual := usualError(f, columns)
	texts := []string{usual}
	for _, column := range columns {
		e := f.rule(column[0], false)
		text := fmt.Sprint(e.attempts)
		if outcome := errorText(e); outcome != usual {
			text = outcome + ", " + text
		}
		texts = append(texts, text)
	}
	return texts
}

// usualError returns the kind of the error that most columns have, or "ok" if no call fails.
func usualError(f *fault, columns [][]*kind) string {
	counts, usual := map[string]int{}, "ok"
	for _, column := range columns {
		outcome := errorText(f.rule(column[0], false))
		if counts[outcome]++; outcome != "ok" && counts[outcome] > counts[usual] || usual == "ok" {
			usual = outcome
		}
	}
	return usual
}

func cellText(e expectation) string { return fmt.Sprintf("%s, %d", errorText(e), e.attempts) }

func writeKind(b *strings.Builder, k *kind) {
	repeated := "not safe to repeat"
	if k.repeatable {
		repeated = "safe to repeat"
	}
	fmt.Fprintf(b, "\n### %s\n\n`%s`: %s, %s. The response body %s.\n\n", k.name, k.operation, k.method, repeated, k.response)
	row(b, "Fault", "Sent", "Received", "Time", "Error", "Once")
	row(b, repeat("---", 6)...)
	for _, f := range faults {
		e, once := f.rule(k, false), f.rule(k, true)
		row(b, f.name, fmt.Sprint(e.attempts), fmt.Sprint(e.seen), timeText(e), errorText(e), onceText(e, once))
	}
}

func onceText(always, once expectation) string {
	if fmt.Sprint(always) == fmt.Sprint(once) {
		return "same"
	}
	return fmt.Sprintf("%s; %d sent, %d received, %s", errorText(once), once.attempts, once.seen, timeText(once))
}

func writeWebhook(b *strings.Builder) {
	b.WriteString("\n## Webhooks\n\nHere the package is the server: the handler of NewWebhookHandler, in an http.Server\nwithout a ReadTimeout. Statuses are those of the responses, in order.\n\n")
	row(b, "Fault", "Statuses", "Calls of the function", "Time")
	row(b, repeat("---", 4)...)
	for _, d := range deliveries {
		statuses := strings.Trim(fmt.Sprint(d.statuses), "[]")
		if statuses == "" {
			statuses = "none, because the connection is closed"
		}
		row(b, d.name, statuses, fmt.Sprint(d.calls), seconds(d.took)+" s")
	}
	b.WriteString("\nThe other faults of the matrix do not apply to a webhook:\n\n")
	for _, reason := range []string{beforeHandler, noResponse} {
		var names []string
		for _, f := range faults {
			if inapplicable(f) == reason {
				names = append(names, f.name)
			}
		}
		fmt.Fprintf(b, "- %s %s.\n", reason, strings.Join(names, "; "))
	}
}

// row writes a row of a table. Long words can be broken, so that no table is wider than a page of
// GitHub.
func row(b *strings.Builder, cells ...string) {
	text := "| " + strings.Join(cells, " | ") + " |\n"
	b.WriteString(strings.NewReplacer("UnexpectedResponse", "Unexpected<wbr>Response", "9999999999", "9999999999<wbr>").Replace(text))
}

func repeat(text string, n int) []string { return slices.Repeat([]string{text}, n) }

func errorText(e expectation) string {
	if len(e.errors) == 0 {
		return "ok"
	}
	return strings.TrimPrefix(kindsOf(e.errors[0])[0], "Err")
}

func timeText(e expectation) string {
	if e.min == e.max {
		return seconds(e.min) + " s"
	}
	return seconds(e.min) + "–" + seconds(e.max) + " s"
}

func seconds(d time.Duration) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0")
}
