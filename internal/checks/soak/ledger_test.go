package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// requireBroken fails unless the ledger reports exactly the given promises as broken.
func requireBroken(t *testing.T, name string, l *ledger, promises ...string) {
	t.Helper()
	err := l.report(io.Discard)
	if len(promises) == 0 {
		require.NoError(t, err, name)
		return
	}
	require.Error(t, err, name)
	assert.Len(t, l.broken, len(promises), name)
	for _, promise := range promises {
		require.ErrorContains(t, err, promise, name)
	}
}

func TestLedger_Report(t *testing.T) {
	l := newLedger()
	l.did("devices read")
	l.add("devices read", 2)
	l.failed("devices read")
	l.broke(promiseWrite, 0, "not broken")
	var out strings.Builder
	require.NoError(t, l.report(&out))
	assert.Regexp(t, `devices read +3 \(and 1 that failed and were made again\)\n`, out.String())
	l.broke(promiseWrite, 2, "the first of %d", 3)
	l.broke(promiseWrite, 1, "the last")
	require.EqualError(t, l.report(io.Discard), "writes lost: 3 (the first of 3)")
}

func TestChunkDevice_Settle(t *testing.T) {
	rejected := fmt.Errorf("rejected: %w", memfault.ErrBadRequest)
	type outcome struct {
		number int
		err    error
	}
	var reported []outcome
	for number := range 20 {
		reported = append(reported, outcome{number, nil})
	}
	reported[19].err = rejected // the bad one
	var arrived []int
	for number := range 19 {
		arrived = append(arrived, number)
	}
	for name, c := range map[string]struct {
		change  func(reported []outcome, arrived []int) ([]outcome, []int)
		promise []string
	}{
		"all well":        {nil, nil},
		"arrived again":   {func(r []outcome, a []int) ([]outcome, []int) { return r, append(a, 0, 1) }, nil},
		"lost":            {func(r []outcome, a []int) ([]outcome, []int) { return r, slices.Delete(a, 4, 5) }, []string{promiseChunkLost}},
		"last lost":       {func(r []outcome, a []int) ([]outcome, []int) { return r, a[:18] }, []string{promiseChunkLost}},
		"not sent":        {func(r []outcome, a []int) ([]outcome, []int) { return r, append(a, 20) }, []string{promiseChunkLost}},
		"exchanged":       {func(r []outcome, a []int) ([]outcome, []int) { a[4], a[5] = a[5], a[4]; return r, a }, []string{promiseChunkOrder}},
		"other content":   {func(r []outcome, a []int) ([]outcome, []int) { a[4] = chunkNumber("A", "A 000004 "); return r, a }, []string{promiseChunkLost, promiseChunkOrder}},
		"reported twice":  {func(r []outcome, a []int) ([]outcome, []int) { return slices.Insert(r, 5, r[4]), a }, []string{promiseChunkDone}},
		"not reported":    {func(r []outcome, a []int) ([]outcome, []int) { return r[:19], append(a, 19) }, []string{promiseChunkDone}},
		"reported late":   {func(r []outcome, a []int) ([]outcome, []int) { r[4], r[5] = r[5], r[4]; return r, a }, []string{promiseChunkDone}},
		"bad accepted":    {func(r []outcome, a []int) ([]outcome, []int) { r[19].err = nil; return r, append(a, 19) }, []string{promiseRefused}},
		"good rejected":   {func(r []outcome, a []int) ([]outcome, []int) { r[3].err = rejected; return r, a }, []string{promiseRefused}},
		"another failure": {func(r []outcome, a []int) ([]outcome, []int) { r[19].err = errors.New("lost"); return r, a }, []string{promiseRefused}},
	} {
		l, d := newLedger(), &chunkDevice{serial: "A", sent: 20, rejected: map[int]bool{}}
		all, numbers := slices.Clone(reported), slices.Clone(arrived)
		if c.change != nil {
			all, numbers = c.change(all, numbers)
		}
		for _, o := range all {
			d.report(l, o.number, o.err)
		}
		d.settle(l, numbers)
		requireBroken(t, name, l, c.promise...)
	}
}

func TestChunkNumber(t *testing.T) {
	for _, number := range []int{0, 19, 95, 123456} {
		assert.Equal(t, number, chunkNumber("A-1", chunkText("A-1", number)))
	}
	for _, text := range []string{"", "A-1", "A-1 x", chunkText("A-2", 5), chunkText("A-1", 5) + "x", chunkText("A-1", 19)[:20]} {
		assert.Equal(t, -1, chunkNumber("A-1", text), text)
	}
}

func TestCompareList(t *testing.T) {
	want := map[string]bool{"a": true, "b": true, "c": true}
	for name, c := range map[string]struct {
		got               string
		missing, repeated int
	}{
		"complete": {"c a b", 0, 0}, "others": {"a x b x c", 0, 0}, "missing": {"a c", 1, 0}, "repeated": {"a b c b b", 0, 2}, "both": {"a a", 2, 1},
	} {
		missing, repeated := compareList(want, strings.Fields(c.got))
		assert.Equal(t, []int{c.missing, c.repeated}, []int{missing, repeated}, name)
	}
}

func TestUploadLedger_Settle(t *testing.T) {
	for name, c := range map[string]struct {
		arrived map[string]string
		promise []string
	}{
		"same":      {map[string]string{"a": "900150983cd24fb0d6963f7d28e17f72", "other": "1"}, nil},
		"missing":   {map[string]string{"other": "1"}, []string{promiseUpload}},
		"different": {map[string]string{"a": "900150983cd24fb0d6963f7d28e17f73"}, []string{promiseUpload}},
	} {
		l, u := newLedger(), uploadLedger{sums: map[string]string{}}
		u.add("a", []byte("abc"))
		u.settle(l, c.arrived)
		requireBroken(t, name, l, c.promise...)
	}
}

func TestWebhookLedger_Settle(t *testing.T) {
	for name, c := range map[string]struct {
		received string // delivery and event each
		givenUp  string
		broken   bool
	}{
		"all well":         {"1 a 2 b 3 a", "", false},
		"lost":             {"1 a 2 b", "", true},
		"received twice":   {"1 a 2 b 3 a 3 a", "", true},
		"another delivery": {"1 a 2 b 3 a 4 a", "", true},
		"not expected":     {"1 a 2 b 3 a 4 c", "", true},
		"given up":         {"1 a 2 b 3 a", "status 500", true},
	} {
		l, w := newLedger(), newWebhookLedger()
		for _, event := range []string{"a", "b", "a"} {
			w.expect(event)
		}
		fields := strings.Fields(c.received)
		for i := 0; i < len(fields); i += 2 {
			w.receive(fields[i], fields[i+1])
		}
		w.settle(l, c.givenUp)
		var promises []string
		if c.broken {
			promises = []string{promiseWebhook}
		}
		requireBroken(t, name, l, promises...)
	}
}

// The cloud sends a delivery at most four times.
func TestWebhookLedger_FailsAtMostTwice(t *testing.T) {
	w, random := newWebhookLedger(), rand.New(rand.NewPCG(1, 2))
	failed := 0
	for range 1000 {
		if w.fails("delivery", random) {
			failed++
		}
	}
	assert.Equal(t, 2, failed)
}

func TestCompareUsage(t *testing.T) {
	steady := usage{200, 10 * mib, 14 * mib, 40 * mib}
	for name, c := range map[string]struct {
		last   usage
		n      int
		broken bool
	}{
		"steady":          {steady, samples - 1, false},
		"a little more":   {usage{250, 17 * mib, 25 * mib, 70 * mib}, samples - 1, false},
		"goroutines":      {usage{320, 10 * mib, 14 * mib, 40 * mib}, samples - 1, true},
		"allocated heap":  {usage{200, 19 * mib, 14 * mib, 40 * mib}, samples - 1, true},
		"heap in use":     {usage{200, 10 * mib, 27 * mib, 40 * mib}, samples - 1, true},
		"resident memory": {usage{200, 10 * mib, 14 * mib, 73 * mib}, samples - 1, true},
		"not measured":    {steady, samples/2 - 1, true},
	} {
		l, all := newLedger(), slices.Repeat([]usage{steady}, c.n)
		for i := range all {
			if i >= len(all)*3/5 {
				all[i] = c.last
			}
		}
		compareUsage(io.Discard, l, all)
		var promises []string
		if c.broken {
			promises = []string{promiseGrowth}
		}
		requireBroken(t, name, l, promises...)
	}
}

func TestMeasure(t *testing.T) {
	u, err := measure()
	require.NoError(t, err)
	for _, value := range []int64{u.goroutines, u.heapAlloc, u.heapInuse, u.resident} {
		assert.Positive(t, value)
	}
}

func TestCanPass(t *testing.T) {
	assert.True(t, canPass(fmt.Errorf("x: %w", memfault.ErrNoAnswer)))
	assert.False(t, canPass(memfault.ErrUnauthorized), "a rejected token is not a passing failure")
	assert.False(t, canPass(memfault.ErrNotFound))
}
