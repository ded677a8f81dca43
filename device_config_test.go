package memfault_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

var sinkTraits = memfault.DeviceIdentity{DeviceSerial: "A", HardwareVersion: "evt-1", SoftwareVersion: "1.0.0", SoftwareType: "main"}

// newKeyCloud is like newCloud, but its client uses the project key.
func newKeyCloud(t testing.TB) (*memfaulttest.Server, *memfault.Client) {
	t.Helper()
	cloud, client := newCloud(t)
	return cloud, client.WithAuth(memfault.ProjectKey(projectKey))
}

func TestDeviceConfigFetch_ReturnsConfig(t *testing.T) {
	_, client := newKeyCloud(t)
	config, err := client.DeviceConfig.Fetch(t.Context(), sinkTraits)
	require.NoError(t, err)
	assert.Equal(t, memfault.SamplingResolutionLow, config.Config.Memfault.Sampling.Logging)
	assert.Equal(t, memfault.SamplingResolutionNormal, config.Config.Memfault.Sampling.Debugging)
	assert.Equal(t, int64(1), config.Revision)
	assert.Nil(t, config.Completed)
	assert.Zero(t, config.Config.Memfault.DataUploadStartDate)

	_, err = client.DeviceConfig.Fetch(t.Context(), memfault.DeviceIdentity{DeviceSerial: "A"})
	assert.NotEmpty(t, requireError(t, err, http.StatusBadRequest).Details)
	_, err = client.WithAuth(memfault.ProjectKey("wrong")).DeviceConfig.Fetch(t.Context(), sinkTraits)
	require.ErrorIs(t, err, memfault.ErrForbidden)
}

func TestDeviceConfig_RoundTrip(t *testing.T) {
	config := requireRoundTrip[memfault.DeviceConfig](t, `{"config":{"memfault":{"sampling":{"debugging.resolution":"high","logging.resolution":"off",
		"monitoring.resolution":"ultra"},"data_upload_start_date":"2025-02-27T12:00:00Z","bort":{"sdk-settings":{"a":1}}}},"revision":3,"completed":2}`)
	assert.Equal(t, memfault.SamplingResolutionHigh, config.Config.Memfault.Sampling.Debugging)
	assert.Equal(t, memfault.SamplingResolution("ultra"), config.Config.Memfault.Sampling.Monitoring)
	assert.Equal(t, noon, config.Config.Memfault.DataUploadStartDate.Time)
	requireRoundTrip[memfault.DeviceConfig](t, `{"config":{"memfault":{"sampling":{},"data_upload_start_date":null}},"revision":0,"completed":null}`)
	requireRoundTrip[memfault.DeviceIdentity](t, `{"device_serial":"A","hardware_version":"evt-1","software_version":"1.0.0"}`)
}

func TestDeviceConfigFetch_IgnoresUnknownFields(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data":{"config":{"memfault":{"sampling":{"debugging.resolution":"low","x":1},"y":[]},"other":{}},"revision":3,"z":null},"more":1}`))
	})
	config, err := client.WithAuth(memfault.ProjectKey("key")).DeviceConfig.Fetch(t.Context(), sinkTraits)
	require.NoError(t, err)
	assert.Equal(t, memfault.SamplingResolutionLow, config.Config.Memfault.Sampling.Debugging)
	assert.Equal(t, int64(3), config.Revision)
}

func TestSDKSettings_ReturnsJSON(t *testing.T) {
	cloud, client := newKeyCloud(t)
	cloud.SetSDKSettings(map[string]any{"anything": []int{1}})
	settings, err := client.DeviceConfig.SDKSettings(t.Context(), "main+x")
	require.NoError(t, err)
	assert.JSONEq(t, `{"anything":[1]}`, string(settings))
	assert.Equal(t, "/api/v0/sdk-settings", cloud.Requests("sdk_settings.get")[0].Path)
	assert.Equal(t, url.Values{"software_type": {"main+x"}}, cloud.Requests("sdk_settings.get")[0].Query)

	_, err = client.WithAuth(memfault.ProjectKey("wrong")).DeviceConfig.SDKSettings(t.Context(), "main")
	require.ErrorIs(t, err, memfault.ErrUnauthorized)
}

func TestDeviceConfigUpdateAttributes_SetsAttributes(t *testing.T) {
	cloud, client := newKeyCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A +1"})
	ctx := t.Context()
	require.NoError(t, client.DeviceConfig.UpdateAttributes(ctx, "A +1", []memfault.AttributeValue{{StringKey: "region", Value: "eu"}}))
	console := client.WithAuth(memfault.OrganizationToken(organizationToken))
	attributes, err := console.Devices.ListAttributes(sink, "A +1", memfault.DeviceAttributeListOptions{}).Collect(ctx)
	require.NoError(t, err)
	require.Len(t, attributes, 1)
	assert.JSONEq(t, `"eu"`, string(attributes[0].State.Value))

	require.NoError(t, client.DeviceConfig.UpdateAttributes(ctx, "A +1", nil), "nil must be sent as an empty list")
	err = client.DeviceConfig.UpdateAttributes(ctx, "A +1", []memfault.AttributeValue{{StringKey: "region", Value: []int{1}}})
	assert.NotEmpty(t, requireError(t, err, http.StatusBadRequest).Details)
	require.ErrorIs(t, client.DeviceConfig.UpdateAttributes(ctx, "B", nil), memfault.ErrNotFound)
	err = client.WithAuth(memfault.ProjectKey("wrong")).DeviceConfig.UpdateAttributes(ctx, "A +1", nil)
	require.ErrorIs(t, err, memfault.ErrForbidden)
}

func TestDeviceConfig_InvalidInput(t *testing.T) {
	cloud, client := newKeyCloud(t)
	_, err := client.DeviceConfig.SDKSettings(t.Context(), "")
	requireUnsent(t, cloud, err, "SDKSettings: software type must not be empty")
	requireUnsent(t, cloud, client.DeviceConfig.UpdateAttributes(t.Context(), "", nil), "UpdateAttributes: device serial must not be empty")

	console := client.WithAuth(memfault.OrganizationToken(organizationToken)).DeviceConfig
	_, fetchErr := console.Fetch(t.Context(), sinkTraits)
	_, settingsErr := console.SDKSettings(t.Context(), "main")
	for _, err := range []error{fetchErr, settingsErr, console.UpdateAttributes(t.Context(), "A", nil)} {
		require.ErrorIs(t, err, memfault.ErrWrongCredential)
	}
	require.Empty(t, cloud.Requests(""))
}

func ExampleDeviceConfigService_Fetch() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	device := client.WithAuth(memfault.ProjectKey(cloud.ProjectKey()))
	config, err := device.DeviceConfig.Fetch(context.Background(), memfault.DeviceIdentity{
		DeviceSerial: "ABCD1234", HardwareVersion: "evt-1", SoftwareVersion: "1.0.0", SoftwareType: "main",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(config.Revision, config.Config.Memfault.Sampling.Logging)
	// Output:
	// 1 low
}
