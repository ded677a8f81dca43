package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestDevicesEnsure_ReturnsExistingDevice(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddDevices(memfaulttest.Device{Serial: "there", Cohort: "beta"})
	ctx := t.Context()
	create := memfault.DeviceCreate{DeviceSerial: "new", HardwareVersion: "evt-1", Cohort: "beta"}
	made, err := client.Devices.Ensure(ctx, sink, create)
	require.NoError(t, err)
	assert.Equal(t, "beta", made.Cohort.Slug)
	again, err := client.Devices.Ensure(ctx, sink, create)
	require.NoError(t, err)
	assert.Equal(t, made.ID, again.ID)

	existing, err := client.Devices.Ensure(ctx, sink, memfault.DeviceCreate{DeviceSerial: "there", HardwareVersion: "evt-1", Cohort: "default"})
	require.NoError(t, err)
	assert.Equal(t, "beta", existing.Cohort.Slug, "an existing device must not be moved")
	assert.Empty(t, cloud.Requests("devices.update"))

	_, err = client.Devices.Ensure(ctx, sink, memfault.DeviceCreate{DeviceSerial: "other", HardwareVersion: "nope"})
	assert.Contains(t, requireError(t, err, http.StatusNotFound).Message, "nope")
	assert.Len(t, cloud.Requests("devices.retrieve"), 2)
}

func TestWaitForVersion_PollsUntilReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		start := time.Now()
		time.AfterFunc(time.Second, func() { cloud.AddDevices(memfaulttest.Device{Serial: "A"}) })
		time.AfterFunc(5*time.Second, func() { cloud.Report("A", "1.0.0") })
		time.AfterFunc(10*time.Second, func() { cloud.Report("A", "2.0.0") })
		options := memfault.WaitOptions{MinInterval: 2 * time.Second, MaxInterval: 3 * time.Second}
		device, err := client.Devices.WaitForVersion(t.Context(), sink, "A", "2.0.0", options)
		require.NoError(t, err)
		assert.Equal(t, "2.0.0", device.LastSeenSoftwareVersion.Version)
		assert.Equal(t, 11*time.Second, time.Since(start))

		_, err = client.Devices.WaitForVersion(t.Context(), sink, "A", "2.0.0", options)
		require.NoError(t, err)
		assert.Equal(t, 11*time.Second, time.Since(start), "a version that was reported before must end the wait immediately")
	})
}

func TestWaitForVersion_EndsWithContextOrError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := client.Devices.WaitForVersion(ctx, sink, "never", "2.0.0", memfault.WaitOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		require.EqualError(t, err, "memfault: waiting for version 2.0.0 on device never: last state: 0 devices: context deadline exceeded")

		cloud.Report("A", "1.0.0")
		cloud.Fail(memfaulttest.Fault{Skip: 1, Status: http.StatusForbidden})
		_, err = client.Devices.WaitForVersion(t.Context(), sink, "A", "2.0.0", memfault.WaitOptions{})
		require.ErrorIs(t, err, memfault.ErrForbidden)
		require.NotErrorIs(t, err, memfault.ErrNoAnswer)
		require.ErrorContains(t, err, "memfault: waiting for version 2.0.0 on device A: last state: 1 device: 1 with 1.0.0: devices.retrieve: 403 Forbidden")
		var wait *memfault.VersionWaitError
		require.ErrorAs(t, err, &wait)
		assert.Equal(t, "2.0.0", wait.Version)
		assert.Equal(t, memfault.VersionCounts{Devices: 1, ByVersion: map[string]int{"1.0.0": 1}}, wait.Last)
		assert.Equal(t, 1, wait.Polls)

		_, err = client.Devices.WaitForVersion(t.Context(), sink, "A", "2.0.0", memfault.WaitOptions{})
		require.ErrorContains(t, err, "on device A: no poll succeeded: devices.retrieve: 403")
	})
}

func TestWaitForVersion_OlderForm(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		reply := map[string]any{"data": map[string]any{"device_serial": "A", "last_seen_release": map[string]any{"version": "1.0.0"}}}
		_ = json.NewEncoder(w).Encode(reply)
	})
	_, err := client.Devices.WaitForVersion(t.Context(), sink, "A", "1.0.0", memfault.WaitOptions{})
	require.NoError(t, err)
}

func TestWaitForVersion_BothForms(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"device_serial":"A","last_seen_release":{"version":"1.0.0"},"last_seen_software_version":{"version":"2.0.0"}}}`)
	})
	for _, version := range []string{"1.0.0", "2.0.0"} {
		_, err := client.Devices.WaitForVersion(t.Context(), sink, "A", version, memfault.WaitOptions{})
		require.NoError(t, err)
	}
}

func TestVersionCounts_String(t *testing.T) {
	many := memfault.VersionCounts{Devices: 100, ByVersion: map[string]int{}}
	for i := range 15 {
		many.ByVersion[fmt.Sprintf("%02d", i)] = 1
	}
	many.ByVersion[""], many.ByVersion["b"] = 7, 9
	for want, counts := range map[string]memfault.VersionCounts{
		"0 devices": {},
		"6 devices: 3 with 2.0.0, 2 with 1.0.0, 1 with no version": {Devices: 6, ByVersion: map[string]int{"1.0.0": 2, "2.0.0": 3, "": 1}},
		"100 devices: 9 with b, 7 with no version, 1 with 00, 1 with 01, 1 with 02, 1 with 03, 1 with 04, 1 with 05, 1 with 06, 1 with 07, others with 7 more versions": many,
	} {
		assert.Equal(t, want, counts.String())
	}
}

func TestDeviceHelpers_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Devices.WaitForVersion(t.Context(), sink, "A", "", memfault.WaitOptions{})
	requireUnsent(t, cloud, err, "WaitForVersion: version must not be empty")
	_, err = client.Devices.WaitForVersion(t.Context(), sink, "", "1.0.0", memfault.WaitOptions{})
	requireUnsent(t, cloud, err, "device_serial must not be empty")
	_, err = client.Devices.Ensure(t.Context(), memfault.ProjectRef{}, memfault.DeviceCreate{})
	requireUnsent(t, cloud, err, "organization_slug must not be empty")
}

// A wrong slug may be a 500, which is temporary: only OnError shows it before ctx ends.
func TestWaitForVersion_WrongSlug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newCloudInBubble(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var seen error
		_, err := client.Devices.WaitForVersion(ctx, memfault.ProjectRef{Organization: "acme", Project: "no-such"}, "A", "1.0.0",
			memfault.WaitOptions{OnError: func(err error) { seen = err }})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "if the organization or project slug does not exist")
		require.ErrorContains(t, seen, "500")
	})
}

func ExampleDevicesService_WaitForVersion_afterUpdate() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = client.Devices.Ensure(ctx, cloud.Project(), memfault.DeviceCreate{DeviceSerial: "ABCD1234", HardwareVersion: "evt-1"})
	if err != nil {
		log.Fatal(err)
	}
	cloud.Report("ABCD1234", "2.0.0") // in reality, the device reports it
	device, err := client.Devices.WaitForVersion(ctx, cloud.Project(), "ABCD1234", "2.0.0", memfault.WaitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(device.DeviceSerial, "runs", device.LastSeenSoftwareVersion.Version)
	// Output:
	// ABCD1234 runs 2.0.0
}
