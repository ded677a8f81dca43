package memfault

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/memfault-go/memfault/internal/atomicfile"
)

// IssueManifest is the content of manifest.json in a directory of
// [CoredumpsService.DownloadIssue]. Later calls keep the entries of traces that Memfault has
// removed. A directory can contain the coredumps of one issue only.
type IssueManifest struct {
	Organization string               `json:"organization"`
	Project      string               `json:"project"`
	IssueID      int64                `json:"issue_id"`
	Coredumps    []IssueManifestEntry `json:"coredumps"` // by trace
}

// IssueManifestEntry describes a coredump.
type IssueManifestEntry struct {
	TraceID         int64     `json:"trace_id"`
	DeviceSerial    string    `json:"device_serial"`
	SoftwareVersion string    `json:"software_version"` // can be empty
	Reason          string    `json:"reason"`
	CapturedDate    Timestamp `json:"captured_date"`
	Coredump        string    `json:"coredump"` // file name; the file is missing if it failed
	Symbols         string    `json:"symbols"`  // file name; empty if there are none
}

const manifestName = "manifest.json"

// load adds the entries of the manifest in dir. A manifest that cannot be decoded is replaced
// later. For a manifest of another issue, load returns an error.
func (m *IssueManifest) load(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, manifestName)) //nolint:gosec // the directory of the caller
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return invalid("Coredumps.DownloadIssue: %w", err)
	}
	var found IssueManifest
	if json.Unmarshal(text, &found) != nil {
		return nil
	}
	if found.Organization != m.Organization || found.Project != m.Project || found.IssueID != m.IssueID {
		return invalid("Coredumps.DownloadIssue: %s contains issue %d of project %s/%s", dir, found.IssueID, found.Organization, found.Project)
	}
	m.Coredumps = found.Coredumps
	return nil
}

// add adds a trace, and replaces its older entry in the same format. It reports false if the
// trace has no coredump.
func (m *IssueManifest) add(trace *Trace, format CoredumpFormat) (IssueManifestEntry, bool) {
	dump := trace.coredump()
	if dump == nil || dump.ID == 0 {
		return IssueManifestEntry{}, false
	}
	entry := IssueManifestEntry{
		TraceID: trace.ID, DeviceSerial: trace.Device.DeviceSerial, SoftwareVersion: trace.Release.Version,
		Reason: trace.Reason, CapturedDate: trace.CapturedDate,
		Coredump: fmt.Sprintf("coredump-%d.%s", dump.ID, cmp.Or(format, "bin")),
	}
	if dump.SymbolFile != nil && dump.SymbolFile.ID != 0 {
		entry.Symbols = fmt.Sprintf("symbols-%d.elf", dump.SymbolFile.ID)
	}
	m.Coredumps = slices.DeleteFunc(m.Coredumps, func(e IssueManifestEntry) bool {
		return e.TraceID == entry.TraceID && e.Coredump == entry.Coredump
	})
	m.Coredumps = append(m.Coredumps, entry)
	return entry, true
}

// coredump returns the coredump of the trace, or nil.
func (t *Trace) coredump() *TraceCoredump {
	if t.Coredump != nil {
		return t.Coredump
	}
	return t.ELFCoredump
}

// save writes the manifest, unless it is the same as the one in dir.
func (m *IssueManifest) save(dir string) error {
	slices.SortFunc(m.Coredumps, func(a, b IssueManifestEntry) int {
		return cmp.Or(cmp.Compare(a.TraceID, b.TraceID), cmp.Compare(a.Coredump, b.Coredump))
	})
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return invalid("%s: %w", manifestName, err)
	}
	if present, err := os.ReadFile(filepath.Join(dir, manifestName)); err == nil && bytes.Equal(present, text) { //nolint:gosec // as in load
		return nil
	}
	_, err = atomicfile.Write(dir, manifestName, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return invalid("%s: %w", manifestName, err)
	}
	return nil
}
