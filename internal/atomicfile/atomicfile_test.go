package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func content(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	found := []string{}
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}

func TestWrite_ReplacesWhenComplete(t *testing.T) {
	dir := t.TempDir()
	_, err := Write(dir, "a", content("first"))
	require.NoError(t, err)
	_, err = Write(dir, "a", func(w io.Writer) error {
		_ = content("second")(w)
		text, err := os.ReadFile(filepath.Join(dir, "a"))
		assert.Equal(t, "first", string(text))
		return err
	})
	require.NoError(t, err)
	size, ok := Size(dir, "a")
	assert.True(t, ok)
	assert.Equal(t, int64(6), size)
	assert.Equal(t, []string{"a"}, names(t, dir))
}

func TestWrite_FailuresLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	broken := errors.New("broken")
	local, err := Write(dir, "a", func(w io.Writer) error { _ = content("half")(w); return broken })
	require.ErrorIs(t, err, broken)
	assert.False(t, local)
	assert.PanicsWithValue(t, broken, func() {
		_, _ = Write(dir, "a", func(io.Writer) error { panic(broken) })
	})
	assert.Empty(t, names(t, dir))

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "taken", "inside"), 0o750))
	local, err = Write(dir, "taken", content("x"))
	require.Error(t, err)
	assert.True(t, local)
	_, ok := Size(dir, "taken")
	assert.False(t, ok, "a directory is not a file")
	assert.Equal(t, []string{"taken"}, names(t, dir))

	local, err = Write(dir, "a", func(w io.Writer) error { // as on a full disk
		_ = w.(*recorder).file.Close()
		return content("x")(w)
	})
	require.ErrorIs(t, err, os.ErrClosed)
	assert.True(t, local)

	local, err = Write(filepath.Join(dir, "absent"), "a", content("x"))
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.True(t, local)
}

func TestClean_RemovesOnlyTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", ".download-a-123.part", ".download-a", "b.part", ".hidden"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, Clean(dir))
	assert.Equal(t, []string{".download-a", ".hidden", "a", "b.part"}, names(t, dir))
	require.Error(t, Clean(filepath.Join(dir, "absent")))
}
