package chunk

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// EventType is the type of an event. The numbers are those on the wire.
type EventType int

// The types of events.
const (
	EventHeartbeat EventType = 1 // also the metrics of a session
	EventTrace     EventType = 2 // also a reboot
	EventLogs      EventType = 4
	EventRecording EventType = 5
	EventLogsTimed EventType = 6 // logs whose lines have a time
)

// String returns the name of the type, such as "heartbeat".
func (t EventType) String() string {
	switch t {
	case EventHeartbeat:
		return "heartbeat"
	case EventTrace:
		return "trace"
	case EventLogs, EventLogsTimed:
		return "logs"
	case EventRecording:
		return "recording"
	default:
		return fmt.Sprintf("type %d", int(t))
	}
}

// Event is an event of a device. Of Heartbeat, Trace, Logs and Recording, only the field is set
// that belongs to the type. Texts are as the device sent them; they can be invalid UTF-8.
type Event struct {
	// Type is kept if it is unknown.
	Type EventType

	// Captured is when the event happened, in UTC with a precision of seconds. It is the zero
	// value if the device has no clock. Of a recording it is the start.
	Captured time.Time

	// DeviceSerial is "" by default: the firmware only adds it if it is configured to do so.
	// Without it, Memfault uses the serial of the upload's URL.
	DeviceSerial string

	SoftwareType string

	// SoftwareVersion is the software version, or the release version of older SDKs.
	SoftwareVersion string

	HardwareVersion string

	// BuildID is the start of the build ID of the firmware (6 bytes), or nil.
	BuildID []byte

	Heartbeat *Heartbeat
	Trace     *Trace
	Logs      []LogLine
	Recording *Recording

	// Schema is the version of the form of the event: 1.
	Schema int

	// UserInfo is what the firmware adds to its events, or nil. Its types are those of
	// [Field.Value].
	UserInfo any

	// Unknown contains the fields that the package does not know, or whose value has an
	// unexpected form. UnknownInfo contains those of the part that depends on the type.
	Unknown, UnknownInfo []Field
}

// The keys of an event.
const (
	keyCaptured        = 1
	keyType            = 2
	keySchema          = 3
	keyInfo            = 4
	keyUserInfo        = 5
	keyHardwareVersion = 6
	keyDeviceSerial    = 7
	keyReleaseVersion  = 8
	keySoftwareVersion = 9
	keySoftwareType    = 10
	keyBuildID         = 11
)

// Events returns the events of a message of the type [MessageEvent], [MessageLog] or
// [MessageRecording]. A message contains an event, or several if the firmware batches them.
//
// If the message has another type or its payload is not a valid event, Events returns a
// [*FormatError] and the events before it. The events refer to the payload, which must not be
// changed.
func (m *Message) Events() ([]Event, error) {
	r := &cborReader{content: m.Type.String(), b: m.Payload}
	switch m.Type {
	case MessageEvent, MessageLog, MessageRecording:
	default:
		return nil, r.problem(0, "a message of this type has no events")
	}
	count := 1
	if len(r.b) > 0 && r.b[0]>>5 == cborArray {
		_, _, n, err := r.head()
		if err != nil {
			return nil, err
		}
		if count, err = r.length(0, n); err != nil {
			return nil, err
		}
		if count > maxEvents {
			return nil, r.problem(0, "more than %d events", maxEvents)
		}
	}
	var events []Event
	for range count {
		event, err := r.event()
		if err != nil {
			return events, err
		}
		events = append(events, event)
	}
	if r.at < len(r.b) {
		return events, r.problem(r.at, "%d bytes after the last event", len(r.b)-r.at)
	}
	return events, nil
}

// event reads an event. Its info can be before its type.
func (r *cborReader) event() (e Event, err error) {
	start := r.at
	major, _, n, err := r.head()
	if err != nil {
		return e, err
	}
	if major != cborMap {
		return e, r.problem(start, "an event is not a map")
	}
	size, err := r.length(start, n)
	if err != nil {
		return e, err
	}
	var info Field
	var release string
	var known fieldSet
	for range size {
		field, err := r.field(1)
		if err != nil {
			return e, err
		}
		key, first := known.add(field.Key)
		switch {
		case !first:
		case key == keyInfo:
			info = field
			continue
		case key == keyReleaseVersion && text(field.Value, &release):
			continue
		case e.set(key, field.Value):
			continue
		}
		e.Unknown = append(e.Unknown, field)
	}
	if e.SoftwareVersion == "" {
		e.SoftwareVersion = release
	} else if release != "" {
		e.Unknown = append(e.Unknown, Field{int64(keyReleaseVersion), release})
	}
	if info.Key != nil && !e.setInfo(info.Value) {
		e.Unknown = append(e.Unknown, info)
	}
	return e, nil
}

// fieldSet contains the small keys of a map that were read. It finds keys that are repeated.
type fieldSet uint16

// add adds a key. It returns it as a number, and whether it is a small number that was not there
// before.
func (s *fieldSet) add(key any) (int64, bool) {
	n, ok := key.(int64)
	if !ok || n < 0 || n >= 16 || *s&(1<<n) != 0 {
		return 0, false
	}
	*s |= 1 << n
	return n, true
}

func (s fieldSet) has(key int) bool { return s&(1<<key) != 0 }

// set sets a field. It reports whether the package knows the field and its value has the
// expected form.
func (e *Event) set(key int64, value any) bool {
	switch key {
	case keyCaptured:
		return timestamp(value, &e.Captured)
	case keyType:
		return number(value, &e.Type)
	case keySchema:
		return number(value, &e.Schema)
	case keyUserInfo:
		e.UserInfo = value
		return true
	case keyHardwareVersion:
		return text(value, &e.HardwareVersion)
	case keyDeviceSerial:
		return text(value, &e.DeviceSerial)
	case keySoftwareVersion:
		return text(value, &e.SoftwareVersion)
	case keySoftwareType:
		return text(value, &e.SoftwareType)
	case keyBuildID:
		return assign(value, &e.BuildID)
	default:
		return false
	}
}

// setInfo sets the part of the event that depends on its type. It reports whether the part has
// the expected form.
func (e *Event) setInfo(value any) bool {
	if e.Type == EventLogs || e.Type == EventLogsTimed {
		return e.setLogs(value)
	}
	fields, ok := value.([]Field)
	if !ok {
		return false
	}
	var set func(key int64, value any) bool
	switch e.Type {
	case EventHeartbeat:
		e.Heartbeat = &Heartbeat{Session: -1}
		set = e.Heartbeat.set
	case EventTrace:
		e.Trace = &Trace{}
		set = e.Trace.set
	case EventRecording:
		e.Recording = &Recording{}
		set = e.Recording.set
	default:
		return false
	}
	var known, accepted fieldSet
	for _, field := range fields {
		if key, first := known.add(field.Key); first && set(key, field.Value) {
			accepted.add(field.Key)
		} else {
			e.UnknownInfo = append(e.UnknownInfo, field)
		}
	}
	if e.Trace != nil {
		e.Trace.Reboot = accepted.has(traceReason) && accepted.has(traceCoredump)
	}
	return true
}

// assign sets target if value has its type.
func assign[T any](value any, target *T) bool {
	v, ok := value.(T)
	if ok {
		*target = v
	}
	return ok
}

// text sets target if value is a text.
func text(value any, target *string) bool { return assign(value, target) }

// number sets target if value is a number that any int can represent and that is not negative.
func number[T ~int](value any, target *T) bool {
	n, ok := value.(int64)
	if !ok || n < 0 || n > math.MaxInt32 {
		return false
	}
	*target = T(n)
	return true
}

// address sets target if value is a number that is not negative.
func address(value any, target *uint64) bool {
	if n, ok := value.(int64); ok && n >= 0 {
		*target = uint64(n)
		return true
	}
	return assign(value, target)
}

// maxTime is the last second of the year 9999.
const maxTime = 253402300799

// timestamp sets target if value is a Unix time. 0 means that the device has no clock.
func timestamp(value any, target *time.Time) bool {
	n, ok := value.(int64)
	if !ok || n < 0 || n > maxTime {
		return false
	}
	if n != 0 {
		*target = time.Unix(n, 0).UTC()
	}
	return true
}

// String describes in one line what happened, without the device and the time. Examples are
// "reboot PowerOnReset" and "heartbeat battery_level=87 temperature_c=-12". Texts of the device
// are quoted if they contain other than printable characters.
func (e Event) String() string {
	switch {
	case e.Heartbeat != nil:
		return e.Heartbeat.String()
	case e.Trace != nil:
		return e.Trace.String()
	case e.Recording != nil:
		return e.Recording.String()
	case e.Type == EventLogs || e.Type == EventLogsTimed:
		if len(e.Logs) == 1 {
			return "logs: 1 line"
		}
		return fmt.Sprintf("logs: %d lines", len(e.Logs))
	default:
		return "event of " + e.Type.String()
	}
}

// printable returns a text of a device in a form that can be printed as a word.
func printable(text string) string {
	if text == "" || strings.ContainsAny(text, ` "=`) || !isPrintable(text) {
		return strconv.Quote(text)
	}
	return text
}

// printableLine returns a text of a device in a form that can be printed in one line.
func printableLine(text string) string {
	if !isPrintable(text) {
		return strconv.Quote(text)
	}
	return text
}

func isPrintable(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
