package fakecloud

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/memfault-go/memfault/chunk"
)

// Limits of what the cloud keeps of the data in messages. The oldest go first.
const (
	maxKept       = 10_000 // events, traces, reports and recordings of a project, each
	maxKeptDevice = 1_000  // reboots and log files of a device, each
)

// keepLast drops the oldest items.
func keepLast[T any](items *[]T, most int) {
	if extra := len(*items) - most; extra > 0 {
		*items = slices.Delete(*items, 0, extra)
	}
}

// applyMessage applies the consequences of a message that arrived for a device.
//
// UNCERTAIN(chunk-device): the device of a message whose data names another serial than the
// address of the request. Here it is that of the data, and the device of the address exists too.
// The project key in a message is ignored.
func (c *Cloud) applyMessage(p *project, serial string, m *chunk.Message) {
	switch m.Type {
	case chunk.MessageCoredump:
		dump, err := m.Coredump()
		c.logUnreadable(p, serial, err)
		c.applyCoredump(p, traits{serial: serial}, dump, newBlob(m.Payload))
	case chunk.MessageEvent, chunk.MessageLog, chunk.MessageRecording:
		events, err := m.Events()
		c.logUnreadable(p, serial, err)
		for i := range events {
			c.applyEvent(p, serial, &events[i])
		}
	}
}

// logUnreadable adds an entry for data that arrived intact and has another form than expected.
func (c *Cloud) logUnreadable(p *project, serial string, err error) {
	if err != nil {
		c.logProcessing(p, ProcessingLogEntry{DeviceSerial: serial, Message: "Unreadable data: " + err.Error()})
	}
}

// named returns the traits of the device that data names, with those of the request where it names
// none. If a name is not valid, it adds an entry, and ok is false.
func (c *Cloud) named(p *project, request, data traits) (t traits, ok bool) {
	t = traits{
		cmp.Or(data.serial, request.serial), cmp.Or(data.hardware, request.hardware),
		cmp.Or(data.softwareType, request.softwareType), cmp.Or(data.version, request.version),
	}
	for field, valid := range map[string]bool{
		"device serial": t.serial == "" || slugForm.MatchString(t.serial), "hardware version": t.hardware == "" || versionForm.MatchString(t.hardware),
		"software version": t.version == "" || versionForm.MatchString(t.version), "software type": utf8.ValidString(t.softwareType),
	} {
		if !valid {
			c.logProcessing(p, ProcessingLogEntry{DeviceSerial: request.serial, Message: "Unreadable data: the " + field + " is not valid"})
			return t, false
		}
	}
	return t, true
}

// applyEvent applies the consequences of an event. The time of an event of a device without a
// clock is that of its arrival.
func (c *Cloud) applyEvent(p *project, serial string, e *chunk.Event) {
	t, ok := c.named(p, traits{serial: serial}, traits{e.DeviceSerial, e.HardwareVersion, e.SoftwareType, e.SoftwareVersion})
	if !ok {
		return
	}
	d := c.received(p, t, true)
	kept := Event{Type: e.Type.String(), SoftwareVersion: t.version, Captured: cmp.Or(e.Captured, c.now()), Received: c.now(), UserInfo: jsonOf(e.UserInfo)}
	c.nameMetrics(p, t, e)
	switch {
	case e.Heartbeat != nil:
		kept.Info = object{"metrics": c.applyHeartbeat(p, d, e.Heartbeat, kept.Captured)}
	case e.Trace != nil:
		if e.Trace.Reboot {
			kept.Type = "reboot"
		}
		kept.Info = traceInfo(e.Trace)
		c.applyTraceOf(p, d, t, e, kept.Captured)
	case e.Logs != nil:
		kept.Info = object{"lines": len(e.Logs)}
		d.logFiles = append(d.logFiles, c.newLogFile(LogFile{ID: c.newUUID(), Content: logLines(e.Logs)}))
		keepLast(&d.logFiles, maxKeptDevice)
	case e.Recording != nil:
		kept.Info = object{"reason": e.Recording.Reason}
		c.addRecording(p, d, Recording{
			DeviceSerial: d.serial, Reason: e.Recording.Reason, Start: kept.Captured, End: kept.Captured.Add(e.Recording.Duration),
			MIMETypes: e.Recording.MIMETypes, Content: append([]byte{}, e.Recording.Data...),
		})
		if extra := len(p.diagnostics.recordings) - maxKept; extra > 0 {
			for _, old := range p.diagnostics.recordings[:extra] {
				delete(p.diagnostics.files, fileKey("recording", old.id))
			}
			keepLast(&p.diagnostics.recordings, maxKept)
		}
	}
	c.addEvent(p, d, kept)
	keepLast(&p.diagnostics.events, maxKept)
}

// jsonOf returns a value of CBOR as a value that can be encoded to JSON. Keys become texts.
func jsonOf(value any) any {
	switch v := value.(type) {
	case []any:
		all := []any{}
		for _, item := range v {
			all = append(all, jsonOf(item))
		}
		return all
	case []chunk.Field:
		all := object{}
		for _, f := range v {
			all[fmt.Sprint(f.Key)] = jsonOf(f.Value)
		}
		return all
	case chunk.Tagged:
		return jsonOf(v.Value)
	case float64:
		if v-v != 0 { // JSON has neither infinity nor NaN
			return nil
		}
	}
	return value
}

// nameMetrics adds the names that the symbols of the firmware or the test define.
func (c *Cloud) nameMetrics(p *project, t traits, e *chunk.Event) {
	if s := p.symbolsFor(hex.EncodeToString(e.BuildID), cmp.Or(t.softwareType, primarySoftwareType), t.version); s != nil && s.names != nil {
		if err := s.names.Apply([]chunk.Event{*e}); err != nil {
			c.logUnreadable(p, t.serial, err)
		}
	}
	if h := e.Heartbeat; h != nil && !slices.ContainsFunc(h.Metrics, func(m chunk.Metric) bool { return m.Name != "" }) {
		for _, names := range p.metricNames {
			if len(names) == len(h.Metrics) {
				for i := range names {
					h.Metrics[i].Name = names[i]
				}
			}
		}
	}
}

// AddMetricNames adds the names of the metrics of heartbeats of the default project, in their order
// in the firmware. They apply to heartbeats with so many metrics whose symbols the cloud does not
// have. Of two lists of the same length, the later one applies.
func (c *Cloud) AddMetricNames(names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, name := range names {
		switch {
		case !c.accepts("a metric", required("name", name)):
			return
		case slices.Contains(names[:i], name):
			c.recorder.addViolation(fmt.Sprintf("the test adds the metric %q twice", name))
			return
		}
	}
	c.seeded.metricNames = append(c.seeded.metricNames, slices.Clone(names))
}

// applyHeartbeat adds a report, and sets the attributes of the project that have the name of a
// metric. It returns the metrics that have a name and a value. Memfault divides some values by a
// scale, which only the build of the firmware knows; here, values are as they were sent.
func (c *Cloud) applyHeartbeat(p *project, d *device, h *chunk.Heartbeat, at time.Time) object {
	metrics, unnamed := object{}, 0
	for _, m := range h.Metrics {
		switch {
		case m.Value == nil:
		case m.Name == "":
			unnamed++
		default:
			metrics[m.Name] = jsonOf(m.Value)
			if known := p.metric(m.Name); known != nil {
				c.setMetric(p, d, known, m.Value, at)
			}
		}
	}
	if unnamed > 0 {
		c.logProcessing(p, ProcessingLogEntry{DeviceSerial: d.serial, Message: fmt.Sprintf("The names of %d metrics are unknown: no symbols", unnamed)})
	}
	if len(metrics) > 0 {
		p.diagnostics.reports = append(p.diagnostics.reports, Report{DeviceSerial: d.serial, Metrics: metrics, Start: at, End: at})
		keepLast(&p.diagnostics.reports, maxKept)
	}
	return metrics
}

// setMetric sets the attribute of a device, unless the value has another type than the attribute.
func (c *Cloud) setMetric(p *project, d *device, known *customMetric, value any, at time.Time) {
	switch v := value.(type) {
	case int64:
		value = int(v)
	case uint64:
		value = float64(v)
	}
	if !known.fits(value) {
		c.logProcessing(p, ProcessingLogEntry{DeviceSerial: d.serial, Message: fmt.Sprintf("The metric %s is not a valid %s", known.key, known.dataType)})
		return
	}
	c.setAttribute(p, d, known.key, value, at)
}

// logLines returns the lines of a log. A line in the compact form is not decoded.
func logLines(lines []chunk.LogLine) []byte {
	var b bytes.Buffer
	for _, line := range lines {
		if !line.Time.IsZero() {
			b.WriteString(line.Time.UTC().Format(time.RFC3339) + " ")
		}
		level := line.Level.String()
		fmt.Fprintf(&b, "[%c] ", bytes.ToUpper([]byte(level))[0])
		if line.Compact != nil {
			fmt.Fprintf(&b, "(compact log, %d bytes)\n", len(line.Compact))
			continue
		}
		b.WriteString(line.Text + "\n")
	}
	return b.Bytes()
}

// traceInfo is the event_info of a trace, with the names of the API's own trace events.
func traceInfo(t *chunk.Trace) object {
	info := object{"pc": t.PC, "lr": t.LR}
	if t.UserReason != nil {
		info["user_reason"] = *t.UserReason
	} else {
		info["reason"] = t.Reason
	}
	if t.Status != nil {
		info["status"] = *t.Status
	}
	if t.Log != "" {
		info["log"] = t.Log
	}
	return info
}

// applyTraceOf adds a reboot or a trace. The trace has the log that came along as its message.
//
// UNCERTAIN(reboot-issue): which reboots become a trace with an issue. Here it is an error without
// a coredump; if one was saved, it brings the trace.
//
// UNCERTAIN(trace-log): in which field of a trace the log of the firmware is.
func (c *Cloud) applyTraceOf(p *project, d *device, of traits, e *chunk.Event, at time.Time) {
	t := e.Trace
	reason := chunk.ReasonName(t.Reason)
	switch {
	case t.Reboot:
		d.reboots = append(d.reboots, Reboot{Reason: t.Reason, Time: at, Register: t.ResetRegister})
		keepLast(&d.reboots, maxKeptDevice)
		if t.Reason < firstError || t.CoredumpSaved {
			return
		}
	case t.UserReasonName != "":
		reason = t.UserReasonName
	case t.UserReason != nil:
		reason = fmt.Sprintf("trace reason %d", *t.UserReason)
	}
	added := c.addTrace(p, d, Trace{SoftwareVersion: of.version, Reason: reason, Captured: at})
	added.message, added.threads = t.Log, threadAt(t.PC, t.LR)
	c.assignIssue(p, added, placeOf(t.PC))
	c.trimTraces(p)
}

// firstError is the lowest reason that is an error.
const firstError = 0x8000

// placeOf returns the place of a fault, as an address because it takes symbols to find its function.
func placeOf(pc uint64) string {
	if pc == 0 {
		return ""
	}
	return fmt.Sprintf("%#x", pc)
}

// threadAt returns the threads of a trace, of which only the place and its caller are known.
func threadAt(addresses ...uint64) []object {
	frames := []object{}
	for _, address := range addresses {
		if address != 0 {
			frames = append(frames, object{"index": len(frames), "address": address, "function": nil, "file": nil, "lineno": nil, "context": []object{}})
		}
	}
	if len(frames) == 0 {
		return []object{}
	}
	return []object{{
		"tid": 1, "name": "", "state": "", "current": true, "crashed": true, "reporting": false, "registers": []object{}, "stacktrace": frames,
	}}
}

func (c *Cloud) trimTraces(p *project) {
	if extra := len(p.diagnostics.traces) - maxKept; extra > 0 {
		for _, old := range p.diagnostics.traces[:extra] {
			delete(p.diagnostics.files, fileKey("coredump", old.coredump))
			delete(p.diagnostics.files, fileKey("elf", old.coredump))
		}
		keepLast(&p.diagnostics.traces, maxKept)
	}
}

// applyCoredump creates a trace from a coredump that came as a message or as a file; dump is nil if
// it cannot be read. The software in the coredump is the one that crashed: it does not replace a
// newer version of the device. The cloud does not convert coredumps to ELF: that download stays
// empty, as while Memfault processes a coredump.
func (c *Cloud) applyCoredump(p *project, request traits, dump *chunk.Coredump, content *blob) {
	if dump == nil {
		dump = &chunk.Coredump{}
	}
	of, ok := c.named(p, request, traits{dump.DeviceSerial, dump.HardwareVersion, dump.SoftwareType, dump.SoftwareVersion})
	if !ok {
		of = request
	}
	if of.serial == "" {
		of.serial = unknownSerial
		c.logProcessing(p, ProcessingLogEntry{Message: "The device of a coredump is unknown"})
	}
	d := c.received(p, of, false)
	t := c.addTrace(p, d, Trace{
		SoftwareVersion: cmp.Or(of.version, d.softwareVersion), Reason: chunk.ReasonName(dump.Reason), Captured: c.now(), Coredump: true,
	})
	pc, lr := dumpedPlace(dump)
	t.threads, t.buildID, t.softwareType = threadAt(pc, lr), hex.EncodeToString(dump.BuildID), cmp.Or(of.softwareType, d.softwareType)
	c.assignIssue(p, t, placeOf(pc))
	c.storeCoredump(p, t, coredumpFiles{dump: content, elf: newBlob(nil)})
	p.bindSymbols(t)
	c.trimTraces(p)
}

// dumpedPlace returns the program counter and the link register of the first thread, if the
// processor is an ARM whose registers have the order of the firmware SDK. Otherwise it returns 0.
func dumpedPlace(dump *chunk.Coredump) (pc, lr uint64) {
	const first, words = 14, 16 // r0 to r12, sp, lr, pc
	if dump.Machine != elf.EM_ARM || len(dump.Registers) == 0 || len(dump.Registers[0]) < 4*words {
		return 0, 0
	}
	registers := dump.Registers[0][4*first:]
	return uint64(binary.LittleEndian.Uint32(registers[4:])), uint64(binary.LittleEndian.Uint32(registers))
}

// symbols is a symbol file of a project.
type symbols struct {
	file                           int64
	buildID, softwareType, version string // empty if unknown
	names                          *chunk.Names
}

// symbolsFor returns the latest symbol file of a build, or nil. The build ID decides, which can be
// only the start of the whole. Without one, the software version does.
func (p *project) symbolsFor(buildID, softwareType, version string) *symbols {
	for _, s := range slices.Backward(p.symbols) {
		if buildID != "" && s.buildID != "" {
			if len(buildID) <= len(s.buildID) && s.buildID[:len(buildID)] == buildID {
				return s
			}
		} else if version != "" && s.softwareType == softwareType && s.version == version {
			return s
		}
	}
	return nil
}

// bindSymbols gives a coredump the symbols of its build, if the project has them.
func (p *project) bindSymbols(t *trace) {
	if s := p.symbolsFor(t.buildID, t.softwareType, t.SoftwareVersion); s != nil {
		t.Symbols, t.symbols = true, s.file
	}
}
