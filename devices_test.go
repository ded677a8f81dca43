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

func TestDevices_Lifecycle(t *testing.T) {
	_, client := newCloud(t)
	ctx := t.Context()

	created, err := client.Devices.Create(ctx, sink, memfault.DeviceCreate{DeviceSerial: "A-1_x", HardwareVersion: "evt-1"})
	require.NoError(t, err)
	assert.Equal(t, "A-1_x", created.DeviceSerial, "the serial must be kept")
	assert.Equal(t, "default", created.Cohort.Slug)
	assert.Equal(t, "evt-1", created.HardwareVersion.Name)
	assert.Zero(t, created.LastSeen)
	assert.Nil(t, created.LastSeenSoftwareVersion)

	_, err = client.Devices.Create(ctx, sink, memfault.DeviceCreate{DeviceSerial: "A-1_x", HardwareVersion: "evt-1"})
	require.ErrorIs(t, err, memfault.ErrConflict)

	updated, err := client.Devices.Update(ctx, sink, "A-1_x", memfault.DeviceUpdate{Nickname: memfault.Set("Küche"), ServerSideDeveloperMode: memfault.Set(true)})
	require.NoError(t, err)
	assert.Equal(t, "Küche", updated.Nickname)
	assert.True(t, updated.ServerSideDeveloperMode)

	_, err = client.Devices.Update(ctx, sink, "A-1_x", memfault.DeviceUpdate{HardwareVersion: memfault.Set("nope")})
	apiError := requireError(t, err, http.StatusNotFound)
	assert.Equal(t, 1003, apiError.Code)
	assert.Contains(t, apiError.Message, "HardwareVersion with name `nope` not found")

	require.NoError(t, client.Devices.Delete(ctx, sink, "A-1_x"))
	_, err = client.Devices.Get(ctx, sink, "A-1_x")
	require.ErrorIs(t, err, memfault.ErrNotFound)
	require.ErrorIs(t, client.Devices.Delete(ctx, sink, "A-1_x"), memfault.ErrNotFound)
}

func TestDevicesDelete_KeepsDataUnderOtherSerial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
		cloud.AddDevices(memfaulttest.Device{Serial: "A", Cohort: "beta"})
		before, err := client.Devices.Get(t.Context(), sink, "A")
		require.NoError(t, err)
		require.NoError(t, client.Devices.Delete(t.Context(), sink, "A"))
		left, err := client.Devices.List(sink, memfault.DeviceListOptions{}).Collect(t.Context())
		require.NoError(t, err)
		assert.Empty(t, left)

		kept, err := client.Devices.Get(t.Context(), sink, fmt.Sprintf("A_%d", time.Now().Unix()))
		require.NoError(t, err)
		assert.Equal(t, before.ID, kept.ID)
		again, err := client.Devices.Create(t.Context(), sink, memfault.DeviceCreate{DeviceSerial: "A", HardwareVersion: "evt-1"})
		require.NoError(t, err, "the serial must be free again")
		assert.NotEqual(t, before.ID, again.ID)
	})
}

func TestDeviceUpdate_EncodesOnlySetFields(t *testing.T) {
	body, err := json.Marshal(memfault.DeviceUpdate{Cohort: memfault.Set("beta"), Release: memfault.Null[string](), Nickname: memfault.Set("")})
	require.NoError(t, err)
	assert.JSONEq(t, `{"cohort":"beta","release":null,"nickname":""}`, string(body))
}

func TestDevicesList_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	now := time.Now()
	cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "dvt-2"}, memfaulttest.HardwareVersion{Name: "pvt-3"})
	cloud.AddDevices(
		memfaulttest.Device{Serial: "old", LastSeen: now.Add(-48 * time.Hour), HardwareVersion: "evt-1", SoftwareVersion: "1.0.0+8219de"},
		memfaulttest.Device{Serial: "new", LastSeen: now.Add(-time.Hour), HardwareVersion: "dvt-2", SoftwareVersion: "2.0.0"},
		memfaulttest.Device{Serial: "mid", LastSeen: now.Add(-24 * time.Hour), HardwareVersion: "pvt-3", SoftwareVersion: "2.0.0"},
	)
	for name, c := range map[string]struct {
		options memfault.DeviceListOptions
		want    []string
	}{
		"all":       {memfault.DeviceListOptions{}, []string{"old", "new", "mid"}},
		"since":     {memfault.DeviceListOptions{LastSeenSince: memfault.NewTimestamp(now.Add(-30 * time.Hour))}, []string{"new", "mid"}},
		"until":     {memfault.DeviceListOptions{LastSeenUntil: memfault.NewTimestamp(now.Add(-30 * time.Hour))}, []string{"old"}},
		"hardware":  {memfault.DeviceListOptions{HardwareVersion: []string{"evt-1", "pvt-3"}}, []string{"old", "mid"}},
		"release":   {memfault.DeviceListOptions{Release: []string{"1.0.0+8219de"}}, []string{"old"}},
		"ascending": {memfault.DeviceListOptions{ListOptions: memfault.ListOptions{Sort: memfault.SortLastSeen}}, []string{"old", "mid", "new"}},
		"newest":    {memfault.DeviceListOptions{ListOptions: memfault.ListOptions{Sort: memfault.Descending(memfault.SortLastSeen)}}, []string{"new", "mid", "old"}},
	} {
		t.Run(name, func(t *testing.T) {
			devices, err := client.Devices.List(sink, c.options).Collect(t.Context())
			require.NoError(t, err)
			var serials []string
			for _, d := range devices {
				serials = append(serials, d.DeviceSerial)
			}
			assert.Equal(t, c.want, serials)
		})
	}
}

func TestDevicesCreate_Accepted(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://api.memfault.com/api/v0/queue/6b0f")
		w.WriteHeader(http.StatusAccepted)
	})
	var response memfault.Response
	device, err := client.Devices.Create(t.Context(), sink, memfault.DeviceCreate{DeviceSerial: "A", HardwareVersion: "evt-1", Cohort: "beta"}, memfault.WithResponse(&response))
	require.NoError(t, err)
	assert.Equal(t, "A", device.DeviceSerial)
	assert.Equal(t, "beta", device.Cohort.Slug)
	assert.Equal(t, http.StatusAccepted, response.StatusCode)
	assert.NotEmpty(t, response.Header.Get("Location"))
}

func TestDevice_OldAndNewForms(t *testing.T) {
	var old, recent memfault.Device
	require.NoError(t, json.Unmarshal([]byte(`{"device_serial":"A","hardware_version":"evt-1","cohort":"default","last_seen":null,
		"last_seen_release":{"id":1,"version":"1.0.0","revision":""},"fleet_sampling_configuration":7,"unknown":[1]}`), &old))
	require.NoError(t, json.Unmarshal([]byte(`{"device_serial":"A","hardware_version":{"name":"evt-1"},"cohort":{"id":3,"name":"Default","slug":"default"},
		"last_seen":"2022-06-19T14:52:38.794000+00:00","fleet_sampling_configuration":{"id":7},"debugging_resolution":"ultra"}`), &recent))
	for _, d := range []memfault.Device{old, recent} {
		assert.Equal(t, "evt-1", d.HardwareVersion.Name)
		assert.Equal(t, "default", d.Cohort.Slug)
		require.NotNil(t, d.FleetSamplingConfiguration)
		assert.Equal(t, int64(7), d.FleetSamplingConfiguration.ID)
	}
	assert.Equal(t, memfault.SamplingResolution("ultra"), recent.DebuggingResolution, "an unknown value must be kept")
	again, err := json.Marshal(old)
	require.NoError(t, err)
	assert.Contains(t, string(again), `"hardware_version":"evt-1"`)
	assert.Contains(t, string(again), `"fleet_sampling_configuration":7`)
}

func TestDeviceAttributes_UpdateAndList(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A"})
	ctx := t.Context()
	require.NoError(t, client.Devices.UpdateAttributes(ctx, sink, "A", []memfault.AttributeValue{
		{StringKey: "region", Value: "eu"}, {StringKey: "taps", Value: 3}, {StringKey: "leaky", Value: true},
	}))
	attributes, err := client.Devices.ListAttributes(sink, "A", memfault.DeviceAttributeListOptions{Query: "*a*"}).Collect(ctx)
	require.NoError(t, err)
	require.Len(t, attributes, 2)
	assert.Equal(t, "taps", attributes[0].CustomMetric.StringKey)
	assert.Equal(t, memfault.DataTypeInt, attributes[0].CustomMetric.DataType)
	assert.JSONEq(t, "3", string(attributes[0].State.Value))
	assert.Equal(t, "leaky", attributes[1].CustomMetric.StringKey)

	err = client.Devices.UpdateAttributes(ctx, sink, "A", []memfault.AttributeValue{{StringKey: "region", Value: []int{1}}})
	assert.NotEmpty(t, requireError(t, err, http.StatusBadRequest).Details)
	require.ErrorIs(t, client.Devices.UpdateAttributes(ctx, sink, "B", nil), memfault.ErrNotFound)
}

func TestDeviceAttribute_ThreeForms(t *testing.T) {
	for _, text := range []string{
		`{"custom_metric":{"string_key":"region"},"state":null}`,
		`{"metric_config":{"string_key":"region"},"state":null}`,
		`{"string_key":"region"}`,
	} {
		var attribute memfault.DeviceAttribute
		require.NoError(t, json.Unmarshal([]byte(text), &attribute), text)
		assert.Equal(t, "region", attribute.CustomMetric.StringKey, text)
		assert.Nil(t, attribute.State, text)
	}
}

func TestDevices_RebootsAndLogFiles(t *testing.T) {
	cloud, client := newCloud(t)
	at := time.Date(2025, 2, 27, 12, 0, 0, 0, time.UTC)
	cloud.AddDevices(memfaulttest.Device{Serial: "A", LogFiles: []memfaulttest.LogFile{{ID: "c1"}, {ID: "c2"}}, SoftwareVersion: "1.0.0", Reboots: []memfaulttest.Reboot{
		{Reason: 0x0002, Time: at}, {Reason: 0x8001, Time: at.Add(time.Hour)}, {Reason: 0x9302, Time: at.Add(-time.Hour)},
	}})
	reboots, err := client.Devices.ListReboots(sink, "A", memfault.RebootListOptions{Since: memfault.NewTimestamp(at)}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, reboots, 2)
	assert.Equal(t, memfault.RebootReasonAssert, reboots[0].Reason, "the newest must come first")
	assert.True(t, reboots[0].Reason.IsError())
	assert.Equal(t, at, reboots[1].Time.Time)
	assert.Equal(t, "1.0.0", reboots[1].SoftwareVersion.Version)

	files, err := client.Devices.ListLogFiles(sink, "A", memfault.LogFileListOptions{Limit: 5}).Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []memfault.LogFile{{CID: "c1"}, {CID: "c2"}}, files)
	assert.Equal(t, "5", cloud.Requests("device_log_files.list")[0].Query.Get("limit"))
}

func ExampleDevicesService_List_wholeFleet() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234", Cohort: "beta"}, memfaulttest.Device{Serial: "ABCD1235"})
	client := cloud.Client(nil)

	for device, err := range client.Devices.List(cloud.Project(), memfault.DeviceListOptions{}).Prefetch(8).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(device.DeviceSerial, device.Cohort.Slug)
	}
	// Output:
	// ABCD1234 beta
	// ABCD1235 default
}
