package web

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/chart"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

func TestVersions_ManyVersionsAndCohorts(t *testing.T) {
	var counts []store.Count
	total := 0
	for cohort := range 12 {
		for version := range 40 {
			n := 1 + cohort*version
			counts = append(counts, store.Count{Cohort: fmt.Sprint("c", cohort), Version: fmt.Sprintf("1.%d.0", version), Devices: n})
			total += n
		}
	}
	view := newVersionsView(counts)
	assert.Equal(t, total, view.Total)
	assert.Len(t, view.Rows, tableRows)
	assert.Equal(t, 10, view.Hidden)
	assert.Equal(t, "1.39.0", view.Rows[0].Version, "the newest first, not by text")
}

// Errors and expected reboots are two groups. Days are numbered in UTC, the last one is not over.
func TestReboots_TwoGroups(t *testing.T) {
	today := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	since := today.AddDate(0, 0, -29)
	counts := []store.RebootCount{
		{Day: today, Reason: memfault.RebootReasonAssert, Reboots: 4},
		{Day: today, Reason: memfault.RebootReasonLowPower, Reboots: 7},
		{Day: today.AddDate(0, 0, -1), Reason: memfault.RebootReasonHardFault, Reboots: 2},
		{Day: today.AddDate(0, 0, -1), Reason: memfault.RebootReasonAssert, Reboots: 1},
	}
	seen := map[time.Time]int{today: 200, today.AddDate(0, 0, -1): 50}
	view := newRebootsView(counts, seen, since, today)
	assert.Equal(t, 14, view.Total)
	require.Len(t, view.Chart.Series, 2)
	assert.Equal(t, []float64{3, 4}, view.Chart.Series[0].Values[28:])
	assert.Equal(t, []float64{0, 7}, view.Chart.Series[1].Values[28:])
	assert.True(t, view.Chart.Partial)
	assert.Equal(t, []string{"today, so far", "4", "7", "200", "2"}, view.Table.Rows[0])
	assert.Equal(t, []string{"Nov 28", "3", "0", "50", "6"}, view.Table.Rows[1])
	assert.Equal(t, []string{"Nov 27", "0", "0", "not known", "not known"}, view.Table.Rows[2])

	per := view.perHundred(seen, since)
	assert.Equal(t, []string{"Nov 28", "today, so far"}, per.Chart.Labels)
	assert.Equal(t, []float64{6, 2}, per.Chart.Series[0].Values)
	assert.Equal(t, []float64{3, 4}, view.Chart.Series[0].Values[28:], "the other view is not changed")
}

func TestSampleAt_LastUpToTime(t *testing.T) {
	from := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	samples := []store.Sample{{Time: from, Seen: 1}, {Time: from.Add(time.Hour), Seen: 2}}
	for minutes, want := range map[int]int{-1: 0, 0: 1, 59: 1, 60: 2, 600: 2} {
		sample, ok := sampleAt(samples, from.Add(time.Duration(minutes)*time.Minute))
		assert.Equal(t, minutes >= 0, ok)
		assert.Equal(t, want, sample.Seen, minutes)
	}
}

func TestPointsInTime_EndNow(t *testing.T) {
	from := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	times, labels := pointsInTime(from, from.Add(10*time.Hour+1))
	require.Len(t, times, chartPoints)
	assert.Equal(t, from.Add(10*time.Hour+1), times[chartPoints-1])
	assert.Equal(t, "10:00", labels[chartPoints-1])
	for _, span := range []time.Duration{time.Minute, 35 * time.Hour, 40 * time.Hour, 6 * 24 * time.Hour, 8 * 24 * time.Hour, 10*24*time.Hour - time.Hour, 30 * 24 * time.Hour} {
		_, labels := pointsInTime(from, from.Add(span))
		for _, label := range labels {
			assert.LessOrEqual(t, len(label), len("Mon 15:04"), "they do not fit on a phone")
		}
	}
	days := endsOfDays(from.AddDate(0, 0, -2), from.Add(time.Hour), 10)
	assert.Equal(t, []time.Time{from.Add(time.Hour), from.Add(-time.Second), from.AddDate(0, 0, -1).Add(-time.Second)}, days)
	assert.Equal(t, "not known", percentOrUnknown(math.NaN()))
}

func TestFunctions_Texts(t *testing.T) {
	assert.Equal(t, "1\u202f234\u202f567", number(1234567))
	assert.Equal(t, "-1\u202f000", number(-1000))
	assert.Equal(t, "999", number(999))
	for d, want := range map[time.Duration]string{
		0: "just now", 2 * time.Millisecond: "just now", 90 * time.Second: "1 min ago", 2 * time.Minute: "2 min ago", -time.Hour: "in 1 h", -time.Second: "just now", 50 * time.Hour: "2 days ago",
	} {
		assert.Equal(t, want, ago(d))
	}
	for v, want := range map[float64]string{0: "0", 0.256: "0.26", 3: "3", 8.66: "8.7", 123.4: "123", 12345: "12\u202f345"} {
		assert.Equal(t, want, decimal(v))
	}
	assert.Equal(t, "1 device", plural(1, "device"))
	assert.Equal(t, "2 devices", plural(2, "device"))
	assert.Equal(t, "s1", chart.Color(7))
}

func TestExplain_EachKind(t *testing.T) {
	s := &Server{Options: Options{Project: memfault.ProjectRef{Organization: "acme", Project: "sink"}}}
	assert.Empty(t, s.explain(nil))
	for want, err := range map[string]error{
		"cannot be reached": memfault.ErrNoAnswer, "does not permit": memfault.ErrForbidden, "lower -rate": memfault.ErrRateLimited, `slugs "acme" and "sink"`: memfault.ErrNotFound,
		"wrong slug": &memfault.Error{StatusCode: 500}, "disk full": errors.New("disk full"),
	} {
		assert.Contains(t, s.explain(err), want)
	}
}
