package memfault_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// Errors of work with several parts name the part, alone and joined, in one line.
func TestMoveDevices_ErrorsNameTheDevice(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A"})
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	serials := []string{"A", "GONE-1", "GONE\n2", ""}
	moves, err := client.Cohorts.MoveDevices(t.Context(), sink, "beta", serials, memfault.MoveDevicesOptions{})
	require.NoError(t, moves[0].Err)
	for _, move := range moves[1:] {
		require.ErrorContains(t, move.Err, fmt.Sprintf("memfault: device %q: devices.update: ", move.DeviceSerial))
		require.ErrorContains(t, err, fmt.Sprintf("device %q: devices.update: ", move.DeviceSerial))
		require.ErrorIs(t, err, move.Err)
	}
	requireError(t, moves[1].Err, 404)
	require.ErrorIs(t, err, memfault.ErrNotFound)
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	require.ErrorContains(t, err, "memfault: MoveDevices: 3 of 4 devices were not moved: device ")
	assert.Equal(t, 1, strings.Count(err.Error(), "memfault: "))
	assert.NotContains(t, err.Error(), "\n")
}

func TestMoveDevices_LongErrorIsCut(t *testing.T) {
	_, client := newCloud(t)
	serials := make([]string, 150)
	for i := range serials {
		serials[i] = fmt.Sprintf("GONE-%d", i)
	}
	_, err := client.Cohorts.MoveDevices(t.Context(), sink, "beta", serials, memfault.MoveDevicesOptions{})
	require.ErrorContains(t, err, "and 50 more")
	require.ErrorContains(t, err, `"GONE-99"`)
	assert.NotContains(t, err.Error(), `"GONE-100"`)
}

func TestSymbolsDir_ErrorsNameTheFile(t *testing.T) {
	cloud, client := newCloud(t)
	dir := t.TempDir()
	for _, name := range []string{"a.elf", "b.elf"} { // ELF files that end after their first bytes
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("\x7fELF\x02\x01\x01"), 0o600))
	}
	results, err := client.Uploads.SymbolsDir(t.Context(), sink, dir, memfault.SymbolsDirOptions{})
	require.Len(t, results, 2)
	for _, result := range results {
		require.ErrorContains(t, result.Err, fmt.Sprintf("memfault: file %q: ", result.Path))
		require.ErrorContains(t, err, fmt.Sprintf("file %q: ", result.Path))
	}
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	assert.NotContains(t, err.Error(), "\n")
	assert.Empty(t, cloud.Requests(""))
}

func TestEventsUpload_ErrorNamesTheDevice(t *testing.T) {
	_, client := newCloud(t)
	err := client.WithAuth(memfault.ProjectKey(projectKey)).Events.Upload(t.Context(), []memfault.EventCreate{
		{Type: memfault.EventTypeTrace, DeviceSerial: "ABCD1234", HardwareVersion: "evt-1"},
	})
	require.ErrorContains(t, err, `event 0: device "ABCD1234": `)
}
