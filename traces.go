package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// TracesService reads traces, each of which is one crash or assert of a device.
type TracesService struct{ client *Client }

// Trace is a crash, an assert or another fault of a device.
type Trace struct {
	ID           int64          `json:"id"`
	IssueID      int64          `json:"issue_id"` // only in newer responses
	Title        string         `json:"title"`
	Message      string         `json:"message"`
	Reason       string         `json:"reason"`
	Signature    string         `json:"signature"` // 64 hexadecimal digits
	Context      string         `json:"context"`
	SourceType   TraceSource    `json:"source_type"`
	Release      ReleaseRef     `json:"release"`
	Device       DeviceRef      `json:"device"`
	Entries      *TraceEntries  `json:"entries"`
	Coredump     *TraceCoredump `json:"coredump"`     // only from Get
	ELFCoredump  *TraceCoredump `json:"elf_coredump"` // only from Get
	CreatedDate  Timestamp      `json:"created_date"`
	CapturedDate Timestamp      `json:"captured_date"` // by the clock of the device
	ReceivedDate Timestamp      `json:"received_date"`
}

// TraceSource is the kind of data from which a trace was created.
type TraceSource string

// Sources of traces that were observed.
const (
	TraceSourceEvent    TraceSource = "event"
	TraceSourceCoredump TraceSource = "coredump"
)

// TraceCoredump identifies the coredump of a trace.
type TraceCoredump struct {
	ID         int64       `json:"id"`
	SymbolFile *SymbolFile `json:"symbol_file"` // nil if Memfault has no symbols for it
}

// TraceEntries contains the details of a trace.
type TraceEntries struct {
	Threads []TraceThread `json:"threads"`
	Faults  *TraceFaults  `json:"faults"`
}

// TraceThread is a thread of the firmware at the time of the trace.
type TraceThread struct {
	TID        int64           `json:"tid"`
	Name       string          `json:"name"`
	State      string          `json:"state"`
	Current    bool            `json:"current"`
	Crashed    bool            `json:"crashed"`
	Reporting  bool            `json:"reporting"`
	Registers  []TraceRegister `json:"registers"`
	Stacktrace []TraceFrame    `json:"stacktrace"`
}

// TraceRegister is a register of the processor.
type TraceRegister struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

// TraceFrame is a call on the stack of a thread. The form of the fields with raw JSON is
// unknown.
type TraceFrame struct {
	Index      int             `json:"index"`
	Address    uint64          `json:"address"`
	Function   *string         `json:"function"` // nil without symbols, like File and LineNumber
	File       *string         `json:"file"`
	LineNumber *int            `json:"lineno"`
	Context    json.RawMessage `json:"context"`
	FrameType  json.RawMessage `json:"frame_type"`
	FrameSize  json.RawMessage `json:"frame_size"`
	Arguments  json.RawMessage `json:"arguments"`
	Locals     json.RawMessage `json:"locals"`
}

// TraceFaults contains what the processor reported about a fault.
type TraceFaults struct {
	Notes     json.RawMessage `json:"notes"` // a list; form of items unknown
	Registers []TraceRegister `json:"registers"`
}

// ArrivedAt returns when Memfault received the trace: ReceivedDate, otherwise CreatedDate. If the
// response contains neither, it returns CapturedDate, which is a time of the device's clock.
func (t Trace) ArrivedAt() Timestamp {
	return firstTime(t.ReceivedDate, t.CreatedDate, t.CapturedDate)
}

// Version returns the software version that the device ran.
func (t Trace) Version() string { return t.Release.Version }

// TraceListOptions filters traces. There is no filter by device.
//
// Since and Until are compared with the time at which the device captured the trace, by its own
// clock (UNCERTAIN(trace-since)). Traces of a device whose clock is wrong, such as one that was
// never set, are not found. A program that asks for recent traces lists them without Since and
// compares [Trace.ArrivedAt], or uses [TracesService.Watch].
type TraceListOptions struct {
	ListOptions
	Issue int64     `url:"issue,omitempty"` // ID of an issue
	Since Timestamp `url:"since,omitempty"`
	Until Timestamp `url:"until,omitempty"`
}

// List returns the traces of a project, the newest first.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in programs of device makers.
func (s *TracesService) List(project ProjectRef, options TraceListOptions, opts ...CallOption) *Pager[Trace] {
	return list[Trace](clientOf(s), operation.TracesList, project.path(), options, opts)
}

// Get returns a trace with the reference to its coredump. If the trace does not exist, Get
// fails with [ErrNotFound].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api
func (s *TracesService) Get(ctx context.Context, project ProjectRef, traceID int64, opts ...CallOption) (*Trace, error) {
	return fetch[Trace](ctx, clientOf(s), operation.TracesRetrieve, requestParams{path: project.path(pathID(traceID))}, opts)
}
