package chunk_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

// eventsOf decodes an event message with the given values.
func eventsOf(values ...any) ([]chunk.Event, error) {
	var payload []byte
	for _, value := range values {
		payload = append(payload, cbor(value)...)
	}
	m := &chunk.Message{Type: chunk.MessageEvent, Payload: payload}
	return m.Events()
}

// eventOf decodes one event, which must be valid.
func eventOf(t *testing.T, value any) chunk.Event {
	t.Helper()
	events, err := eventsOf(value)
	require.NoError(t, err)
	require.Len(t, events, 1)
	return events[0]
}

// device returns the event that deviceEvent encodes, without what depends on its type.
func device(kind chunk.EventType) chunk.Event {
	return chunk.Event{
		Type: kind, Schema: 1, Captured: time.Unix(1700000000, 0).UTC(),
		SoftwareType: "main-fw", SoftwareVersion: "1.2.3+host", HardwareVersion: "evt-1",
	}
}

func ptr[T any](v T) *T { return &v }

func TestMessage_Events(t *testing.T) {
	reboot := device(chunk.EventTrace)
	reboot.Trace = &chunk.Trace{Reboot: true, Reason: 0x9400, CoredumpSaved: true, ResetRegister: ptr(uint64(0)), PC: 0x8001234}
	trace := device(chunk.EventTrace)
	trace.Trace = &chunk.Trace{UserReason: ptr(0), PC: 1, LR: math.MaxUint64, Status: ptr(int64(-5)), Log: "a\xff", CompactLog: []byte{1}}
	heartbeat := device(chunk.EventHeartbeat)
	heartbeat.Heartbeat = &chunk.Heartbeat{Session: 1, Metrics: []chunk.Metric{
		{Value: int64(87)}, {Value: nil}, {Value: int64(-12)}, {Value: "mfw"}, {Value: uint64(1 << 63)}, {Value: 0.5},
	}}
	logs := device(chunk.EventLogs)
	logs.Logs = []chunk.LogLine{{Level: chunk.LogDebug, Text: "a"}, {Level: 9, Compact: []byte{1, 2}}}
	timed := device(chunk.EventLogsTimed)
	timed.Logs = []chunk.LogLine{
		{Time: time.Unix(1700000001, 0).UTC(), Level: chunk.LogInfo, Text: "boot"}, {Level: chunk.LogError, Text: "no clock"},
	}
	recording := device(chunk.EventRecording)
	recording.Recording = &chunk.Recording{
		Duration: 1500 * time.Millisecond, MIMETypes: []string{"text/csv", "text/plain"}, Reason: "button", Data: []byte("1,2"),
	}
	for _, test := range []struct {
		info any
		want chunk.Event
	}{
		{pairs{1, 0x9400, 2, 0x8001234, 4, 0, 5, 1}, reboot},
		{pairs{6, 0, 2, 1, 3, uint64(math.MaxUint64), 7, -5, 8, []byte("a\xff"), 9, []byte{1}}, trace},
		{pairs{2, 1, 1, []any{87, nil, -12, "mfw", uint64(1 << 63), 0.5}}, heartbeat},
		{[]any{0, "a", 9, []byte{1, 2}}, logs},
		{[]any{1700000001, 1, "boot", 0, 3, "no clock"}, timed},
		{pairs{1, 1500, 2, []any{"text/csv", "text/plain"}, 3, "button", 4, []byte("1,2")}, recording},
	} {
		event := deviceEvent(test.want.Type, test.info)
		assert.Equal(t, test.want, eventOf(t, event))

		last := len(event) - 2 // the info before the type
		assert.Equal(t, test.want, eventOf(t, append(pairs{event[last], event[last+1]}, event[:last]...)))
	}
}

func TestMessage_EventsOfDevice(t *testing.T) {
	event := eventOf(t, pairs{2, 1, 7, "A1", 11, []byte{1, 2, 3, 4, 5, 6}, 5, pairs{"site", "north"}, 4, pairs{}})
	assert.Equal(t, chunk.Event{
		Type: chunk.EventHeartbeat, DeviceSerial: "A1", BuildID: []byte{1, 2, 3, 4, 5, 6},
		UserInfo: []chunk.Field{{Key: "site", Value: "north"}}, Heartbeat: &chunk.Heartbeat{Session: -1},
	}, event)
}

func TestMessage_EventsBatched(t *testing.T) {
	one, two := deviceEvent(chunk.EventTrace, pairs{1, 7, 5, 0}), deviceEvent(chunk.EventHeartbeat, pairs{1, []any{}})
	events, err := eventsOf([]any{one, two})
	require.NoError(t, err)
	assert.Equal(t, []chunk.Event{eventOf(t, one), eventOf(t, two)}, events)
	events, err = eventsOf([]any{})
	require.NoError(t, err)
	assert.Empty(t, events)

	for _, kind := range []chunk.MessageType{chunk.MessageLog, chunk.MessageRecording} {
		m := chunk.Message{Type: kind, Payload: cbor(one)}
		events, err = m.Events()
		require.NoError(t, err)
		assert.Len(t, events, 1)
	}
}

func TestMessage_EventsOfOlderSDK(t *testing.T) {
	event := eventOf(t, pairs{2, 1, 8, "1.0", 4, pairs{1, pairs{"battery", 90, "unset", nil}}})
	assert.Equal(t, "1.0", event.SoftwareVersion)
	assert.Equal(t, []chunk.Metric{{"battery", int64(90)}, {"unset", nil}}, event.Heartbeat.Metrics)
	assert.Empty(t, event.Unknown)

	event = eventOf(t, pairs{2, 1, 9, "1.2", 8, "1.0"})
	assert.Equal(t, "1.2", event.SoftwareVersion)
	assert.Equal(t, []chunk.Field{{int64(8), "1.0"}}, event.Unknown)
}

func TestMessage_EventsKeepUnknown(t *testing.T) {
	nested := pairs{"k", []any{true, false, nil, 1.5, float32(2), firmware.Tagged{Tag: 1, Value: 5}}}
	decoded := []chunk.Field{{"k", []any{true, false, nil, 1.5, 2.0, chunk.Tagged{Tag: 1, Value: int64(5)}}}}
	for _, test := range []struct {
		name          string
		event         pairs
		unknown, info []chunk.Field
	}{
		{"key of an event", pairs{2, 2, 12, nested, -1, "x", "text", 3}, []chunk.Field{{int64(12), decoded}, {int64(-1), "x"}, {"text", int64(3)}}, nil},
		{"value of an event", pairs{1, -5, 2, "x", 3, 1.5, 6, 1, 7, []byte{1}, 8, 2, 9, 3, 10, 4, 11, "id"}, []chunk.Field{
			{int64(1), int64(-5)},
			{int64(2), "x"},
			{int64(3), 1.5},
			{int64(6), int64(1)},
			{int64(7), []byte{1}},
			{int64(8), int64(2)},
			{int64(9), int64(3)},
			{int64(10), int64(4)},
			{int64(11), "id"},
		}, nil},
		{"time after the year 9999", pairs{1, uint64(253402300800)}, []chunk.Field{{int64(1), int64(253402300800)}}, nil},
		{"key again", pairs{2, 2, 7, "A", 7, "B"}, []chunk.Field{{int64(7), "B"}}, nil},
		{"type of event", pairs{2, 9, 4, nested}, []chunk.Field{{int64(4), decoded}}, nil},
		{"info of another form", pairs{2, 2, 4, 7}, []chunk.Field{{int64(4), int64(7)}}, nil},
		{"logs of another form", pairs{2, 4, 4, pairs{}}, []chunk.Field{{int64(4), []chunk.Field{}}}, nil},
		{"trace", pairs{2, 2, 4, pairs{1, -1, 2, -1, 3, "x", 4, -1, 5, 2, 6, -2, 7, "x", 8, 1, 9, "c", 10, 1}}, nil, []chunk.Field{
			{int64(1), int64(-1)},
			{int64(2), int64(-1)},
			{int64(3), "x"},
			{int64(4), int64(-1)},
			{int64(5), int64(2)},
			{int64(6), int64(-2)},
			{int64(7), "x"},
			{int64(8), int64(1)},
			{int64(9), "c"},
			{int64(10), int64(1)},
		}},
		{"heartbeat", pairs{2, 1, 4, pairs{1, 5, 2, -1, 3, 1}}, nil, []chunk.Field{{int64(1), int64(5)}, {int64(2), int64(-1)}, {int64(3), int64(1)}}},
		{"metrics by number", pairs{2, 1, 4, pairs{1, pairs{"a", 1, 1, 5}}}, nil, []chunk.Field{{int64(1), []chunk.Field{{"a", int64(1)}, {int64(1), int64(5)}}}}},
		{"recording", pairs{2, 5, 4, pairs{1, -1, 2, []any{"a", 1}, 3, 1, 4, "x", 5, 1}}, nil, []chunk.Field{
			{int64(1), int64(-1)}, {int64(2), []any{"a", int64(1)}}, {int64(3), int64(1)}, {int64(4), "x"}, {int64(5), int64(1)},
		}},
		{"recording that is too long", pairs{2, 5, 4, pairs{1, uint64(math.MaxInt64)}}, nil, []chunk.Field{{int64(1), int64(math.MaxInt64)}}},
		{"MIME type that is not a list", pairs{2, 5, 4, pairs{2, "a"}}, nil, []chunk.Field{{int64(2), "a"}}},
		{"log line", pairs{2, 4, 4, []any{1, "a", 2, 5, 3, "b"}}, nil, []chunk.Field{{int64(2), []any{int64(2), int64(5), int64(3), "b"}}}},
		{"log line that is cut off", pairs{2, 6, 4, []any{0, 1, "a", 0, 1}}, nil, []chunk.Field{{int64(3), []any{int64(0), int64(1)}}}},
		{"time of a log line", pairs{2, 6, 4, []any{"now", 1, "a"}}, nil, []chunk.Field{{int64(0), []any{"now", int64(1), "a"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			event := eventOf(t, test.event)
			assert.Equal(t, test.unknown, event.Unknown)
			assert.Equal(t, test.info, event.UnknownInfo)
			if event.Heartbeat != nil {
				assert.Empty(t, event.Heartbeat.Metrics)
			}
			_, err := json.Marshal(event)
			require.NoError(t, err)
		})
	}
}

func TestTrace_Reboot(t *testing.T) {
	for reboot, info := range map[bool]pairs{true: {1, 0, 5, false}, false: {1, 7}} {
		assert.Equal(t, reboot, eventOf(t, pairs{2, 2, 4, info}).Trace.Reboot)
	}
	assert.False(t, eventOf(t, pairs{2, 2, 4, pairs{5, 1, 6, 3}}).Trace.Reboot)
	assert.False(t, eventOf(t, pairs{2, 2, 4, pairs{5, 1, 1, "x"}}).Trace.Reboot)
}

func TestMessage_EventsInvalid(t *testing.T) {
	valid := cbor(pairs{2, 2})
	for _, test := range []struct {
		name    string
		payload []byte
		events  int
		offset  int
		problem string
	}{
		{"empty", nil, 0, 0, "cut off"},
		{"not a map", []byte{0x01}, 0, 0, "not a map"},
		{"not a map in a batch", join([]byte{0x82}, valid, []byte{0x01}), 1, 4, "not a map"},
		{"cut off", valid[:2], 0, 2, "cut off"},
		{"cut off in a batch", join([]byte{0x82}, valid, valid[:2]), 1, 6, "cut off"},
		{"batch cut off", join([]byte{0x82}, valid), 1, 4, "cut off"},
		{"rest", join(valid, valid), 1, 3, "3 bytes after the last event"},
		{"number cut off", []byte{0xa1, 0x19, 0x01}, 0, 1, "cut off"},
		{"text cut off", []byte{0xa1, 0x07, 0x65, 'a'}, 0, 2, "cut off"},
		{"huge text", []byte{0xa1, 0x07, 0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0, 2, "cut off"},
		{"huge array", []byte{0xa1, 0x0c, 0x9a, 0xff, 0xff, 0xff, 0xff, 0x01}, 0, 2, "cut off"},
		{"huge map", []byte{0xba, 0xff, 0xff, 0xff, 0xff, 0x01}, 0, 0, "cut off"},
		{"huge batch", []byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xa0}, 0, 0, "cut off"},
		{"many events", append([]byte{0x9a, 0, 1, 0, 1}, bytes.Repeat([]byte{0xa0}, 1<<16+1)...), 0, 0, "more than 65536 events"},
		{"indefinite length", []byte{0xbf, 0xff}, 0, 0, "invalid value 0xbf"},
		{"reserved", []byte{0xa1, 0x01, 0x1c}, 0, 2, "invalid value 0x1c"},
		{"unknown simple value", []byte{0xa1, 0x0c, 0xe1}, 0, 2, "unknown simple value 1"},
		{"number below 64 bits", []byte{0xa1, 0x0c, 0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0}, 0, 2, "below the range"},
		{"deep array", append([]byte{0xa1, 0x0c}, bytes.Repeat([]byte{0x81}, 100)...), 0, 17, "nested"},
		{"deep map", append([]byte{0xa1, 0x0c}, bytes.Repeat([]byte{0xa1, 0x01}, 100)...), 0, 32, "nested"},
		{"deep tag", append([]byte{0xa1, 0x0c}, bytes.Repeat([]byte{0xc1}, 100)...), 0, 17, "nested"},
		{"many values", append([]byte{0xa1, 0x0c, 0x9a, 0, 0x20, 0, 0}, make([]byte, 1<<21)...), 0, 1<<20 + 4, "more than 1048576 values"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := chunk.Message{Type: chunk.MessageEvent, Payload: test.payload}
			events, err := m.Events()
			assert.Len(t, events, test.events)
			var format *chunk.FormatError
			require.ErrorAs(t, err, &format)
			assert.Equal(t, "event", format.Content)
			assert.Equal(t, test.offset, format.Offset)
			assert.Contains(t, format.Problem, test.problem)
		})
	}
	for _, kind := range []chunk.MessageType{chunk.MessageCoredump, chunk.MessageMAR, 9} {
		m := chunk.Message{Type: kind, Payload: valid}
		_, err := m.Events()
		require.ErrorContains(t, err, "chunk: "+kind.String()+": byte 0: a message of this type has no events")
	}
}

func TestMessage_EventsFloats(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0x0000: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0001: 5.960464477539063e-8, 0x03ff: 6.097555160522461e-5, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		m := chunk.Message{Type: chunk.MessageEvent, Payload: []byte{0xa1, 0x0c, 0xf9, byte(bits >> 8), byte(bits)}}
		events, err := m.Events()
		require.NoError(t, err)
		assert.Equal(t, []any{want}, []any{events[0].Unknown[0].Value}, "%04x", bits)
	}
	m := chunk.Message{Type: chunk.MessageEvent, Payload: []byte{0xa1, 0x0c, 0xf9, 0x7e, 0x00}}
	events, err := m.Events()
	require.NoError(t, err)
	assert.True(t, math.IsNaN(events[0].Unknown[0].Value.(float64)))
}

func TestEvent_String(t *testing.T) {
	for _, test := range []struct {
		want  string
		event pairs
	}{
		{"reboot PowerOnReset, reset register 0x11", pairs{2, 2, 4, pairs{1, 7, 4, 17, 5, 0}}},
		{"reboot HardFault, coredump saved, pc 0x08001234", pairs{2, 2, 4, pairs{1, 0x9400, 2, 0x8001234, 5, 1}}},
		{`trace of reason 3, lr 0x00000001, status -5, log "a\nb", compact log of 2 bytes`, pairs{2, 2, 4, pairs{6, 3, 3, 1, 7, -5, 8, []byte("a\nb"), 9, []byte{1, 2}}}},
		{"trace Assert", pairs{2, 2, 4, pairs{1, 0x8001}}},
		{"trace", pairs{2, 2, 4, pairs{}}},
		{`metrics of session 0: [0]=1 [2]="a b" [3]=x`, pairs{2, 1, 4, pairs{2, 0, 1, []any{1, nil, "a b", "x"}}}},
		{`heartbeat battery=1 "\x1b"=2`, pairs{2, 1, 4, pairs{1, pairs{"battery", 1, "\x1b", 2}}}},
		{"logs: 1 line", pairs{2, 4, 4, []any{1, "a"}}},
		{"logs: 2 lines", pairs{2, 6, 4, []any{0, 1, "a", 0, 1, "b"}}},
		{"recording button, 1.5s, 3 bytes of text/csv text/plain", pairs{2, 5, 4, pairs{1, 1500, 2, []any{"text/csv", "text/plain"}, 3, "button", 4, []byte("1,2")}}},
		{"event of type 9", pairs{2, 9}},
		{"event of trace", pairs{2, 2, 4, 5}},
	} {
		assert.Equal(t, test.want, eventOf(t, test.event).String())
	}
	assert.Equal(t, "warning: 5 of 6 \"fine\"", chunk.LogLine{Level: chunk.LogWarning, Text: `5 of 6 "fine"`}.String())
	assert.Equal(t, `level 7: "\x1b[2J"`, chunk.LogLine{Level: 7, Text: "\x1b[2J"}.String())
	assert.Equal(t, "debug: compact log of 2 bytes", chunk.LogLine{Compact: []byte{1, 2}}.String())
	assert.Equal(t, []string{"heartbeat", "trace", "logs", "recording", "logs", "type 3"}, []string{
		chunk.EventHeartbeat.String(), chunk.EventTrace.String(), chunk.EventLogs.String(), chunk.EventRecording.String(),
		chunk.EventLogsTimed.String(), chunk.EventType(3).String(),
	})
}

func TestReasonName(t *testing.T) {
	for reason, name := range map[int]string{
		0: "Unknown", 7: "PowerOnReset", 0x0B: "SelfTest", 0x0C: "0x000C", 0x8000: "UnknownError", 0x800C: "TaskWatchdog", 0x800D: "0x800D",
		0x9100: "BusFault", 0x9107: "Bfarvalid", 0x9206: "Mmarvalid", 0x9306: "Divbyzero", 0x9400: "HardFault", 0x9405: "Hardware",
		0x9406: "0x9406", 0x9500: "0x9500", 0x19400: "0x19400",
	} {
		assert.Equal(t, name, chunk.ReasonName(reason))
	}
}
