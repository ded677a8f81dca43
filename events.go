package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// EventsService reads what devices reported.
type EventsService struct{ client *Client }

// Event is one thing that a device reported, such as a heartbeat or a trace.
type Event struct {
	ID           int64           `json:"id"`
	Type         string          `json:"type"` // such as heartbeat or trace
	Device       DeviceRef       `json:"device"`
	Release      ReleaseRef      `json:"release"`
	SDKVersion   string          `json:"sdk_version"`
	EventInfo    EventInfo       `json:"event_info"`
	UserInfo     json.RawMessage `json:"user_info"` // data of the firmware's own, or null
	CreatedDate  Timestamp       `json:"created_date"`
	ReceivedDate Timestamp       `json:"received_date"`
	CapturedDate Timestamp       `json:"captured_date"` // by the device's clock
}

// EventInfo is what an event tells, as JSON, because its form depends on the type
// of the event: a heartbeat has metrics; a trace has reason, a RebootReason, and the
// registers pc, lr and sp.
type EventInfo struct{ json.RawMessage }

// Metrics returns the metrics of a heartbeat by their names, numbers as float64. It
// is empty for other events.
func (e EventInfo) Metrics() map[string]any {
	var info struct {
		Metrics map[string]any `json:"metrics"`
	}
	// What is not an object with metrics has none.
	_ = json.Unmarshal(e.RawMessage, &info)
	return info.Metrics
}

// The sort keys of events, by the clock of the cloud and by that of the device.
const (
	SortReceivedDate = "received_date"
	SortCapturedDate = "captured_date"
)

// EventListOptions selects events. Its sort keys are SortReceivedDate and
// SortCapturedDate.
type EventListOptions struct {
	ListOptions
	Device  []string  `url:"device,omitempty"` // serials
	Type    []string  `url:"type,omitempty"`
	Since   Timestamp `url:"since,omitempty"`
	Until   Timestamp `url:"until,omitempty"`
	Release []string  `url:"release,omitempty"` // versions
	Cohort  []string  `url:"cohort,omitempty"`  // slugs
}

// List returns the events of a project.
//
// Memfault: https://docs.memfault.com/api/list-events
func (s *EventsService) List(project ProjectRef, options EventListOptions, opts ...CallOption) *Pager[Event] {
	return list[Event](clientOf(s), operation.EventsList, project.path(), options, opts)
}

// Get returns an event; one that is unknown is ErrNotFound.
//
// Memfault: https://docs.memfault.com/api/retrieve-event
func (s *EventsService) Get(ctx context.Context, project ProjectRef, eventID int64, opts ...CallOption) (*Event, error) {
	return fetch[Event](ctx, clientOf(s), operation.EventsRetrieve, input{path: project.path(pathID(eventID))}, opts)
}

// EventLogEntry is an entry of the event log. Its other fields are unknown.
type EventLogEntry struct {
	Type         string          `json:"type"` // HEARTBEAT was seen
	DeviceSerial string          `json:"device_serial"`
	CapturedDate Timestamp       `json:"captured_date"`
	Summary      EventLogSummary `json:"summary"`
}

// EventLogSummary is the part of an event that the event log keeps.
type EventLogSummary struct {
	EventInfo EventInfo `json:"event_info"`
}

// EventLogListOptions selects entries of the event log.
type EventLogListOptions struct {
	ListOptions
}

// ListEventLog returns the event log of a project. Seen only in a chip maker's tests of
// 2024, which read the chronicler logs today; not documented by Memfault. Whether
// it still exists is UNCERTAIN.
func (s *EventsService) ListEventLog(project ProjectRef, options EventLogListOptions, opts ...CallOption) *Pager[EventLogEntry] {
	return list[EventLogEntry](clientOf(s), operation.EventLogList, project.path(), options, opts)
}

// ChroniclerLog is what the cloud noted about data that it received. Its other
// fields are unknown.
type ChroniclerLog struct {
	EventData ChroniclerEventData `json:"event_data"`
}

// ChroniclerEventData is the data of a ChroniclerLog.
type ChroniclerEventData struct {
	ReceivedEvent *ReceivedEvent `json:"received_event"` // nil when the note is of something else
}

// ReceivedEvent is an event as the cloud received it.
type ReceivedEvent struct {
	CapturedDate Timestamp `json:"captured_date"`
	EventInfo    EventInfo `json:"event_info"`
}

// ChroniclerEventType is what a ChroniclerLog is about.
type ChroniclerEventType string

// The types of chronicler logs that were seen.
const (
	ChroniclerReceivedReboot    ChroniclerEventType = "ReceivedDataRebootEvent"
	ChroniclerReceivedHeartbeat ChroniclerEventType = "ReceivedDataHeartbeatEvent"
	ChroniclerReceivedTrace     ChroniclerEventType = "ReceivedDataTraceEvent"
)

// ChroniclerLevel is how grave a ChroniclerLog is.
type ChroniclerLevel string

// The levels of chronicler logs that were seen.
const (
	ChroniclerLevelInfo  ChroniclerLevel = "INFO"
	ChroniclerLevelError ChroniclerLevel = "ERROR"
)

// ChroniclerLogListOptions selects chronicler logs.
type ChroniclerLogListOptions struct {
	ListOptions
	DeviceID     int64                 `url:"device_id,omitempty"`
	DeviceSerial string                `url:"device_serial,omitempty"`
	EventTypes   []ChroniclerEventType `url:"event_types,omitempty"`
	Levels       []ChroniclerLevel     `url:"levels,omitempty"`
	Start        Timestamp             `url:"start,omitempty"`
	End          Timestamp             `url:"end,omitempty"`
}

// ListChroniclerLogs returns what the cloud noted about the data that it received,
// errors included. Seen only in a chip maker's tests; not documented by Memfault.
func (s *EventsService) ListChroniclerLogs(project ProjectRef, options ChroniclerLogListOptions, opts ...CallOption) *Pager[ChroniclerLog] {
	return list[ChroniclerLog](clientOf(s), operation.ChroniclerLogsList, project.path(), options, opts)
}
