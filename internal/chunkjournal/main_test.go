package main_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChunkJournal_KilledRelayLosesNothing(t *testing.T) {
	program := filepath.Join(t.TempDir(), "chunkjournal")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.CommandContext(t.Context(), program, "-kills", "5").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "0 missing, 0 out of order")
}
