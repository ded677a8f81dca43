package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// narrow is a module that works only where int has 64 bits.
var narrow = map[string]string{
	"go.mod": "module example.com/narrow\n\ngo 1.26.0\n",
	"narrow.go": `package narrow

import "sync/atomic"

type counters struct {
	small int32
	large int64
}

var all counters

func add() { atomic.AddInt64(&all.large, int64(all.small)) }
`,
	"narrow_test.go": `package narrow

import "testing"

func TestAdd(t *testing.T) { add() }
`,
	"length.go": `//go:build toolarge

package narrow

var length int = 1 << 40
`,
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, text := range narrow {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	count, err := check(dir, "linux/amd64")
	require.NoError(t, err)
	assert.Equal(t, 3, count, "the package, with its test, and the test's main")

	_, err = check(dir, "linux/386")
	require.ErrorContains(t, err, "narrow.go:12")
	require.ErrorContains(t, err, "non 64-bit aligned field .large")

	t.Setenv("GOFLAGS", "-tags=toolarge")
	_, err = check(dir, "linux/386")
	require.ErrorContains(t, err, "length.go:5")
	require.ErrorContains(t, err, "overflow")

	_, err = check(dir, "linux/nothing")
	require.ErrorContains(t, err, "does not know")
}
