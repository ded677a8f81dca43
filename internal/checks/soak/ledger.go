package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// ledger counts what was done, and which promises were broken.
type ledger struct {
	mu      sync.Mutex
	done    map[string]int    // by what was done
	again   map[string]int    // failed calls that were made again, by what they do
	broken  map[string]int    // by promise
	example map[string]string // the first case, by promise
}

func newLedger() *ledger {
	return &ledger{done: map[string]int{}, again: map[string]int{}, broken: map[string]int{}, example: map[string]string{}}
}

func (l *ledger) did(what string) { l.add(what, 1) }

func (l *ledger) add(what string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[what] += n
}

// failed counts a call that failed and is made again.
func (l *ledger) failed(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.again[what]++
}

// broke counts a promise that was broken n times. It does nothing if n is 0.
func (l *ledger) broke(promise string, n int, format string, args ...any) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken[promise] == 0 {
		l.example[promise] = fmt.Sprintf(format, args...)
	}
	l.broken[promise] += n
}

// report prints the ledger. It returns an error that lists all broken promises.
func (l *ledger) report(out io.Writer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(l.done)) {
		printf(out, "  %-48s %d", what, l.done[what])
		if again := l.again[what]; again > 0 {
			printf(out, " (and %d that failed and were made again)", again)
		}
		printf(out, "\n")
	}
	var problems []string
	for _, promise := range slices.Sorted(maps.Keys(l.broken)) {
		problems = append(problems, fmt.Sprintf("%s: %d (%s)", promise, l.broken[promise], l.example[promise]))
	}
	printf(out, "  %-48s %d\n", "broken promises", len(problems))
	if problems != nil {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}

// The promises, as the ledger names them.
const (
	promiseCalls      = "calls that did not succeed in the end"
	promiseChunkLost  = "accepted chunks missing in the cloud"
	promiseChunkOrder = "first arrivals of chunks out of order"
	promiseChunkDone  = "chunks reported not once, or not in order"
	promiseRefused    = "chunks reported with a wrong outcome"
	promiseUpload     = "uploads missing or different"
	promiseDownload   = "downloads that differ"
	promiseList       = "items of lists missing or repeated"
	promiseWrite      = "writes lost"
	promiseWebhook    = "webhooks lost or received twice"
	promiseViolation  = "requests that no client should send"
	promiseGrowth     = "resources that grow"
)

// compareList returns how many of the wanted items a list lacks, and how many it has more than
// once. Other items do not count.
func compareList(want map[string]bool, got []string) (missing, repeated int) {
	seen := map[string]int{}
	for _, item := range got {
		if want[item] {
			seen[item]++
		}
	}
	for _, n := range seen {
		repeated += n - 1
	}
	return len(want) - len(seen), repeated
}

// printf prints a line of the report. It ignores errors, because there is no other place to
// report them.
func printf(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
