package fakecloud

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/operation"
)

// uploadedEvent is an event of a request. Its fields are decoded one by one, because each
// invalid field is reported.
type uploadedEvent map[string]json.RawMessage

func (c *Cloud) eventUploadHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{operation.EventsUpload: c.uploadEvents}
}

// uploadEvents accepts all events or, if one is invalid, none.
func (c *Cloud) uploadEvents(r *request) reply {
	var events []uploadedEvent
	if refused, ok := r.decode(&events); !ok {
		return refused
	}
	refused := object{}
	for i, e := range events {
		if why := e.check(); len(why) > 0 {
			refused[strconv.Itoa(i)] = why
		}
	}
	if len(refused) > 0 {
		return failure(http.StatusBadRequest, 1000, "InvalidUsageError", refused)
	}
	for _, e := range events {
		c.keepEvent(r.project, e)
	}
	return c.acceptedTask(r)
}

func (e uploadedEvent) text(name string) string {
	var text string
	_ = json.Unmarshal(e[name], &text) // a value of another type counts as missing
	return text
}

// check returns the errors by field.
func (e uploadedEvent) check() object {
	missing, wrong := []string{"Missing data for required field."}, object{}
	for _, name := range []string{"type", "device_serial", "hardware_version", "sdk_version"} {
		if e.text(name) == "" {
			wrong[name] = missing
		}
	}
	if (e.text("software_type") == "" || e.text("software_version") == "") && e.text("release_version") == "" && e.text("fw_version") == "" {
		wrong["software_version"] = missing
	}
	if e["captured_date"] != nil {
		if _, err := time.Parse("2006-01-02T15:04:05.999999Z", e.text("captured_date")); err != nil {
			wrong["captured_date"] = []string{"Not a valid datetime."}
		}
	}
	if why := e.checkInfo(); len(why) > 0 {
		wrong["event_info"] = why
	}
	return wrong
}

func (e uploadedEvent) checkInfo() object {
	var info map[string]any
	if json.Unmarshal(e["event_info"], &info) != nil && e["event_info"] != nil {
		return object{"_schema": []string{"Invalid input type."}}
	}
	notInteger, wrong := []string{"Not a valid integer."}, object{}
	switch e.text("type") {
	case "heartbeat":
		metrics, _ := info["metrics"].(map[string]any)
		refused := object{}
		for name, value := range metrics {
			if _, ok := value.(float64); !ok {
				refused[name] = object{"value": notInteger}
			}
		}
		if len(refused) > 0 {
			wrong["metrics"] = refused
		}
	case "trace":
		for _, name := range []string{"reason", "pc"} {
			if _, ok := info[name].(float64); !ok {
				wrong[name] = notInteger
			}
		}
	}
	return wrong
}

// keepEvent stores an event. Its version is the current version of the device.
func (c *Cloud) keepEvent(p *project, e uploadedEvent) {
	serial, version := e.text("device_serial"), e.text("release_version")+e.text("fw_version")
	if e.text("software_version") != "" {
		version = e.text("software_version")
	}
	d := c.received(p, traits{serial, e.text("hardware_version"), e.text("software_type"), version}, true)
	kept := Event{DeviceSerial: serial, Type: strings.ToLower(e.text("type")), SoftwareVersion: version, Received: c.now()}
	if kept.Captured, _ = time.Parse(time.RFC3339, e.text("captured_date")); kept.Captured.IsZero() {
		kept.Captured = kept.Received
	}
	kept.Info, kept.UserInfo = e["event_info"], e["user_info"]
	c.addEvent(p, d, kept)
	if kept.Type == "trace" {
		c.applyTraceEvent(p, d, kept)
	}
}

// applyTraceEvent creates a trace from an event with the type trace, whose info checkInfo has
// checked. The trace has the place of the fault in its title, instead of a function.
func (c *Cloud) applyTraceEvent(p *project, d *device, e Event) {
	var info struct{ Reason, PC float64 }
	text, _ := e.Info.(json.RawMessage)
	_ = json.Unmarshal(text, &info)
	t := c.addTrace(p, d, Trace{SoftwareVersion: e.SoftwareVersion, Reason: chunk.ReasonName(int(info.Reason)), Captured: e.Captured})
	c.assignIssue(p, t, fmt.Sprintf("%#x", int64(info.PC)))
}
