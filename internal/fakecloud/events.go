package fakecloud

import (
	"cmp"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Event describes an event of a device.
type Event struct {
	DeviceSerial    string
	Type            string // heartbeat by default
	SoftwareVersion string
	Info            any
	UserInfo        any
	Captured        time.Time
	Received        time.Time // Captured by default
}

type event struct {
	Event
	id      int64
	device  *device
	created time.Time
}

func (e *event) identity() int64 { return e.id }

// AddEvents adds events of devices to the default project, and returns their IDs.
func (c *Cloud) AddEvents(events ...Event) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []int64
	for _, e := range events {
		if !c.accepts("an event", required("serial", e.DeviceSerial)) {
			ids = append(ids, 0)
			continue
		}
		p, d := c.ensureDevice(e.DeviceSerial)
		ids = append(ids, c.addEvent(p, d, e))
	}
	return ids
}

func (c *Cloud) addEvent(p *project, d *device, e Event) (id int64) {
	e.DeviceSerial = d.serial
	e.Type = cmp.Or(e.Type, "heartbeat")
	if e.Received.IsZero() {
		e.Received = e.Captured
	}
	added := &event{Event: e, id: c.newID(), device: d, created: c.now()}
	p.diagnostics.events = append(p.diagnostics.events, added)
	return added.id
}

func (c *Cloud) eventHandlers() map[*operation.Operation]handler {
	events := func(p *project) []*event { return p.diagnostics.events }
	return map[*operation.Operation]handler{
		operation.EventsList:         listEvents,
		operation.EventsRetrieve:     withID("Event", "event_id", events, func(_ *request, e *event) reply { return data(e.view()) }),
		operation.EventLogList:       listEventLog,
		operation.ChroniclerLogsList: listChroniclerLogs,
	}
}

func (e *event) view() object {
	return object{
		"id": e.id, "type": e.Type, "device": e.device.refView(), "release": releaseRef(e.SoftwareVersion),
		"event_info": e.Info, "user_info": e.UserInfo, "created_date": stamp(e.created),
		"received_date": stamp(e.Received), "captured_date": stamp(e.Captured),
	}
}

func listEvents(r *request) reply {
	events := filter(r.project.diagnostics.events, func(e *event) bool {
		return r.wants("device", e.DeviceSerial) && r.wants("type", e.Type) && r.wants("release", e.SoftwareVersion) &&
			r.wants("cohort", e.device.cohort.slug) && r.within(e.Captured, "since", "until")
	})
	sortBy(r, events, "received_date", func(a, b *event) int { return a.Received.Compare(b.Received) })
	sortBy(r, events, "captured_date", func(a, b *event) int { return a.Captured.Compare(b.Captured) })
	return list(r, events, (*event).view)
}

func listEventLog(r *request) reply {
	return list(r, r.project.diagnostics.events, func(e *event) object {
		return object{
			"type": strings.ToUpper(e.Type), "device_serial": e.DeviceSerial, "captured_date": stamp(e.Captured),
			"summary": object{"event_info": e.Info},
		}
	})
}

// chroniclerTypes maps types of events to types of chronicler logs.
var chroniclerTypes = map[string]string{
	"reboot": "ReceivedDataRebootEvent", "heartbeat": "ReceivedDataHeartbeatEvent", "trace": "ReceivedDataTraceEvent",
}

func listChroniclerLogs(r *request) reply {
	events := filter(r.project.diagnostics.events, func(e *event) bool {
		return r.wantsID("device_id", e.device.id) && r.wants("device_serial", e.DeviceSerial) &&
			r.wants("event_types", chroniclerTypes[e.Type]) && r.wants("levels", "INFO") && r.within(e.Received, "start", "end")
	})
	return list(r, events, func(e *event) object {
		return object{"event_data": object{"received_event": object{"captured_date": stamp(e.Captured), "event_info": e.Info}}}
	})
}
