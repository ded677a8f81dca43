package memfault

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/memfault-go/memfault/internal/operation"
)

// The types of events whose form is known.
const (
	EventTypeHeartbeat = "heartbeat"
	EventTypeTrace     = "trace"
)

// eventSDKVersion is the form of an event with a software type and version.
const eventSDKVersion = "0.5.0"

// EventCreate is an event that is sent for a device.
//
// Memfault's text names the version ReleaseVersion and free data ExtraInfo; programs
// of today send SoftwareType with SoftwareVersion, and UserInfo, and older ones
// FWVersion with the SDKVersion 0.1.0. Prefer what programs of today do.
type EventCreate struct {
	Type            string    `json:"type"`             // required: EventTypeHeartbeat, EventTypeTrace, or another
	DeviceSerial    string    `json:"device_serial"`    // required
	HardwareVersion string    `json:"hardware_version"` // required
	SDKVersion      string    `json:"sdk_version"`      // the form of the event; 0.5.0 when empty and SoftwareVersion is set
	SoftwareType    string    `json:"software_type,omitempty"`
	SoftwareVersion string    `json:"software_version,omitempty"`
	ReleaseVersion  string    `json:"release_version,omitempty"` // in place of SoftwareVersion
	FWVersion       string    `json:"fw_version,omitempty"`      // in place of SoftwareVersion
	EventInfo       any       `json:"event_info,omitempty"`      // a HeartbeatInfo, a TraceInfo, or what encodes to a JSON object
	CapturedDate    Timestamp `json:"captured_date,omitzero"`    // by the device's clock; when it was received, when zero
	UserInfo        any       `json:"user_info,omitempty"`       // data of the firmware's own
	ExtraInfo       any       `json:"extra_info,omitempty"`      // likewise
}

// HeartbeatInfo is the EventInfo of a heartbeat. Whole numbers are sent without a
// fraction, and exactly up to 2⁵³.
type HeartbeatInfo struct {
	Metrics map[string]float64 `json:"metrics"`
}

// TraceInfo is the EventInfo of a trace. LR and SP are not sent when zero.
type TraceInfo struct {
	Reason RebootReason `json:"reason"`
	PC     uint64       `json:"pc"`
	LR     uint64       `json:"lr,omitempty"`
	SP     uint64       `json:"sp,omitempty"`
}

// encode returns the event as it is sent.
func (e EventCreate) encode() (json.RawMessage, error) {
	if e.SDKVersion == "" && e.SoftwareVersion != "" {
		e.SDKVersion = eventSDKVersion
	}
	switch {
	case e.Type == "":
		return nil, errors.New("the Type is empty")
	case e.DeviceSerial == "":
		return nil, errors.New("the DeviceSerial is empty")
	case e.HardwareVersion == "":
		return nil, errors.New("the HardwareVersion is empty")
	case e.SoftwareVersion == "" && e.ReleaseVersion == "" && e.FWVersion == "":
		return nil, errors.New("the SoftwareVersion is empty, and so are ReleaseVersion and FWVersion")
	case e.SoftwareVersion != "" && e.SoftwareType == "":
		return nil, errors.New("the SoftwareType is empty")
	case e.SDKVersion == "":
		return nil, errors.New("the SDKVersion is empty")
	}
	return json.Marshal(e)
}

// Upload sends events of any devices of the project whose ProjectKey the client
// holds. It is for gateways that make events themselves; those that a firmware made
// are chunks. Memfault processes them later, as the task that Response.TaskID names,
// and drops without a word what is beyond a device's limits, such as more than 100
// heartbeats in a day.
//
// It is sent once, except on a 429: after an error of another kind the events may
// have arrived or not. If one event is refused, all are; Error.ItemErrors tells which
// and why. What can be checked here fails before anything is sent, with the index of
// the event.
//
// Memfault: https://docs.memfault.com/api/events
func (s *EventsService) Upload(ctx context.Context, events []EventCreate, opts ...CallOption) error {
	op := operation.Get(operation.EventsUpload)
	if len(events) == 0 {
		return invalid("%s: there are no events", op.Name)
	}
	body := make([]json.RawMessage, 0, len(events))
	for i, event := range events {
		encoded, err := event.encode()
		if err != nil {
			return invalid("%s: event %d: %w", op.Name, i, err)
		}
		body = append(body, encoded)
	}
	return exec(ctx, clientOf(s), operation.EventsUpload, requestParams{body: body}, opts)
}
