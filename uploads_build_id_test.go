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
		"without a GNU build ID":                                      noteELF(binary.LittleEndian, nil, false, 0),
		"without a GNU build":                                         noteELF(binary.BigEndian, nil, true, 0),
		"not an ELF file":                                             []byte("com.acme.App -> a:"),
		"memfault: GNUBuildID: not an ELF":                            nil,
		"memfault: GNUBuildID: corrupt ELF file: ":                    []byte("\x7fELF"), // the cause is worded by the version of Go
		"memfault: GNUBuildID: corrupt ELF file: unknown ELF version": []byte("\x7fELF\x02\x01\x09 and no more"),
	} {
		_, err := memfault.GNUBuildID(bytes.NewReader(content))
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
	_, err = memfault.GNUBuildID(nil)
	require.ErrorContains(t, err, "nil")
	_, err = memfault.GNUBuildID(&changing{err: io.ErrNoProgress})
	require.ErrorIs(t, err, io.ErrNoProgress)
	content := noteELF(binary.LittleEndian, []byte{1}, true, 0)
	notes := &changing{content: content, after: int64(len(content)) - 10, err: io.ErrNoProgress}
	notes.size.Store(int64(len(content)))
	_, err = memfault.GNUBuildID(notes)
	require.ErrorIs(t, err, io.ErrNoProgress, "an error while a note is read")
}
