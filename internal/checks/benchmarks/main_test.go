package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestMedian(t *testing.T) {
	assert.Zero(t, median(nil))
	assert.InDelta(t, 3, median([]float64{9, 1, 3}), 0)
	assert.InDelta(t, 2, median([]float64{9, 1, 3, 1}), 0)
	values := []float64{3, 1, 2}
	median(values)
	assert.Equal(t, []float64{3, 1, 2}, values, "the values keep their order")
}

func TestRatio_IsOfTheSameRound(t *testing.T) {
	assert.InDelta(t, 2, ratio([]time.Duration{2, 20, 300}, []time.Duration{1, 10, 100}), 0)
}

func TestInterleave(t *testing.T) {
	var calls []int
	times, err := interleave(2, func() error { calls = append(calls, 0); return nil }, func() error { calls = append(calls, 1); return nil })
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 1, 0, 0, 1}, calls)
	assert.Len(t, times[0], 2, "the first round does not count")
	assert.Len(t, times[1], 2)
	_, err = interleave(1, func() error { return errors.New("no") })
	require.EqualError(t, err, "no")
}

func TestCheck_NamesTheRowsThatMissed(t *testing.T) {
	rows := []row{
		{name: "most", value: 1.05, most: 1.05},
		{name: "least", value: 6.5, least: 6.5},
		{name: "below", value: 0.99, below: 1},
		{name: "without a budget", value: 99},
	}
	require.NoError(t, check(rows))
	for i, value := range []float64{1.06, 6.4, 1} {
		missed := rows[i]
		missed.value = value
		err := check([]row{rows[3], missed})
		require.ErrorContains(t, err, missed.name+": ")
		require.NotContains(t, err.Error(), "without")
	}
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, print(&out, []row{
		{name: "a", value: 1.5, unit: "x", most: 1, remarks: "slow"},
		{name: "b", value: 2, unit: "y", least: 1},
		{name: "c", value: 3, unit: "z"},
	}))
	assert.Equal(t, "what  measured  budget          \na     1.5 x     <= 1    MISSED  slow\nb     2 y       >= 1    ok      \nc     3 z                       \n", out.String())
}

func TestMeasure_RepeatsWhatMissedOnce(t *testing.T) {
	var rounds []int
	slow := func(misses int) []measurement {
		rounds = nil
		return []measurement{{"slow", func(b *bench, _ context.Context) ([]row, error) {
			rounds = append(rounds, b.rounds)
			value := 1.0
			if len(rounds) <= misses {
				value = 2
			}
			return []row{{name: "r", value: value, most: 1}}, nil
		}}}
	}
	b := &bench{rounds: 3, slowRounds: 1}
	rows, err := b.measure(t.Context(), slow(1), "")
	require.NoError(t, err)
	require.NoError(t, check(rows))
	assert.Equal(t, []int{3, 9}, rounds)
	rows, err = b.measure(t.Context(), slow(2), "slow")
	require.NoError(t, err)
	require.Error(t, check(rows))
	assert.Equal(t, []int{3, 9}, rounds)
	_, err = b.measure(t.Context(), slow(0), "other")
	require.ErrorContains(t, err, `"other"`)
}

func TestServer_ServesEachClient(t *testing.T) {
	server := httptest.NewServer(newServer().handler())
	defer server.Close()
	all, err := peers(server.URL)
	require.NoError(t, err)
	keys, err := ours[key](server.URL, unitsPath)
	require.NoError(t, err)
	devices, err := ours[memfault.Device](server.URL, devicesPath)
	require.NoError(t, err)
	all = append(all, competitor{"keys", keys}, competitor{"devices", devices}, competitor{"bare", bareList[key](newBare(), server.URL+unitsPath)})
	for _, c := range all {
		n, err := c.list(t.Context())
		require.NoError(t, err, c.name)
		assert.Equal(t, listItems, n, c.name)
	}
	client, err := newClient(delayed(server.URL, time.Millisecond))
	require.NoError(t, err)
	start := time.Now()
	page, err := memfault.NewPager[key](client, memfault.Request{Path: unitsPath}).Page(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(start), time.Millisecond)
	assert.Equal(t, key{1, "unit 1", "unit 1", "b7:2f:30:a0:2f:6c:58:6c:21:04:58:61:ba:06:1", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA unit1", time.Date(2024, 6, 19, 14, 52, 38, 0, time.UTC)}, page.Items[0])
}

func TestLimit_Quick(t *testing.T) {
	assert.InDelta(t, 1, (&bench{}).limit(1, 2), 0)
	assert.InDelta(t, 2, (&bench{quick: true}).limit(1, 2), 0)
}
