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

// ImportedProcess is a process of a TraceImport.
type ImportedProcess struct {
	PID     int64            `json:"pid,omitempty"`
	Name    string           `json:"name,omitempty"`
	Threads []ImportedThread `json:"threads,omitempty"`
}

// ImportedThread is a thread of a TraceImport. Name, State and Crashed were seen only
// in a demonstration of Memfault's.
type ImportedThread struct {
	Name        string          `json:"name,omitempty"`
	State       string          `json:"state,omitempty"`
	Crashed     bool            `json:"crashed,omitempty"`
	Registers   map[string]any  `json:"registers,omitempty"` // by name; the form of a value is UNCERTAIN
	StackFrames []ImportedFrame `json:"stackframes,omitempty"`
}

// ImportedFrame is a frame of a thread's stack. Whether Memfault takes addresses as
// numbers or as text is UNCERTAIN.
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

// ImportTrace hands in a crash that another system recorded. It needs a ProjectKey.
// Memfault accepts it and processes it later. It is sent once.
//
// The fields are sent as Memfault documents them, the device's among the others. A
// demonstration of Memfault's sent them below a member named device, with success;
// whether both are taken is UNCERTAIN, and so is the host, which no document names.
//
// Memfault: https://docs.memfault.com/api/upload-trace
func (s *UploadsService) ImportTrace(ctx context.Context, trace TraceImport, opts ...CallOption) error {
	if err := required("TraceImport", "DeviceSerial", trace.DeviceSerial, "HardwareVersion", trace.HardwareVersion,
		"SoftwareVersion", trace.SoftwareVersion, "SoftwareType", trace.SoftwareType); err != nil {
		return err
	}
	return exec(ctx, clientOf(s), operation.UploadTraceImport, requestParams{body: trace}, opts)
}
