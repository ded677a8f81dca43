package memfaulttest_test

import (
	"bytes"
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

	id, err := memfault.GNUBuildID(bytes.NewReader(content))
	require.NoError(t, err)
	assert.Equal(t, "c0ffee01", id)
	_, err = memfault.GNUBuildID(bytes.NewReader(memfaulttest.SymbolFile(nil)))
	require.Error(t, err)
}
