package memfault_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestDecodeChunkExport(t *testing.T) {
	log := io.MultiReader(strings.NewReader("boot\nMC:AQID:\nMC:CAK\nMC:BA==:\n"), iotest.ErrReader(io.ErrClosedPipe))
	var chunks [][]byte
	var errs []error
	for chunk, err := range memfault.DecodeChunkExport(log) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		chunks = append(chunks, chunk)
	}
	assert.Equal(t, [][]byte{{1, 2, 3}, {4}}, chunks)
	require.Len(t, errs, 2)
	var damage *memfault.ChunkExportError
	require.ErrorAs(t, errs[0], &damage)
	assert.Equal(t, 3, damage.Line)
	assert.Equal(t, int64(len("boot\nMC:AQID:\n")), damage.Offset)
	require.EqualError(t, errs[0], "memfault: DecodeChunkExport: damaged chunk in line 3, byte 14: cut off at the end of the line")
	require.EqualError(t, errs[1], "memfault: DecodeChunkExport: io: read/write on closed pipe")
	require.ErrorIs(t, errs[1], io.ErrClosedPipe)
	for _, err := range errs {
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
}

// Text around the chunks, as it is in real logs, does not hide them.
func TestDecodeChunkExport_LosesNothing(t *testing.T) {
	for name, line := range map[string]string{
		"color":        "\x1b[0;37mMC:AQID:\x1b[0m\n",
		"cursor":       "\x1b[2K\x1b[1GMC:AQID:\r",
		"glued text":   "tickMC:AQID:",
		"escaped line": `\nMC:AQID:`,
		"escaped ESC":  `\u001b[0mMC:AQID:`,
		"one line":     strings.Repeat("x", 10_000) + "MC:AQID:",
	} {
		t.Run(name, func(t *testing.T) {
			chunks := 0
			for chunk, err := range memfault.DecodeChunkExport(strings.NewReader(strings.Repeat(line, 1000))) {
				require.NoError(t, err)
				assert.Equal(t, []byte{1, 2, 3}, chunk)
				chunks++
			}
			assert.Equal(t, 1000, chunks)
		})
	}
}

func TestDecodeChunkExport_NilReader(t *testing.T) {
	for _, err := range memfault.DecodeChunkExport(nil) {
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
}

func TestDecodeChunkExport_StopsWithLoop(*testing.T) {
	for range memfault.DecodeChunkExport(strings.NewReader("MC:AQID:MC:BA==:")) {
		break
	}
}

// What consoles print besides chunks is not uploaded into the stream of a device.
func TestDecodeChunkExport_TextOfDevices(t *testing.T) {
	log := strings.Join([]string{
		"350000000000006", "001010123456789", "AC233F00AABB", "20261130", "358c6d1b2c9f6a0e4d5c7b8a99887766554433ff",
		"08000102030405", "08 00 01 02 03 04 05",
	}, "\r\n")
	utf16 := "\xff\xfe" + strings.Join(strings.Split(log, ""), "\x00") + "\x00"
	for name, log := range map[string]string{"UTF-8": log, "BOM": "\xef\xbb\xbf" + log, "UTF-16": utf16} {
		chunks := 0
		for chunk, err := range memfault.DecodeChunkExport(strings.NewReader(log)) {
			require.NoError(t, err, name)
			assert.Equal(t, []byte{8, 0, 1, 2, 3, 4, 5}, chunk)
			chunks++
		}
		assert.Equal(t, 2, chunks, name)
	}
}
