package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// heartbeat returns a valid event.
func heartbeat(serial string) memfault.EventCreate {
	return memfault.EventCreate{
		Type: memfault.EventTypeHeartbeat, DeviceSerial: serial, HardwareVersion: "evt-1",
		SoftwareType: "main", SoftwareVersion: "1.0.0+8219de",
		EventInfo: memfault.HeartbeatInfo{Metrics: map[string]float64{"uptime_s": 3600, "battery": 98.5}},
	}
}

func TestEventsUpload_EventsArrive(t *testing.T) {
	cloud, client := newCloud(t)
	gateway := client.WithAuth(memfault.ProjectKey(projectKey))
	trace := memfault.EventCreate{
		Type: memfault.EventTypeTrace, DeviceSerial: "B", HardwareVersion: "evt-1", SDKVersion: "0.1.0", FWVersion: "1.0.0",
		EventInfo:    memfault.TraceInfo{Reason: memfault.RebootReasonAssert, PC: 0x08001234, LR: 1},
		CapturedDate: memfault.NewTimestamp(noon), UserInfo: map[string]int{"tap": 3},
	}
	var response memfault.Response
	require.NoError(t, gateway.Events.Upload(t.Context(), []memfault.EventCreate{heartbeat("A"), trace}, memfault.WithResponse(&response)))
	assert.Equal(t, http.StatusAccepted, response.StatusCode)
	task, err := client.Tasks.Get(t.Context(), response.TaskID())
	require.NoError(t, err)
	assert.Equal(t, memfault.TaskStatusSuccess, task.Status)

	events, err := client.Events.List(sink, memfault.EventListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, events, 2)
	assert.Equal(t, map[string]any{"uptime_s": 3600.0, "battery": 98.5}, events[0].EventInfo.Metrics())
	assert.Equal(t, memfault.EventTypeTrace, events[1].Type)
	assert.Equal(t, noon, events[1].CapturedDate.Time)
	assert.JSONEq(t, `{"reason":32769,"pc":134222388,"lr":1}`, string(events[1].EventInfo.RawMessage))
	assert.JSONEq(t, `{"tap":3}`, string(events[1].UserInfo))
	_, err = client.Devices.Get(t.Context(), sink, "B")
	require.NoError(t, err, "the first data of a device must create it")

	require.ErrorIs(t, client.Events.Upload(t.Context(), []memfault.EventCreate{heartbeat("A")}), memfault.ErrWrongCredential)
	assert.Len(t, cloud.Requests("events.upload"), 1)
}

func TestEventsUpload_OldAndNewForms(t *testing.T) {
	var sent []byte
	server, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		sent, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	client := newClient(t, memfault.ProjectKey("key"), memfault.WithBaseURL(server.URL))
	for want, event := range map[string]memfault.EventCreate{
		`[{"type":"heartbeat","device_serial":"A","hardware_version":"evt-1","sdk_version":"0.5.0","software_type":"main",
			"software_version":"1.0.0+8219de","event_info":{"metrics":{"uptime_s":3600,"battery":98.5}}}]`: heartbeat("A"),
		`[{"type":"x","device_serial":"A","hardware_version":"evt-1","sdk_version":"0.2.0","release_version":"1",
			"event_info":{"a":1},"captured_date":"2025-02-27T12:00:00Z","extra_info":[1]}]`: {
			Type: "x", DeviceSerial: "A", HardwareVersion: "evt-1", SDKVersion: "0.2.0", ReleaseVersion: "1",
			EventInfo: json.RawMessage(`{"a":1}`), CapturedDate: memfault.NewTimestamp(noon), ExtraInfo: []int{1},
		},
	} {
		events := []memfault.EventCreate{event}
		require.NoError(t, client.Events.Upload(t.Context(), events))
		assert.JSONEq(t, want, string(sent))
		assert.Equal(t, event, events[0], "the event of the caller must not change")
	}
}

func TestEventsUpload_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	client = client.WithAuth(memfault.ProjectKey(projectKey))
	require.EqualError(t, client.Events.Upload(t.Context(), nil), "memfault: events.upload: events must not be empty")
	for want, spoil := range map[string]func(*memfault.EventCreate){
		"Type must not be empty":            func(e *memfault.EventCreate) { e.Type = "" },
		"DeviceSerial must not be empty":    func(e *memfault.EventCreate) { e.DeviceSerial = "" },
		"HardwareVersion must not be empty": func(e *memfault.EventCreate) { e.HardwareVersion = "" },
		"FWVersion must not all be empty":   func(e *memfault.EventCreate) { e.SoftwareVersion = "" },
		"SoftwareType must not be empty":    func(e *memfault.EventCreate) { e.SoftwareType = "" },
		"SDKVersion must not be empty":      func(e *memfault.EventCreate) { e.SoftwareVersion, e.FWVersion = "", "1" },
		"timestamp out of range":            func(e *memfault.EventCreate) { e.CapturedDate = memfault.NewTimestamp(noon.AddDate(8000, 0, 0)) },
		"json: unsupported value: NaN": func(e *memfault.EventCreate) {
			e.EventInfo = memfault.HeartbeatInfo{Metrics: map[string]float64{"x": math.NaN()}}
		},
		"json: unsupported type: func": func(e *memfault.EventCreate) { e.UserInfo = func(float64) {} },
	} {
		bad := heartbeat("B")
		spoil(&bad)
		err := client.Events.Upload(t.Context(), []memfault.EventCreate{heartbeat("A"), heartbeat("A"), bad})
		require.ErrorContains(t, err, "memfault: events.upload: event 2: ")
		require.ErrorContains(t, err, want)
	}
	assert.Empty(t, cloud.Requests(""))
}

func TestEventsUpload_Rejected(t *testing.T) {
	cloud, client := newCloud(t)
	console := client
	client = client.WithAuth(memfault.ProjectKey(projectKey))
	bad, trace := heartbeat("B"), heartbeat("C")
	bad.EventInfo = map[string]any{"metrics": map[string]any{"uptime_s": "long", "battery": 1}}
	trace.Type, trace.EventInfo = memfault.EventTypeTrace, map[string]any{"reason": 1}
	err := client.Events.Upload(t.Context(), []memfault.EventCreate{heartbeat("A"), bad, trace})
	assert.Equal(t, []memfault.ItemError{
		{Index: 1, Field: "event_info.metrics.uptime_s.value", Problems: []string{"Not a valid integer."}},
		{Index: 2, Field: "event_info.pc", Problems: []string{"Not a valid integer."}},
	}, requireError(t, err, http.StatusBadRequest).ItemErrors())
	events, err := console.Events.List(sink, memfault.EventListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	assert.Empty(t, events, "if one event is rejected, all must be")

	for _, code := range []int{500, 502, 503, 504, 529} {
		before := len(cloud.Requests("events.upload"))
		cloud.Fail(failOnce(code))
		requireError(t, client.Events.Upload(t.Context(), []memfault.EventCreate{heartbeat("A")}), code)
		assert.Len(t, cloud.Requests("events.upload")[before:], 1, "events are sent once")
	}
	cloud.Fail(failOnce(http.StatusTooManyRequests))
	require.NoError(t, client.Events.Upload(t.Context(), []memfault.EventCreate{heartbeat("A")}), "what was not taken may be sent again")
	err = client.WithAuth(memfault.ProjectKey("wrong")).Events.Upload(t.Context(), []memfault.EventCreate{heartbeat("A")})
	require.ErrorIs(t, err, memfault.ErrForbidden)
}

func TestItemErrors_Details(t *testing.T) {
	for details, want := range map[string][]memfault.ItemError{
		``:                           nil,
		`null`:                       {{Index: -1, Problems: []string{"null"}}},
		`{`:                          nil,
		`{}`:                         nil,
		`"text"`:                     {{Index: -1, Problems: []string{"text"}}},
		`["a",1,{"b":["c"]}]`:        {{Index: -1, Problems: []string{"a", "1"}}, {Index: -1, Field: "2.b", Problems: []string{"c"}}},
		`{"name":["Bad."],"0":"No"}`: {{Index: -1, Field: "name", Problems: []string{"Bad."}}, {Index: 0, Problems: []string{"No"}}},
		`{"10":{"a":["x"]},"9":{"b":["z"],"a":["y",null]}}`: {
			{Index: 9, Field: "a", Problems: []string{"y", "null"}}, {Index: 9, Field: "b", Problems: []string{"z"}}, {Index: 10, Field: "a", Problems: []string{"x"}},
		},
		`{"-1":["x"],"01":["y"],"99999999999999999999":[]}`: {{Index: -1, Field: "-1", Problems: []string{"x"}}, {Index: -1, Field: "01", Problems: []string{"y"}}},
	} {
		assert.Equal(t, want, (&memfault.Error{Details: json.RawMessage(details)}).ItemErrors(), details)
	}
}

// FuzzItemErrors checks that each value in the details is one problem, in order.
func FuzzItemErrors(f *testing.F) {
	f.Add(`{"0":{"event_info":{"metrics":{"uptime_s":{"value":["Not a valid integer."]}}}}}`)
	f.Add(`{"0":[[1,{"":null}]],"x":"y"}`)
	f.Add(`[[],{},{"a":[]},"text",[true,[1.50]]]`)
	f.Add(`{"-0":1,"00":2,"9223372036854775808":3,"9":4,"10":5}`)
	f.Fuzz(func(t *testing.T, details string) {
		found := (&memfault.Error{Details: json.RawMessage(details)}).ItemErrors()
		var value any
		if json.Unmarshal([]byte(details), &value) != nil {
			require.Empty(t, found)
			return
		}
		problems := 0
		for i, item := range found {
			require.GreaterOrEqual(t, item.Index, -1)
			require.NotEmpty(t, item.Problems)
			problems += len(item.Problems)
			if i > 0 {
				require.LessOrEqual(t, found[i-1].Index, item.Index)
			}
			if object, ok := value.(map[string]any); ok && item.Index >= 0 {
				require.Contains(t, object, strconv.Itoa(item.Index))
			}
		}
		require.Equal(t, leaves(value), problems)
	})
}

// leaves counts the values of a JSON value that contain no others.
func leaves(value any) int {
	n := 0
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			n += leaves(inner)
		}
	case []any:
		for _, inner := range value {
			n += leaves(inner)
		}
	default:
		n = 1
	}
	return n
}

func ExampleEventsService_Upload_gateway() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	gateway := client.WithAuth(memfault.ProjectKey(cloud.ProjectKey()))
	err = gateway.Events.Upload(context.Background(), []memfault.EventCreate{{
		Type: memfault.EventTypeHeartbeat, DeviceSerial: "ABCD1234", HardwareVersion: "evt-1",
		SoftwareType: "main", SoftwareVersion: "1.0.0",
		EventInfo:    memfault.HeartbeatInfo{Metrics: map[string]float64{"uptime_s": 3600}},
		CapturedDate: memfault.NewTimestamp(time.Date(2025, 2, 27, 12, 0, 0, 0, time.UTC)),
	}})
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range client.Events.List(cloud.Project(), memfault.EventListOptions{}).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Device.DeviceSerial, event.CapturedDate, event.EventInfo.Metrics())
	}
	// Output: ABCD1234 2025-02-27T12:00:00Z map[uptime_s:3600]
}
