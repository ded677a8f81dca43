package process_test

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/checks/process"
)

// TestMain makes the test program the child that StartSelf starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "child" {
		fmt.Println("ready", os.Args[1])
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "silent" {
		return
	}
	os.Exit(m.Run())
}

func TestStartSelf(t *testing.T) {
	line, stop, err := process.StartSelf(t.Context(), "child")
	require.NoError(t, err)
	assert.Equal(t, "ready child", line)
	stop()
	_, _, err = process.StartSelf(t.Context(), "silent")
	require.Error(t, err)
}

func TestStatus(t *testing.T) {
	resident, err := process.Status("VmRSS")
	require.NoError(t, err)
	assert.Greater(t, resident, int64(1<<20))
	_, err = process.Status("Vm")
	require.Error(t, err)
}
