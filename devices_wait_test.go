package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
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
		require.ErrorContains(t, err, "version 2.0.0 on device never")

		cloud.Report("A", "1.0.0")
		cloud.Fail(memfaulttest.Fault{Skip: 1, Status: http.StatusForbidden})
		_, err = client.Devices.WaitForVersion(t.Context(), sink, "A", "2.0.0", memfault.WaitOptions{})
		require.ErrorIs(t, err, memfault.ErrForbidden)
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

func TestDeviceHelpers_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Devices.WaitForVersion(t.Context(), sink, "A", "", memfault.WaitOptions{})
	requireUnsent(t, cloud, err, "WaitForVersion: version must not be empty")
	_, err = client.Devices.WaitForVersion(t.Context(), sink, "", "1.0.0", memfault.WaitOptions{})
	requireUnsent(t, cloud, err, "device_serial must not be empty")
	_, err = client.Devices.Ensure(t.Context(), memfault.ProjectRef{}, memfault.DeviceCreate{})
	requireUnsent(t, cloud, err, "organization_slug must not be empty")
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		_, err := client.Devices.WaitForVersion(t.Context(), project, "A", "1.0.0", memfault.WaitOptions{}, opts...)
		return err
	})
}

func ExampleDevicesService_WaitForVersion() {
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
