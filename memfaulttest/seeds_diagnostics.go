package memfaulttest

import (
	"time"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// Issue is an issue of the project. Its counts and times follow from its traces.
type Issue struct {
	Title     string
	Message   string
	Reason    string
	Signature string
	Status    string // "open" by default
}

// AddIssues adds issues and returns their IDs.
func (s *Server) AddIssues(issues ...Issue) []int64 {
	return convert(issues, func(i Issue) int64 { return s.cloud.AddIssue(fakecloud.Issue(i)) })
}

// Trace is a trace of an issue.
type Trace struct {
	Issue           int64  // ID; 0 for none
	DeviceSerial    string // required
	SoftwareVersion string
	Reason          string
	Captured        time.Time // by the clock of the device
	Received        time.Time // now by default
	Coredump        bool      // whether it comes from a coredump
	ELF             bool      // whether that is the coredump of a Linux process
	Symbols         bool      // whether the symbols of the coredump can be downloaded
}

// AddTraces adds traces and returns their IDs. Unknown devices and software versions are created, as
// when their first data arrives. For a coredump with content, use
// [Server.AddCoredumps].
func (s *Server) AddTraces(traces ...Trace) []int64 {
	return s.cloud.AddTraces(convert(traces, func(t Trace) fakecloud.Trace { return fakecloud.Trace(t) })...)
}

// Coredump is a coredump of a device.
type Coredump struct {
	Issue           int64  // ID; 0 for none
	DeviceSerial    string // required
	SoftwareVersion string
	Captured        time.Time
	Content         []byte
	ELF             []byte // the coredump as an ELF file
	Symbols         []byte // its symbol file; none by default. Equal symbols are one file.
	NotReady        int    // number of downloads during which it is still being processed
}

// AddCoredumps adds coredumps with a trace each, and returns the IDs of the coredumps. Unknown
// devices and software versions are created, as when their first data arrives.
func (s *Server) AddCoredumps(coredumps ...Coredump) []int64 {
	return convert(coredumps, func(c Coredump) int64 {
		id, _ := s.cloud.AddCoredump(fakecloud.Coredump(c))
		return id
	})
}

// Recording is a custom data recording of a device.
type Recording struct {
	DeviceSerial string // required
	Reason       string
	Start, End   time.Time
	MIMETypes    []string
	Size         int64 // the length of Content by default
	Content      []byte
}

// AddRecordings adds recordings and returns their IDs.
func (s *Server) AddRecordings(recordings ...Recording) []int64 {
	return s.cloud.AddRecordings(convert(recordings, func(r Recording) fakecloud.Recording { return fakecloud.Recording(r) })...)
}

// SetRecordingContent replaces the content of a recording.
func (s *Server) SetRecordingContent(id int64, content []byte) {
	s.cloud.SetRecordingContent(id, content)
}

// Event is an event of a device.
type Event struct {
	DeviceSerial    string // required
	Type            string // "heartbeat" by default
	SoftwareVersion string
	Info            any // event_info
	UserInfo        any // user_info
	Captured        time.Time
	Received        time.Time // Captured by default
}

// AddEvents adds events and returns their IDs. Unlike an uploaded event, an event that is
// added does not change its device.
func (s *Server) AddEvents(events ...Event) []int64 {
	return s.cloud.AddEvents(convert(events, func(e Event) fakecloud.Event { return fakecloud.Event(e) })...)
}

// ProcessingLogEntry is an entry of the processing log.
//
// UNCERTAIN(processing-log-fields): the fields of an entry other than created_date. The server
// sends level, device_serial and message, and the Fields. A program must not rely on them.
type ProcessingLogEntry struct {
	Created      time.Time // now by default
	Level        string    // "error" by default
	DeviceSerial string
	Message      string
	Fields       map[string]any
}

// AddProcessingLog adds entries to the processing log. The server adds entries itself for
// accepted data that it drops or cannot read: for a request of a device to which a [Fault]
// responds with the status 202, for chunks above 256 MiB in total, for damaged chunks, for content
// of a message or a coredump that has another form than expected, for metrics without names, for an
// ELF coredump or a MAR file that does not begin as such files do, and for a coredump whose device
// is unknown.
func (s *Server) AddProcessingLog(entries ...ProcessingLogEntry) {
	s.cloud.AddProcessingLog(convert(entries, func(e ProcessingLogEntry) fakecloud.ProcessingLogEntry { return fakecloud.ProcessingLogEntry(e) })...)
}

// Report is a report of a device, with metrics of a span of time.
type Report struct {
	DeviceSerial string // required
	Metrics      map[string]any
	Start, End   time.Time
}

// AddReports adds reports.
func (s *Server) AddReports(reports ...Report) {
	s.cloud.AddReports(convert(reports, func(r Report) fakecloud.Report { return fakecloud.Report(r) })...)
}

// AlertIDs returns the IDs of the alerts. No operation that lists them is known.
func (s *Server) AlertIDs() []int64 { return s.cloud.AlertIDs() }

// AddAlerts adds alerts with the given titles, and returns their IDs.
func (s *Server) AddAlerts(titles ...string) []int64 { return convert(titles, s.cloud.AddAlert) }

// AddTask adds a task. Each request for it returns the next of the statuses. After the last,
// every request returns the last.
func (s *Server) AddTask(id string, statuses ...string) { s.cloud.AddTask(id, statuses...) }

// SetSDKSettings sets the settings that the server sends to the firmware SDK's build, as a
// value that is encoded to JSON.
func (s *Server) SetSDKSettings(settings any) { s.cloud.SetSDKSettings(settings) }
