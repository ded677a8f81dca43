package memfaulttest_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestSymbolFile_UploadedOnce(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	content := memfaulttest.SymbolFile([]byte{0xC0, 0xFF, 0xEE, 1})
	upload := func() *memfault.UploadResult {
		file := &memfault.File{Name: "firmware.elf", Size: int64(len(content)), Content: bytes.NewReader(content)}
		result, err := cloud.Client(t).Uploads.Symbols(t.Context(), cloud.Project(), file, memfault.SymbolsOptions{IfMissing: true})
		require.NoError(t, err)
		return result
	}
	assert.False(t, upload().AlreadyUploaded)
	assert.True(t, upload().AlreadyUploaded)
	assert.Equal(t, 1, cloud.RequestCount("upload.put_file"))

	id, err := memfault.BuildID(bytes.NewReader(content))
	require.NoError(t, err)
	assert.Equal(t, "c0ffee01", id.ID)
	_, err = memfault.BuildID(bytes.NewReader(memfaulttest.SymbolFile(nil)))
	require.ErrorIs(t, err, memfault.ErrNoBuildID)
}

// In each form, the server finds the build ID that the client looks for.
func TestSymbolFileWith_UploadedOnce(t *testing.T) {
	gnu, ofMemfault := []byte{0xC0, 0xFF, 0xEE, 1}, []byte("\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1\xc2\xc3\xc4")
	for _, bigEndian := range []bool{false, true} {
		for _, is32Bit := range []bool{false, true} {
			for want, options := range map[string]memfaulttest.SymbolFileOptions{
				"c0ffee01": {GNUBuildID: gnu},
				"b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4": {GNUBuildID: gnu, MemfaultBuildID: ofMemfault},
			} {
				options.BigEndian, options.Is32Bit = bigEndian, is32Bit
				for _, ifMissing := range []bool{true, false} {
					cloud := memfaulttest.NewServer(t)
					content := memfaulttest.SymbolFileWith(options)
					id, err := memfault.BuildID(bytes.NewReader(content))
					require.NoError(t, err)
					assert.Equal(t, want, id.ID)
					for _, before := range []bool{false, true} {
						file := &memfault.File{Name: "firmware.elf", Size: int64(len(content)), Content: bytes.NewReader(content)}
						result, err := cloud.Client(t).Uploads.Symbols(t.Context(), cloud.Project(), file, memfault.SymbolsOptions{IfMissing: ifMissing})
						require.NoError(t, err, "%+v", options)
						assert.Equal(t, before, result.AlreadyUploaded)
					}
				}
			}
		}
	}
}

func TestSymbolFileWith_Refused(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	id := []byte("\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1\xc2\xc3\xc4")
	for text, options := range map[string]memfaulttest.SymbolFileOptions{
		"fw_build_id.py":           {GNUBuildID: id, Unwritten: true},
		"no GNU build ID":          {},
		"no debug information":     {MemfaultBuildID: id, WithoutDebugInfo: true},
		"has no debug information": {GNUBuildID: id, WithoutDebugInfo: true, BigEndian: true, Is32Bit: true},
	} {
		content := memfaulttest.SymbolFileWith(options)
		file := &memfault.File{Name: "firmware.elf", Size: int64(len(content)), Content: bytes.NewReader(content)}
		_, err := cloud.Client(t).Uploads.Symbols(t.Context(), cloud.Project(), file, memfault.SymbolsOptions{})
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		require.ErrorContains(t, err, text)
		assert.Equal(t, !options.WithoutDebugInfo, errors.Is(err, memfault.ErrNoBuildID))
	}
	assert.Empty(t, cloud.Requests(""))
}
