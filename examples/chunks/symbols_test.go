package main

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

// symbolFile writes a symbol file. Each text has the names of an enumeration, numbered from 0.
func symbolFile(t *testing.T, buildID []byte, enumerations ...string) string {
	t.Helper()
	var enumerators []elffile.Enumerator
	for _, names := range enumerations {
		for n, name := range strings.Fields(names) {
			enumerators = append(enumerators, elffile.Enumerator{Name: name, Value: byte(n)})
		}
	}
	file := elffile.File{Class: elf.ELFCLASS32, Sections: elffile.Enumerators(enumerators...)}
	if buildID != nil {
		file.Sections = append(file.Sections, elffile.BuildID(binary.LittleEndian, buildID))
	}
	name := filepath.Join(t.TempDir(), "app.elf")
	require.NoError(t, os.WriteFile(name, file.Bytes(), 0o600))
	return name
}

func TestRun_Symbols(t *testing.T) {
	const (
		metrics = "kMfltMetricsIndex_heartbeat__uptime_s kMfltMetricsIndex_heartbeat__rssi kMfltMetricsIndex_heartbeat__battery_percent"
		reasons = "kMfltTraceReasonUser_Unknown kMfltTraceReasonUser_flash_error"
	)
	id := []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14")
	events := func(more ...any) string {
		return asLog(chunksOf(eventMessage(append(heartbeat[:len(heartbeat):len(heartbeat)], more...)), eventMessage(event(chunk.EventTrace, pairs{6, 1}, more...)))...)
	}
	coredump := func(id []byte) []byte {
		return firmware.Message(chunk.MessageCoredump, "", false, firmware.Coredump(0, block(10, 0, []byte("2.0.1")), block(12, 0, id)))
	}
	const named, numbered = "heartbeat uptime_s=3600 battery_percent=87", "metrics of session 0: [0]=3600 [2]=87"
	const explained = "- Nothing in these chunks explains it."
	for name, c := range map[string]struct {
		file, input string
		want        []string
	}{
		"names":            {symbolFile(t, nil, metrics, reasons), events(), []string{named, "trace flash_error", explained}},
		"the same build":   {symbolFile(t, id, metrics, reasons), events(11, id[:6]), []string{named, "trace flash_error", explained}},
		"another build":    {symbolFile(t, id, metrics, reasons), events(11, id[1:7]), []string{numbered, "trace of reason 1", advice[otherBuild] + " (2 times, first in line 2, chunk 1)"}},
		"other names":      {symbolFile(t, id, reasons, metrics+" kMfltMetricsIndex_heartbeat__new"), events(), []string{numbered, "trace flash_error", advice[otherNames] + " (line 2, chunk 1)"}},
		"no names":         {symbolFile(t, id, "Unknown"), events(), []string{numbered, advice[noNames]}},
		"another coredump": {symbolFile(t, id, metrics), asLog(chunksOf(coredumpMessage(0, "SINK-0001"), coredump(id), coredump(id[1:]))...), []string{advice[otherBuild] + " (line 11, chunk 10)"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, _ := read(t, c.input, "-symbols", c.file)
			assert.Equal(t, 0, code)
			for _, want := range c.want {
				assert.Contains(t, out, want)
			}
		})
	}
}
