package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	count, err := check("testdata/narrow", "linux/amd64")
	require.NoError(t, err)
	assert.Equal(t, 3, count, "the package, with its test, and the test's main")

	_, err = check("testdata/narrow", "linux/386")
	require.ErrorContains(t, err, "narrow.go:16")
	require.ErrorContains(t, err, "non 64-bit aligned field .large")

	t.Setenv("GOFLAGS", "-tags=toolarge")
	_, err = check("testdata/narrow", "linux/386")
	require.ErrorContains(t, err, "length.go:5")
	require.ErrorContains(t, err, "overflow")

	_, err = check("testdata/narrow", "linux/nothing")
	require.ErrorContains(t, err, "does not know")
}
