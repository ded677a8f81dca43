package main_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program runs in another process without the race detector, which needs memory itself.
func TestUploadRSS_Limit(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("requires /proc")
	}
	program := filepath.Join(t.TempDir(), "uploadrss")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.CommandContext(t.Context(), program, "-size", "64").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "uploaded 64 MiB in 2 attempts")
	_, err = exec.CommandContext(t.Context(), program, "-size", "1", "-limit", "0").CombinedOutput()
	require.Error(t, err, "the limit is exceeded")
}
