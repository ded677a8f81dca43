package child_test

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/child"
)

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "serve":
		fmt.Println("ready", os.Getpid())
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	case len(os.Args) > 1 && os.Args[1] == "fail":
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestStart(t *testing.T) {
	line, stop, err := child.Start(t.Context(), "serve")
	require.NoError(t, err)
	stop() // returns only if the child ends
	assert.Regexp(t, `^ready \d+$`, line)
	assert.NotEqual(t, fmt.Sprintf("ready %d", os.Getpid()), line)
}

func TestStart_ChildThatPrintsNothing(t *testing.T) {
	_, _, err := child.Start(t.Context(), "fail")
	require.ErrorContains(t, err, "starting fail: EOF")
}
