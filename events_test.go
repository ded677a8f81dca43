package memfault_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// noon is the reference time of the tests.
var noon = time.Date(2025, 2, 27, 12, 0, 0, 0, time.UTC)

// requireWrongSlug fails unless do, called with a project that does not exist, returns the
// error of a 500 after one attempt.
func requireWrongSlug(t testing.TB, do func(project memfault.ProjectRef, opts ...memfault.CallOption) error) {
	t.Helper()
	var response memfault.Response
	err := do(memfault.ProjectRef{Organization: sink.Organization, Project: "nope"}, memfault.WithResponse(&response))
	assert.Equal(t, "InternalError", requireError(t, err, http.StatusInternalServerError).Type)
	assert.Equal(t, 1, response.Attempts)
}

// requireUnsent fails unless err contains the text what and no request was sent.
func requireUnsent(t testing.TB, cloud *memfaulttest.Server, err error, what string) {
	t.Helper()
	require.ErrorContains(t, err, what)
	require.Empty(t, cloud.Requests(""))
}

func failing[T any](pager *memfault.Pager[T]) error {
	_, err := pager.Page(context.Background())
	return err
}

func TestEventsList_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddDevices(memfaulttest.Device{Serial: "A", Cohort: "beta"}, memfaulttest.Device{Serial: "B"})
	ids := cloud.AddEvents(
		memfaulttest.Event{DeviceSerial: "A", SoftwareVersion: "1.0.0", Captured: noon, Received: noon.Add(9 * time.Hour)},
		memfaulttest.Event{DeviceSerial: "B", SoftwareVersion: "1.0.0+b", Captured: noon.Add(time.Hour), Type: "trace"},
		memfaulttest.Event{DeviceSerial: "C", SoftwareVersion: "2.0.0", Captured: noon.Add(2 * time.Hour), Type: "reboot"},
	)
	sorted := func(key string) memfault.EventListOptions {
		return memfault.EventListOptions{ListOptions: memfault.ListOptions{Sort: key}}
	}
	for name, c := range map[string]struct {
		options memfault.EventListOptions
		want    []int64
	}{
		"all":      {memfault.EventListOptions{}, ids},
		"devices":  {memfault.EventListOptions{Device: []string{"A", "C"}}, []int64{ids[0], ids[2]}},
		"types":    {memfault.EventListOptions{Type: []string{"trace", "reboot"}}, ids[1:]},
		"since":    {memfault.EventListOptions{Since: memfault.NewTimestamp(noon.Add(time.Hour))}, ids[1:]},
		"until":    {memfault.EventListOptions{Until: memfault.NewTimestamp(noon.Add(time.Hour))}, ids[:2]},
		"release":  {memfault.EventListOptions{Release: []string{"1.0.0+b"}}, ids[1:2]},
		"cohort":   {memfault.EventListOptions{Cohort: []string{"beta"}}, ids[:1]},
		"captured": {sorted(memfault.Descending(memfault.SortCapturedDate)), []int64{ids[2], ids[1], ids[0]}},
		"received": {sorted(memfault.SortReceivedDate), []int64{ids[1], ids[2], ids[0]}},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.PerPage = 1
			events, err := client.Events.List(sink, c.options).Prefetch(2).Collect(t.Context())
			require.NoError(t, err)
			var got []int64
			for _, e := range events {
				got = append(got, e.ID)
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestEventsGet_ReturnsEvent(t *testing.T) {
	cloud, client := newCloud(t)
	ids := cloud.AddEvents(memfaulttest.Event{DeviceSerial: "A", Captured: noon, Info: map[string]any{"metrics": map[string]any{"uptime_s": 12}}})
	event, err := client.Events.Get(t.Context(), sink, ids[0])
	require.NoError(t, err)
	assert.Equal(t, "A", event.Device.DeviceSerial)
	assert.Equal(t, "evt-1", event.Device.HardwareVersion.Name)
	assert.Equal(t, noon, event.CapturedDate.Time)
	assert.Equal(t, map[string]any{"uptime_s": 12.0}, event.EventInfo.Metrics())

	_, err = client.Events.Get(t.Context(), sink, ids[0]+1000)
	assert.Equal(t, 1003, requireError(t, err, http.StatusNotFound).Code)
}

func TestEvents_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	for _, id := range []int64{0, -1} {
		_, err := client.Events.Get(t.Context(), sink, id)
		requireUnsent(t, cloud, err, "event_id must not be empty")
	}
	requireUnsent(t, cloud, failing(client.Events.List(memfault.ProjectRef{Organization: "acme"}, memfault.EventListOptions{})), "project_slug must not be empty")
	byKey := client.WithAuth(memfault.ProjectKey(projectKey))
	require.ErrorIs(t, failing(byKey.Events.List(sink, memfault.EventListOptions{})), memfault.ErrWrongCredential)
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		return failing(client.Events.List(project, memfault.EventListOptions{}, opts...))
	})
}

func TestEvent_RoundTrip(t *testing.T) {
	event := requireRoundTrip[memfault.Event](t, `{"id":7,"type":"trace","device":{"id":3,"device_serial":"A","hardware_version":"evt-1"},
		"release":{"id":2,"version":"1.0.0","revision":"abc"},"event_info":{"reason":32769,"pc":134218240,"lr":134218300},
		"user_info":null,"sdk_version":"0.5.0","created_date":"2019-05-21T21:08:54.323530Z","received_date":"2019-05-21T21:08:54Z","captured_date":null}`)
	assert.Empty(t, event.EventInfo.Metrics())
	assert.Zero(t, event.CapturedDate)
	requireRoundTrip[memfault.Event](t, `{"id":7,"type":"heartbeat","device":{"id":3,"device_serial":"A","hardware_version":{"name":"evt-1"}},"event_info":null,"user_info":{"a":1}}`)
	assert.Empty(t, memfault.EventInfo{}.Metrics())
}

func TestListEventLog_AllPages(t *testing.T) {
	cloud, client := newCloud(t)
	for i := range 3 {
		cloud.AddEvents(memfaulttest.Event{DeviceSerial: "A", Captured: noon, Info: map[string]any{"metrics": map[string]any{"n": i}}})
	}
	entries, err := client.Events.ListEventLog(sink, memfault.EventLogListOptions{ListOptions: memfault.ListOptions{PerPage: 2}}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, entries, 3)
	assert.Equal(t, "HEARTBEAT", entries[2].Type)
	assert.Equal(t, "A", entries[2].DeviceSerial)
	assert.Equal(t, noon, entries[2].CapturedDate.Time)
	assert.Equal(t, map[string]any{"n": 2.0}, entries[2].Summary.EventInfo.Metrics())
	requireRoundTrip[memfault.EventLogEntry](t, `{"type":"HEARTBEAT","device_serial":"A","captured_date":"2025-02-27T12:00:00Z","summary":{"event_info":{"metrics":{"n":1},"more":2}}}`)
}

func TestListChroniclerLogs_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddEvents(
		memfaulttest.Event{DeviceSerial: "A", Captured: noon, Info: map[string]any{"metrics": map[string]any{"n": 1}}},
		memfaulttest.Event{DeviceSerial: "A", Captured: noon.Add(time.Hour), Type: "trace"},
		memfaulttest.Event{DeviceSerial: "B", Captured: noon.Add(2 * time.Hour), Type: "reboot"},
	)
	device, err := client.Devices.Get(t.Context(), sink, "B")
	require.NoError(t, err)
	hours := func(n int) memfault.Timestamp { return memfault.NewTimestamp(noon.Add(time.Duration(n) * time.Hour)) }
	for name, c := range map[string]struct {
		options memfault.ChroniclerLogListOptions
		want    []memfault.Timestamp
	}{
		"all":    {memfault.ChroniclerLogListOptions{}, []memfault.Timestamp{hours(0), hours(1), hours(2)}},
		"id":     {memfault.ChroniclerLogListOptions{DeviceID: device.ID}, []memfault.Timestamp{hours(2)}},
		"serial": {memfault.ChroniclerLogListOptions{DeviceSerial: "A"}, []memfault.Timestamp{hours(0), hours(1)}},
		"types":  {memfault.ChroniclerLogListOptions{EventTypes: []memfault.ChroniclerEventType{memfault.ChroniclerReceivedHeartbeat, memfault.ChroniclerReceivedReboot}}, []memfault.Timestamp{hours(0), hours(2)}},
		"levels": {memfault.ChroniclerLogListOptions{Levels: []memfault.ChroniclerLevel{memfault.ChroniclerLevelError}}, nil},
		"times":  {memfault.ChroniclerLogListOptions{Start: hours(1), End: hours(1)}, []memfault.Timestamp{hours(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.PerPage = 1
			logs, err := client.Events.ListChroniclerLogs(sink, c.options).Collect(t.Context())
			require.NoError(t, err)
			var got []memfault.Timestamp
			for _, log := range logs {
				got = append(got, log.EventData.ReceivedEvent.CapturedDate)
			}
			assert.Equal(t, c.want, got)
		})
	}
	other := requireRoundTrip[memfault.ChroniclerLog](t, `{"event_data":{}}`)
	assert.Nil(t, other.EventData.ReceivedEvent)
	requireRoundTrip[memfault.ChroniclerLog](t, `{"event_data":{"received_event":{"captured_date":null,"event_info":{"metrics":{"n":1}}}}}`)
}

func ExampleEventsService_List_heartbeats() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddEvents(memfaulttest.Event{
		DeviceSerial: "ABCD1234", Captured: time.Date(2025, 2, 27, 12, 0, 0, 0, time.UTC),
		Info: map[string]any{"metrics": map[string]any{"battery_soc": 87}},
	})
	client := cloud.Client(nil)

	for event, err := range client.Events.List(cloud.Project(), memfault.EventListOptions{Type: []string{"heartbeat"}}).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.CapturedDate, event.Device.DeviceSerial, event.EventInfo.Metrics()["battery_soc"])
	}
	// Output:
	// 2025-02-27T12:00:00Z ABCD1234 87
}
