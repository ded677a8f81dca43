package store

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The health check of the embedded server waits a millisecond for what is there already, so a
// busy machine fails it without a reason.
func TestDisk_OneFailedLookIsNoProblem(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), FsyncEvery: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	var problem error
	d := &disk{store: s, health: func() error { return problem }}
	look := func(found error) DiskState {
		problem = found
		d.look()
		return d.state()
	}
	broken := errors.New("write error")

	require.NoError(t, look(nil).Problem)
	for range 3 {
		state := look(broken)
		require.NoError(t, state.Problem)
		assert.False(t, state.Full, "chunks are accepted")
		assert.Zero(t, state.Restarts)
		require.NoError(t, look(nil).Problem)
	}

	require.NoError(t, look(broken).Problem)
	state := look(broken)
	require.ErrorIs(t, state.Problem, broken)
	assert.True(t, state.Full)
	assert.Equal(t, 1, state.Restarts)
	require.NoError(t, look(nil).Problem, "it writes again at once")
	require.NoError(t, s.Put(t.Context(), "acme", "A", []byte("one")), "after the restart")
}
