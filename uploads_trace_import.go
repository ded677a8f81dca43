package memfault

import (
	"context"

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
	StackFrames []ImportedFrame `json:"stackframes,omitempty"`
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
// The fields are sent in the form that Memfault documents, those of the device at the top level. A
// demonstration by Memfault successfully sent them in a field named device instead.
// UNCERTAIN(trace-import-frames): whether Memfault accepts both forms.
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
