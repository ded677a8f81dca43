package fakecloud

import (
	"cmp"
	"slices"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Trace describes a trace of a device.
type Trace struct {
	Issue           int64
	DeviceSerial    string
	SoftwareVersion string
	Reason          string
	Captured        time.Time
	Received        time.Time // now by default
	Coredump        bool      // from a coredump, not an event
	ELF             bool      // from the coredump of a Linux process
	Symbols         bool      // whether symbols of the coredump can be downloaded
}

type trace struct {
	Trace
	id, coredump, symbols int64
	device                *device
	title, signature      string
	message               string
	buildID, softwareType string   // of a coredump; empty if unknown
	threads               []object // of an imported trace; nil for the same stack as all others
	created               time.Time
}

func (t *trace) identity() int64 { return t.id }

// AddTraces adds traces of devices to the default project, and returns their IDs, or 0 for one that
// is not valid. The issue must exist.
func (c *Cloud) AddTraces(traces ...Trace) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []int64
	for _, t := range traces {
		if !c.accepts("a trace", required("serial", t.DeviceSerial), refersID("issue", t.Issue, c.seeded.issue(t.Issue) != nil)) {
			ids = append(ids, 0)
			continue
		}
		p, d := c.ensureDevice(t.DeviceSerial)
		ids = append(ids, c.addTrace(p, d, t).id)
	}
	return ids
}

func (c *Cloud) addTrace(p *project, d *device, t Trace) *trace {
	if t.SoftwareVersion != "" {
		c.ensureSoftwareVersion(p, cmp.Or(d.softwareType, primarySoftwareType), t.SoftwareVersion)
	}
	t.DeviceSerial = d.serial
	if t.Received.IsZero() {
		t.Received = c.now()
	}
	added := &trace{
		Trace: t, id: c.newID(), coredump: c.newID(), symbols: c.newID(), device: d, title: t.Reason + " at pump_start", created: c.now(),
	}
	p.diagnostics.traces = append(p.diagnostics.traces, added)
	return added
}

func (c *Cloud) traceHandlers() map[*operation.Operation]handler {
	traces := func(p *project) []*trace { return p.diagnostics.traces }
	return map[*operation.Operation]handler{
		operation.TracesList:       listTraces,
		operation.TracesRetrieve:   withID("Trace", "trace_id", traces, func(_ *request, t *trace) reply { return data(t.detail()) }),
		operation.CoredumpsList:    listCoredumps,
		operation.ELFCoredumpsList: listELFCoredumps,
	}
}

func (p *project) newestTraces() []*trace {
	traces := slices.Clone(p.diagnostics.traces)
	slices.SortStableFunc(traces, func(a, b *trace) int { return b.Captured.Compare(a.Captured) })
	return traces
}

func threads(t *trace) []object {
	if t.threads != nil {
		return t.threads
	}
	frame := object{
		"index": 0, "address": 0x08001234, "function": "pump_start", "file": "pump.c", "lineno": 42,
		"context": []object{}, "arguments": nil, "locals": nil,
	}
	unknown := object{"index": 1, "address": 0x08001000, "function": nil, "file": nil, "lineno": nil, "context": []object{}}
	return []object{{
		"tid": 1, "name": "main", "state": "running", "current": true, "crashed": true, "reporting": !t.ELF,
		"registers": []object{{"name": "pc", "value": 0x08001234}}, "stacktrace": []object{frame, unknown},
	}}
}

func (t *trace) view() object {
	source := "event"
	if t.Coredump {
		source = "coredump"
	}
	return object{
		"id": t.id, "issue_id": t.Issue, "title": t.title, "message": t.message, "reason": t.Reason,
		"signature": t.signature, "context": "", "source_type": source, "release": releaseRef(t.SoftwareVersion), "device": t.device.refView(),
		"entries":      object{"threads": threads(t), "faults": object{"notes": []object{}, "registers": []object{}}},
		"created_date": stamp(t.created), "captured_date": stamp(t.Captured), "received_date": stamp(t.Received),
	}
}

func (t *trace) detail() object {
	view := t.view()
	if !t.Coredump {
		return view
	}
	dump := object{"id": t.coredump}
	if t.Symbols {
		dump["symbol_file"] = object{"id": t.symbols, "downloadable": true}
	}
	name := "coredump"
	if t.ELF {
		name = "elf_coredump"
	}
	view[name] = dump
	return view
}

func listTraces(r *request) reply {
	traces := filter(r.project.newestTraces(), func(t *trace) bool {
		return r.wantsID("issue", t.Issue) && r.within(t.Captured, "since", "until")
	})
	return list(r, traces, (*trace).view)
}

func listCoredumps(r *request) reply {
	traces := filter(r.project.newestTraces(), func(t *trace) bool { return t.Coredump && !t.ELF })
	return list(r, traces, func(t *trace) object { return object{"id": t.coredump, "issue_id": t.Issue} })
}

// listELFCoredumps contains only IDs, because the other fields are unknown.
func listELFCoredumps(r *request) reply {
	traces := filter(r.project.newestTraces(), func(t *trace) bool {
		return t.Coredump && t.ELF && r.wants("device", t.DeviceSerial)
	})
	return list(r, traces, func(t *trace) object { return object{"id": t.coredump} })
}
