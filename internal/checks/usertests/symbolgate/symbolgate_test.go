package symbolgate_test

import (
	"bytes"
	"encoding/hex"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/checks/usertests/symbolgate"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestCheck(t *testing.T) {
	id := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}
	cloud, dir := memfaulttest.NewServer(t), t.TempDir()
	var text bytes.Buffer
	check := func() error {
		return symbolgate.Check(t.Context(), log.New(&text, "", 0), cloud.Client(t), cloud.Project(), dir)
	}
	require.ErrorContains(t, check(), "no symbols")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.elf"), memfaulttest.SymbolFile(id), 0o600))
	remove := cloud.Fail(memfaulttest.Fault{Operation: "upload.commit_symbols", Status: http.StatusForbidden})
	require.Error(t, check())
	assert.Contains(t, text.String(), "FAIL ")
	remove()
	for range 2 {
		require.NoError(t, check())
	}
	assert.Contains(t, text.String(), "build ID "+hex.EncodeToString(id))
	assert.Len(t, cloud.Uploads(), 1)
}
