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

This page lists what each kind of operation does under each fault. The tests in
internal/checks/faultmatrix make every call in the tables, with the default RetryPolicy, and check
each number and each error. They also check that no goroutine, connection or response body is
left, that the error text contains no secret, and that no credential is sent to another host.
They use simulated time and connections in memory, so that nothing depends on the speed of the
machine.

%d calls are checked: %d faults with %d kinds of operations. No pair is omitted. In one call the
fault never passes, in another call it occurs once. There is only one call for a fault with a
large response, because such a response is never retried. The last table lists %d deliveries to
a webhook.

## Overview

Each cell contains the kind of the error, without its Err, and the number of requests that the
package sends if the fault never passes. "ok" is a success.

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

func page() string {
	var b strings.Builder
	calls := 0
	for _, f := range faults {
		calls += len(kinds) * len(f.runs())
	}
	fmt.Fprintf(&b, introduction, calls, len(faults), len(kinds), len(deliveries))
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	row(&b, append([]string{"Fault"}, names...)...)
	row(&b, repeat("---", 1+len(kinds))...)
	for _, f := range faults {
		cells := []string{f.name}
		for _, k := range kinds {
			e := f.rule(k, false)
			cells = append(cells, fmt.Sprintf("%s, %d", errorText(e), e.attempts))
		}
		row(&b, cells...)
	}
	b.WriteString(details)
	for _, k := range kinds {
		writeKind(&b, k)
	}
	writeWebhook(&b)
	return b.String()
}

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

func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
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
