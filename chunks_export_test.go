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
	require.ErrorContains(t, errs[0], "memfault: line 3 holds a damaged chunk: the colon at its end is missing")
	require.ErrorIs(t, errs[1], io.ErrClosedPipe)
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
