package memfault_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestGNUBuildID(t *testing.T) {
	id, err := memfault.GNUBuildID(bytes.NewReader(noteELF(binary.LittleEndian, []byte{0xC0, 0xFF, 0xEE, 1, 2}, false, 0)))
	require.NoError(t, err)
	assert.Equal(t, "c0ffee0102", id)
	for want, content := range map[string][]byte{
		"carries no GNU build id": noteELF(binary.LittleEndian, nil, false, 0),
		"carries no GNU build":    noteELF(binary.BigEndian, nil, true, 0),
		"not an ELF file":         []byte("com.acme.App -> a:"),
		"is not an ELF":           nil,
		"memfault: GNUBuildID":    []byte("\x7fELF\x02\x01\x01 and no more"),
	} {
		_, err := memfault.GNUBuildID(bytes.NewReader(content))
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
	_, err = memfault.GNUBuildID(nil)
	require.ErrorContains(t, err, "nil")
	_, err = memfault.GNUBuildID(&changing{err: io.ErrNoProgress})
	require.ErrorIs(t, err, io.ErrNoProgress)
}
