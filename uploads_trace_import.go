package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// TraceImport is a crash that another system recorded.
type TraceImport struct {
	DeviceIdentity
	Reason       string            `json:"reason,omitempty"`
	CapturedDate Timestamp         `json:"captured_date,omitzero"`
	Processes    []ImportedProcess `json:"processes,omitempty"`
	Threads      []ImportedThread  `json:"threads,omitempty"`
}

// ImportedProcess is a process of a [TraceImport].
type ImportedProcess struct {
	PID     int64            `json:"pid,omitempty"`
	Name    string           `json:"name,omitempty"`
	Threads []ImportedThread `json:"threads,omitempty"`
}

// ImportedThread is a thread of a [TraceImport]. Name, State and Crashed were observed only in
// a demonstration by Memfault.
type ImportedThread struct {
	Name        string          `json:"name,omitempty"`
	State       string          `json:"state,omitempty"`
	Crashed     bool            `json:"crashed,omitempty"`
	Registers   map[string]any  `json:"registers,omitempty"` // by name; UNCERTAIN(trace-import-registers): form of a value
	StackFrames []ImportedFrame `json:"-"`                   // sent as stacktrace, each with its index; the innermost first
}

// MarshalJSON encodes the thread in the form of the only program that is known to import traces.
func (t ImportedThread) MarshalJSON() ([]byte, error) {
	type thread ImportedThread
	type frame struct {
		Index int `json:"index"`
		ImportedFrame
	}
	var frames []frame
	for i, f := range t.StackFrames {
		frames = append(frames, frame{i, f})
	}
	return json.Marshal(struct {
		thread
		StackTrace []frame `json:"stacktrace,omitempty"`
	}{thread(t), frames})
}

// ImportedFrame is a frame of the stack of an [ImportedThread].
//
// UNCERTAIN(trace-import-addresses): whether Memfault accepts addresses as numbers or as strings.
type ImportedFrame struct {
	FrameType       string `json:"frame_type,omitempty"`
	MapBuildID      string `json:"map_build_id,omitempty"`
	MapName         string `json:"map_name,omitempty"`
	RelativeAddress any    `json:"relative_address,omitempty"`
	AbsAddress      any    `json:"abs_address,omitempty"`
	Function        string `json:"function,omitempty"`
	File            string `json:"file,omitempty"`
	LineNumber      int    `json:"lineno,omitempty"`
}

// ImportTrace uploads a crash that another system recorded. Memfault accepts the crash and
// processes it later. The request is not retried once it may have reached Memfault.
//
// The fields of the device are sent at the top level, as Memfault documents them. The frames are
// sent as stacktrace, like a demonstration by Memfault that works; it sent the fields of the device
// in a field named device instead.
// UNCERTAIN(trace-import-frames): whether Memfault reads the frames of both forms, and stackframes,
// which its documentation names instead of stacktrace.
// UNCERTAIN(trace-import-host): whether the host is right, because no document contains it.
//
// Credentials: [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/upload-trace
func (s *UploadsService) ImportTrace(ctx context.Context, trace TraceImport, opts ...CallOption) error {
	if err := required("TraceImport", "DeviceSerial", trace.DeviceSerial, "HardwareVersion", trace.HardwareVersion,
		"SoftwareVersion", trace.SoftwareVersion, "SoftwareType", trace.SoftwareType); err != nil {
		return err
	}
	return exec(ctx, clientOf(s), operation.UploadTraceImport, requestParams{body: trace}, opts)
}
