package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

var sink = memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path, sink)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func device(serial, cohort, version string, seen time.Time) memfault.Device {
	d := memfault.Device{DeviceSerial: serial, Cohort: memfault.CohortRef{Slug: cohort}, LastSeen: memfault.NewTimestamp(seen)}
	if version != "" {
		d.LastSeenSoftwareVersion = &memfault.SoftwareVersionRef{Version: version}
	}
	return d
}

func TestStore_ReopenedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a file, with?odd#name%41.db")
	s := open(t, path)
	at := time.UnixMilli(1_700_000_000_000)
	part := store.Part{Name: "issues", ReadAt: at, Requests: 3, Took: 250 * time.Millisecond}
	require.NoError(t, s.SavePart(t.Context(), part))
	require.NoError(t, store.SaveObjects(t.Context(), s, "issues", []memfault.Issue{{ID: 7, Title: "b"}, {ID: 3, Title: "a"}}))
	require.NoError(t, s.Close())
	require.FileExists(t, path)

	s = open(t, path)
	parts, err := s.Parts(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]store.Part{"issues": part}, parts)
	issues, err := store.Objects[memfault.Issue](t.Context(), s, "issues")
	require.NoError(t, err)
	require.Len(t, issues, 2)
	assert.Equal(t, "b", issues[0].Title)
}

func TestOpen_InvalidInput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	require.NoError(t, open(t, path).Close())
	_, err := store.Open(t.Context(), path, memfault.ProjectRef{Organization: "acme", Project: "other"})
	require.ErrorContains(t, err, "belongs to project acme/smart-sink")
	_, err = store.Open(t.Context(), t.TempDir(), sink)
	require.ErrorContains(t, err, "unable to open database file")

	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "PRAGMA user_version = 99")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = store.Open(t.Context(), path, sink)
	require.ErrorContains(t, err, "version 99 of the schema")
}

func TestDevices_Filter(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	now := time.UnixMilli(1_700_000_000_000)
	require.NoError(t, s.SaveDevices(t.Context(), 1, []memfault.Device{
		device("A_1", "beta", "1.0", now), device("AX1", "beta", "2.0", now.Add(-time.Hour)), device("%", "default", "", time.Time{}),
	}))
	for name, test := range map[string]struct {
		filter store.Filter
		want   []string
	}{
		"all":            {store.Filter{}, []string{"A_1", "AX1", "%"}},
		"underscore":     {store.Filter{Text: "a_"}, []string{"A_1"}},
		"percent":        {store.Filter{Text: "%"}, []string{"%"}},
		"backslash":      {store.Filter{Text: `\`}, nil},
		"cohort+version": {store.Filter{Cohort: "beta", Version: "2.0"}, []string{"AX1"}},
		"no version":     {store.Filter{NoVersion: true}, []string{"%"}},
		"unseen":         {store.Filter{UnseenSince: now.Add(-time.Minute)}, []string{"AX1", "%"}},
	} {
		t.Run(name, func(t *testing.T) {
			devices, total, err := s.Devices(t.Context(), test.filter, false, 10, 0)
			require.NoError(t, err)
			var serials []string
			for _, d := range devices {
				serials = append(serials, d.Serial)
			}
			assert.Equal(t, test.want, serials)
			assert.Equal(t, len(test.want), total)
		})
	}
	devices, _, err := s.Devices(t.Context(), store.Filter{}, true, 1, 1)
	require.NoError(t, err)
	assert.Equal(t, "AX1", devices[0].Serial)
	_, err = s.Device(t.Context(), "none")
	require.ErrorIs(t, err, sql.ErrNoRows)
}

func TestCounts_SeenAndRead(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	now := time.UnixMilli(1_700_000_000_000)
	hours := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Hour) }
	devices := map[string]memfault.Device{
		"A": device("A", "beta", "1.0", hours(1)), "B": device("B", "beta", "1.0", hours(30)), "C": device("C", "beta", "1.0", hours(1000)),
		"D": device("D", "beta", "", time.Time{}), "E": device("E", "default", "1.0", hours(2)),
	}
	for _, d := range devices {
		require.NoError(t, s.SaveDevices(t.Context(), 1, []memfault.Device{d}))
	}
	for _, serial := range []string{"A", "B"} {
		d, err := s.Device(t.Context(), serial)
		require.NoError(t, err)
		require.NoError(t, s.SaveReboots(t.Context(), d, []memfault.Reboot{{Reason: memfault.RebootReasonAssert, Time: memfault.NewTimestamp(hours(31))}}))
	}
	times := store.CountTimes{Seen: hours(24), Unseen: hours(7 * 24), Kept: hours(30 * 24)}
	counts, err := s.Counts(t.Context(), store.Filter{}, times)
	require.NoError(t, err)
	for i := range counts {
		counts[i].Hardware = ""
	}
	assert.Equal(t, []store.Count{
		{Cohort: "beta", Devices: 1, Unseen: 1},
		{Cohort: "beta", Version: "1.0", Devices: 3, Seen: 1, SeenRead: 1, Unseen: 1, Kept: 2, KeptRead: 2},
		{Cohort: "default", Version: "1.0", Devices: 1, Seen: 1, Kept: 1},
	}, counts)
	counts, err = s.Counts(t.Context(), store.Filter{Cohort: "default"}, times)
	require.NoError(t, err)
	assert.Len(t, counts, 1)

	// The reboots of a device that Memfault does not list any more have happened. If it returns, they do not
	// count again.
	require.NoError(t, s.RemoveUnlisted(t.Context(), 2))
	require.NoError(t, s.SaveDevices(t.Context(), 2, []memfault.Device{devices["A"]}))
	d, err := s.Device(t.Context(), "A")
	require.NoError(t, err)
	require.NoError(t, s.SaveReboots(t.Context(), d, []memfault.Reboot{{Reason: memfault.RebootReasonAssert, Time: memfault.NewTimestamp(hours(31))}}))
	days, err := s.RebootCounts(t.Context(), store.Filter{Cohort: "beta"}, time.Time{})
	require.NoError(t, err)
	require.Len(t, days, 1)
	assert.Equal(t, 2, days[0].Reboots)
}

func TestSamples_OverTime(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	at := time.UnixMilli(1_699_999_200_000) // a full hour
	for i := range 3 {
		require.NoError(t, s.SaveSample(t.Context(), at.Add(time.Duration(i)*time.Hour), []store.Count{
			{Cohort: "beta", Hardware: "evt", Version: "1.0", Devices: 4 - i, Seen: 2},
			{Cohort: "beta", Hardware: "dvt", Version: "2.0", Devices: i},
			{Cohort: "default", Hardware: "evt", Version: "2.0", Devices: 9, Seen: 7},
		}))
	}
	require.NoError(t, s.SaveSample(t.Context(), at, []store.Count{{Cohort: "beta", Version: "2.0", Devices: 0}}))
	samples, err := s.Samples(t.Context(), store.Filter{Cohort: "beta"}, time.Time{})
	require.NoError(t, err)
	assert.Equal(t, []store.Sample{
		{Time: at.Add(time.Hour), Devices: map[string]int{"1.0": 3, "2.0": 1}, Seen: 2}, {Time: at.Add(2 * time.Hour), Devices: map[string]int{"1.0": 2, "2.0": 2}, Seen: 2},
	}, samples)
	samples, err = s.Samples(t.Context(), store.Filter{Hardware: "evt"}, at.Add(2*time.Hour))
	require.NoError(t, err)
	require.Len(t, samples, 1)
	assert.Equal(t, 11, samples[0].Total())
	assert.Equal(t, 9, samples[0].Seen)
	numbers, err := s.VersionNumbers(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"1.0": 0, "2.0": 1}, numbers)

	require.NoError(t, s.SaveSample(t.Context(), at.Add(70*time.Minute), []store.Count{{Cohort: "beta", Version: "2.0", Devices: 1}}))
	require.NoError(t, s.RemoveSamples(t.Context(), at.Add(time.Hour), at.Add(90*time.Minute)))
	samples, err = s.Samples(t.Context(), store.Filter{}, time.Time{})
	require.NoError(t, err)
	require.Len(t, samples, 2, "one an hour")
	assert.Equal(t, at.Add(time.Hour), samples[0].Time)
}

func TestReboots_DeviceSeenMeanwhileStaysPending(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	now := time.UnixMilli(1_700_000_000_000)
	require.NoError(t, s.SaveDevices(t.Context(), 1, []memfault.Device{device("A", "beta", "1.0", now)}))
	pending, err := s.PendingReboots(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Len(t, pending, 1)
	require.NoError(t, s.SaveDevices(t.Context(), 1, []memfault.Device{device("A", "beta", "1.0", now.Add(time.Minute))}))
	reboots := []memfault.Reboot{{Reason: memfault.RebootReasonAssert, Time: memfault.NewTimestamp(now)}}
	for range 2 { // the same reboot is stored once
		require.NoError(t, s.SaveReboots(t.Context(), pending[0], reboots))
	}
	pending, err = s.PendingReboots(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Len(t, pending, 1)
	counts, err := s.RebootCounts(t.Context(), store.Filter{}, time.Time{})
	require.NoError(t, err)
	require.Len(t, counts, 1)
	assert.Equal(t, 1, counts[0].Reboots)
	require.NoError(t, s.SaveReboots(t.Context(), pending[0], nil))
	pending, err = s.PendingReboots(t.Context(), time.Time{})
	require.NoError(t, err)
	assert.Empty(t, pending)
}
