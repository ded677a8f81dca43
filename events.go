package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// EventsService reads the events that devices reported, and uploads events on behalf of
// devices.
type EventsService struct{ client *Client }

// Event is a report of a device, such as a heartbeat or a trace.
type Event struct {
	ID           int64           `json:"id"`
	Type         string          `json:"type"` // such as heartbeat or trace
	Device       DeviceRef       `json:"device"`
	Release      ReleaseRef      `json:"release"`
	SDKVersion   string          `json:"sdk_version"`
	EventInfo    EventInfo       `json:"event_info"`
	UserInfo     json.RawMessage `json:"user_info"` // custom data of the firmware, or null
	CreatedDate  Timestamp       `json:"created_date"`
	ReceivedDate Timestamp       `json:"received_date"`
	CapturedDate Timestamp       `json:"captured_date"` // by the clock of the device
}

// EventInfo contains the data of an event as JSON, because the form depends on the type of the
// event. A heartbeat has metrics. A trace has reason, a [RebootReason], and the registers pc,
// lr and sp.
type EventInfo struct{ json.RawMessage }

// Metrics returns the metrics of a heartbeat by name. Numbers are float64. For other events,
// Metrics returns nil.
func (e EventInfo) Metrics() map[string]any {
	var info struct {
		Metrics map[string]any `json:"metrics"`
	}
	// Data of another form has no metrics.
	_ = json.Unmarshal(e.RawMessage, &info)
	return info.Metrics
}

// Sort keys of events, by the clock of Memfault and by the clock of the device.
const (
	SortReceivedDate = "received_date"
	SortCapturedDate = "captured_date"
)

// EventListOptions filters and sorts events. The sort keys are [SortReceivedDate] and
// [SortCapturedDate].
//
// UNCERTAIN(event-since): with which time Since and Until are compared. If it is the time at which
// the device captured the event, by its own clock, events of a device whose clock is wrong are
// not found.
//
// UNCERTAIN(events-sort-created-date): whether Memfault also accepts [SortCreatedDate], which its
// example uses but its table of keys does not list.
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
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-events
func (s *EventsService) List(project ProjectRef, options EventListOptions, opts ...CallOption) *Pager[Event] {
	return list[Event](clientOf(s), operation.EventsList, project.path(), options, opts)
}

// Get returns an event. If the event does not exist, Get fails with [ErrNotFound].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-event
func (s *EventsService) Get(ctx context.Context, project ProjectRef, eventID int64, opts ...CallOption) (*Event, error) {
	return fetch[Event](ctx, clientOf(s), operation.EventsRetrieve, requestParams{path: project.path(pathID(eventID))}, opts)
}

// EventLogEntry is an entry of the event log. Other fields are unknown.
type EventLogEntry struct {
	Type         string          `json:"type"` // HEARTBEAT was observed
	DeviceSerial string          `json:"device_serial"`
	CapturedDate Timestamp       `json:"captured_date"`
	Summary      EventLogSummary `json:"summary"`
}

// EventLogSummary is the part of an event that the event log contains.
type EventLogSummary struct {
	EventInfo EventInfo `json:"event_info"`
}

// EventLogListOptions selects a page of the event log.
type EventLogListOptions struct {
	ListOptions
}

// ListEventLog returns the event log of a project.
//
// UNCERTAIN(event-log-exists): whether the operation still exists. Newer versions of the tests in
// which it was observed use [EventsService.ListChroniclerLogs] instead.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in tests of a chip maker from 2024.
func (s *EventsService) ListEventLog(project ProjectRef, options EventLogListOptions, opts ...CallOption) *Pager[EventLogEntry] {
	return list[EventLogEntry](clientOf(s), operation.EventLogList, project.path(), options, opts)
}

// ChroniclerLog is a note of Memfault about data that it received. Other fields are unknown.
type ChroniclerLog struct {
	EventData ChroniclerEventData `json:"event_data"`
}

// ChroniclerEventData is the data of a [ChroniclerLog].
type ChroniclerEventData struct {
	ReceivedEvent *ReceivedEvent `json:"received_event"` // nil if the note has another subject
}

// ReceivedEvent is an event as Memfault received it.
type ReceivedEvent struct {
	CapturedDate Timestamp `json:"captured_date"`
	EventInfo    EventInfo `json:"event_info"`
}

// ChroniclerEventType is the subject of a [ChroniclerLog].
type ChroniclerEventType string

// Types of chronicler logs that were observed.
const (
	ChroniclerReceivedReboot    ChroniclerEventType = "ReceivedDataRebootEvent"
	ChroniclerReceivedHeartbeat ChroniclerEventType = "ReceivedDataHeartbeatEvent"
	ChroniclerReceivedTrace     ChroniclerEventType = "ReceivedDataTraceEvent"
)

// ChroniclerLevel is the severity of a [ChroniclerLog].
type ChroniclerLevel string

// Levels of chronicler logs that were observed.
const (
	ChroniclerLevelInfo  ChroniclerLevel = "INFO"
	ChroniclerLevelError ChroniclerLevel = "ERROR"
)

// ChroniclerLogListOptions filters chronicler logs.
type ChroniclerLogListOptions struct {
	ListOptions
	DeviceID     int64                 `url:"device_id,omitempty"`
	DeviceSerial string                `url:"device_serial,omitempty"`
	EventTypes   []ChroniclerEventType `url:"event_types,omitempty"`
	Levels       []ChroniclerLevel     `url:"levels,omitempty"`
	Start        Timestamp             `url:"start,omitempty"`
	End          Timestamp             `url:"end,omitempty"`
}

// ListChroniclerLogs returns the notes of Memfault about data that it received, including
// errors.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in tests of a chip maker.
func (s *EventsService) ListChroniclerLogs(project ProjectRef, options ChroniclerLogListOptions, opts ...CallOption) *Pager[ChroniclerLog] {
	return list[ChroniclerLog](clientOf(s), operation.ChroniclerLogsList, project.path(), options, opts)
}
