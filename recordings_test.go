package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestRecordings_Lists(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "C"})
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	var ids []string
	for _, id := range cloud.AddRecordings(
		memfaulttest.Recording{DeviceSerial: "A", Reason: "crash", Start: hour(0), End: hour(1), MIMETypes: []string{"application/cbor"}, Size: 12},
		memfaulttest.Recording{DeviceSerial: "A", Reason: "timer", Start: hour(2), End: hour(3)},
		memfaulttest.Recording{DeviceSerial: "B", Reason: "timer", Start: hour(4), End: hour(5)},
	) {
		ids = append(ids, fmt.Sprint(id))
	}
	paged := memfault.ListOptions{PerPage: 1}
	for name, c := range map[string]struct {
		pager *memfault.Pager[memfault.CustomDataRecording]
		want  []string
	}{
		"all":    {client.Recordings.List(sink, memfault.RecordingListOptions{ListOptions: paged}), ids},
		"reason": {client.Recordings.List(sink, memfault.RecordingListOptions{ListOptions: paged, CollectionReason: "timer"}), ids[1:]},
		"device": {client.Recordings.ListForDevice(sink, "A", memfault.DeviceRecordingListOptions{ListOptions: paged}), ids[:2]},
		"since":  {client.Recordings.ListForDevice(sink, "A", memfault.DeviceRecordingListOptions{StartTime: memfault.NewTimestamp(hour(1))}), ids[1:2]},
		"until":  {client.Recordings.ListForDevice(sink, "A", memfault.DeviceRecordingListOptions{EndTime: memfault.NewTimestamp(hour(1))}), ids[:1]},
		"none":   {client.Recordings.ListForDevice(sink, "C", memfault.DeviceRecordingListOptions{}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			recordings, err := c.pager.Collect(t.Context())
			require.NoError(t, err)
			var got []string
			for _, r := range recordings {
				got = append(got, r.ID)
			}
			assert.Equal(t, c.want, got)
		})
	}
	page, err := client.Recordings.List(sink, memfault.RecordingListOptions{}).Page(t.Context())
	require.NoError(t, err)
	first := page.Items[0]
	assert.Equal(t, "A", first.DeviceSerial())
	assert.Equal(t, hour(1), first.EndTime.Time)
	assert.Equal(t, []string{"application/cbor"}, first.MIMETypes)
	assert.Equal(t, int64(12), first.SizeBytes)
	require.ErrorIs(t, failing(client.Recordings.ListForDevice(sink, "nope", memfault.DeviceRecordingListOptions{})), memfault.ErrNotFound)
}

func TestRecordings_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	requireUnsent(t, cloud, failing(client.Recordings.ListForDevice(sink, "", memfault.DeviceRecordingListOptions{})), "device_serial must not be empty")
	requireUnsent(t, cloud, failing(client.Recordings.List(memfault.ProjectRef{}, memfault.RecordingListOptions{})), "organization_slug must not be empty")
	byKey := client.WithAuth(memfault.ProjectKey(projectKey))
	require.ErrorIs(t, failing(byKey.Recordings.List(sink, memfault.RecordingListOptions{})), memfault.ErrWrongCredential)
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		return failing(client.Recordings.List(project, memfault.RecordingListOptions{}, opts...))
	})
}

func TestCustomDataRecording_RoundTrip(t *testing.T) {
	for text, want := range map[string][2]string{
		`{"id":12,"device":{"device_serial":"A","id":1}}`:                              {"12", "A"},
		`{"id":9007199254740993,"device":"A"}`:                                         {"9007199254740993", "A"},
		`{"id":"12","device":null}`:                                                    {"12", ""},
		`{"id":"5c1f-é","device":7}`:                                                   {"5c1f-é", ""},
		`{"id":1,"reason":"r","start_time":"2025-02-27T12:00:00Z","size_bytes":3}`:     {"1", ""},
		`{"id":1,"end_time":null,"mimetypes":["a/b"],"device":{"hardware_version":1}}`: {"1", ""},
	} {
		recording := requireRoundTrip[memfault.CustomDataRecording](t, text)
		assert.Equal(t, want, [2]string{recording.ID, recording.DeviceSerial()}, text)
	}
	again, err := json.Marshal(requireRoundTrip[memfault.CustomDataRecording](t, `{"id":9007199254740993}`))
	require.NoError(t, err)
	assert.Contains(t, string(again), `"id":9007199254740993,`)
	for _, text := range []string{`{"id":null}`, `{}`} {
		var recording memfault.CustomDataRecording
		require.NoError(t, json.Unmarshal([]byte(text), &recording))
		assert.Empty(t, recording.ID)
	}
	var recording memfault.CustomDataRecording
	require.Error(t, json.Unmarshal([]byte(`{"id":[1]}`), &recording))
	require.Error(t, json.Unmarshal([]byte(`{"size_bytes":"x"}`), &recording))
}

func ExampleRecordingsService_ListForDevice() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	start := time.Date(2025, 2, 27, 12, 0, 0, 0, time.UTC)
	cloud.AddRecordings(memfaulttest.Recording{DeviceSerial: "ABCD1234", Reason: "vibration", Start: start, End: start.Add(time.Minute), Size: 4096})
	client := cloud.Client(nil)

	options := memfault.DeviceRecordingListOptions{StartTime: memfault.NewTimestamp(start)}
	for recording, err := range client.Recordings.ListForDevice(cloud.Project(), "ABCD1234", options).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(recording.Reason, recording.StartTime, recording.SizeBytes)
	}
	// Output:
	// vibration 2025-02-27T12:00:00Z 4096
}
