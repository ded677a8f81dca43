package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

var midnight = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func at(hours float64) time.Time { return midnight.Add(time.Duration(hours * float64(time.Hour))) }

func reboot(reason memfault.RebootReason, version string, hours float64) memfault.Reboot {
	r := memfault.Reboot{Reason: reason, Time: memfault.NewTimestamp(at(hours))}
	if version != "" {
		r.SoftwareVersion = &memfault.SoftwareVersionRef{Version: version}
	}
	return r
}

// report saves a device as it was seen at a time, and returns it as it is stored.
func report(t *testing.T, s *store.Store, version string, hours float64) store.Device {
	t.Helper()
	require.NoError(t, s.SaveDevices(t.Context(), 1, []memfault.Device{device("A", "beta", version, at(hours))}))
	d, err := s.Device(t.Context(), "A")
	require.NoError(t, err)
	return d
}

func rates(t *testing.T, s *store.Store, since time.Time) map[string]store.Rate {
	t.Helper()
	list, err := s.Rates(t.Context(), store.Filter{}, since)
	require.NoError(t, err)
	all := map[string]store.Rate{}
	for _, r := range list {
		r.Version, all[r.Version] = "", store.Rate{DeviceDays: r.DeviceDays, Errors: r.Errors}
	}
	return all
}

// The device runs 1.0 for 36 hours and 2.0 for 12. Each expected number is counted by hand.
func TestRates_OfOneDevice(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	for _, hours := range []float64{6, 18, 30, 42} {
		report(t, s, "1.0", hours)
	}
	d := report(t, s, "2.0", 54) // updated after the report of hour 42
	require.NoError(t, s.SaveReboots(t.Context(), d, []memfault.Reboot{
		reboot(memfault.RebootReasonAssert, "1.0", 3),            // before the device was seen: does not count
		reboot(memfault.RebootReasonAssert, "0.9", 4),            // nor does this
		reboot(memfault.RebootReasonAssert, "1.0", 7),            // 1.0
		reboot(memfault.RebootReasonLowPower, "1.0", 8),          // expected
		reboot(memfault.RebootReasonHardFault, "9.9", 31),        // seen with 1.0, whatever it reports
		reboot(memfault.RebootReasonSoftwareWatchdog, "1.0", 43), // between both reports: the reported one
		reboot(memfault.RebootReasonAssert, "2.0", 50),           // 2.0
		reboot(memfault.RebootReasonAssert, "", 51),              // 2.0, which the device was updated to
	}))
	assert.Equal(t, map[string]store.Rate{"1.0": {DeviceDays: 1.5, Errors: 3}, "2.0": {DeviceDays: 0.5, Errors: 2}}, rates(t, s, time.Time{}))
	assert.Equal(t, map[string]store.Rate{"1.0": {DeviceDays: 0.75, Errors: 2}, "2.0": {DeviceDays: 0.5, Errors: 2}}, rates(t, s, at(24)))

	for version, want := range map[string]int{"0.9": 0, "1.0": 1, "2.0": 1, "3.0": 0} {
		n, err := s.CrashedWith(t.Context(), store.Filter{Cohort: "beta"}, version, at(0))
		require.NoError(t, err)
		assert.Equal(t, want, n, version)
	}
	for hours, want := range map[float64]int{4: 1, 51: 1, 52: 0} {
		n, err := s.Crashed(t.Context(), store.Filter{Cohort: "beta"}, at(hours))
		require.NoError(t, err)
		assert.Equal(t, want, n, hours)
	}
	for version, want := range map[string]int{"1.0": 1, "2.0": 1, "3.0": 0} {
		n, err := s.CountRan(t.Context(), store.Filter{Cohort: "beta"}, version, at(4), 10)
		require.NoError(t, err)
		assert.Equal(t, want, n, version)
	}
	n, err := s.CountRan(t.Context(), store.Filter{}, "1.0", at(43), 10)
	require.NoError(t, err)
	assert.Zero(t, n)
}

// The time up to a report counts only when its reboots were read, and each of both only once.
func TestRates_CountOnlyWhatWasRead(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	report(t, s, "1.0", 1)
	d := report(t, s, "1.0", 7)
	assert.Empty(t, rates(t, s, time.Time{}))
	later := report(t, s, "1.0", 13)
	reboots := []memfault.Reboot{reboot(memfault.RebootReasonAssert, "1.0", 2)}
	require.NoError(t, s.SaveReboots(t.Context(), d, reboots))
	assert.Equal(t, map[string]store.Rate{"1.0": {DeviceDays: 0.25, Errors: 1}}, rates(t, s, time.Time{}))
	for range 2 {
		require.NoError(t, s.SaveReboots(t.Context(), later, reboots))
		assert.Equal(t, map[string]store.Rate{"1.0": {DeviceDays: 0.5, Errors: 1}}, rates(t, s, time.Time{}))
	}
	// A reboot that arrives late counts when it arrives.
	last := report(t, s, "1.0", 19)
	require.NoError(t, s.SaveReboots(t.Context(), last, []memfault.Reboot{reboot(memfault.RebootReasonAssert, "1.0", 3)}))
	assert.Equal(t, map[string]store.Rate{"1.0": {DeviceDays: 0.75, Errors: 2}}, rates(t, s, time.Time{}))
}

// Nobody knows what a device did in a long gap, so neither its time nor its reboots count.
func TestRates_GapDoesNotCount(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	report(t, s, "1.0", 0.5)
	report(t, s, "1.0", 12.5)
	report(t, s, "1.0", 12.5+36.5)
	d := report(t, s, "1.0", 61)
	require.NoError(t, s.SaveReboots(t.Context(), d, []memfault.Reboot{
		reboot(memfault.RebootReasonAssert, "1.0", 30), reboot(memfault.RebootReasonAssert, "1.0", 60),
	}))
	assert.Equal(t, map[string]store.Rate{"1.0": {DeviceDays: 1, Errors: 1}}, rates(t, s, time.Time{}))
	require.NoError(t, s.RemoveReboots(t.Context(), at(48)))
	assert.Equal(t, map[string]store.Rate{"1.0": {DeviceDays: 0.5, Errors: 1}}, rates(t, s, time.Time{}))
	require.NoError(t, s.RemoveUnlisted(t.Context(), 2))
	n, err := s.CountRan(t.Context(), store.Filter{}, "1.0", time.Time{}, 10)
	require.NoError(t, err)
	assert.Zero(t, n)
}

func TestTraces_Counts(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	report(t, s, "1.0", 1)
	trace := func(id, issue int64, serial, version string, hours float64) memfault.Trace {
		return memfault.Trace{ID: id, IssueID: issue, Device: memfault.DeviceRef{DeviceSerial: serial}, Release: memfault.ReleaseRef{Version: version}, ReceivedDate: memfault.NewTimestamp(at(hours))}
	}
	traces := []memfault.Trace{trace(1, 7, "A", "1.0", 1), trace(2, 7, "A", "1.0", 30), trace(3, 7, "B", "2.0", 31), trace(4, 8, "B", "2.0", 2)}
	for _, want := range []int{4, 0} {
		added, err := s.SaveTraces(t.Context(), traces)
		require.NoError(t, err)
		assert.Equal(t, want, added)
	}
	counts, err := s.TraceCounts(t.Context(), store.Filter{}, at(24))
	require.NoError(t, err)
	require.Len(t, counts, 3)
	assert.Equal(t, store.TraceCount{Issue: 7, Version: "1.0", Traces: 2, Recent: 1, First: at(1).Local()}, counts[0])
	counts, err = s.TraceCounts(t.Context(), store.Filter{Cohort: "beta", Version: "1.0"}, at(24))
	require.NoError(t, err)
	require.Len(t, counts, 1)
	require.NoError(t, s.RemoveTraces(t.Context(), at(2), 2))
	first, err := s.FirstTrace(t.Context())
	require.NoError(t, err)
	assert.Equal(t, at(30), first.UTC())
}
