package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	var out strings.Builder
	count, err := check(&out, "testdata/narrow", "linux/amd64")
	require.NoError(t, err, out.String())
	assert.Equal(t, 3, count, "the package, with its test, and the test's main")

	_, err = check(&out, "testdata/narrow", "linux/386")
	require.ErrorContains(t, err, "vet found something")
	assert.Contains(t, out.String(), "narrow.go:16")
	assert.Contains(t, out.String(), "non 64-bit aligned field .large")

	t.Setenv("GOFLAGS", "-tags=toolarge")
	out.Reset()
	_, err = check(&out, "testdata/narrow", "linux/386")
	require.ErrorContains(t, err, "2 errors")
	assert.Contains(t, out.String(), "length.go:5")
	assert.Contains(t, out.String(), "overflow")

	_, err = check(&out, "testdata/narrow", "linux/nothing")
	require.ErrorContains(t, err, "does not know")
}
