package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

func TestRun_FakeCloud(t *testing.T) {
	t.Setenv("MEMFAULT_ORG_TOKEN", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	for _, want := range []string{
		"250 devices", "beta      50", "default   175", "internal  25", "2.0.0+build.7", "Devices not seen for a day:",
		"Latest reboots", "Assert", "Moved SINK-0003 from cohort default to beta.",
		"errors.Is(err, memfault.ErrNotFound) is true", "devices.retrieve, status 404, type NotFoundError, code 1003",
	} {
		assert.Contains(t, out.String(), want)
	}
}

func TestSummarize_OnlyReads(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.SeedFleet(30)
	var out bytes.Buffer
	require.NoError(t, summarize(t.Context(), &out, cloud.Client(t), cloud.Project()))
	assert.Contains(t, out.String(), "30 devices")
	for _, request := range cloud.Requests("") {
		assert.Equal(t, "GET", request.Method)
	}
}

func TestRun_MissingVariables(t *testing.T) {
	t.Setenv("MEMFAULT_ORG_TOKEN", "oat_test")
	t.Setenv("MEMFAULT_ORG", "")
	t.Setenv("MEMFAULT_PROJECT", "")
	err := run(t.Context(), &strings.Builder{})
	require.ErrorContains(t, err, "MEMFAULT_ORG and MEMFAULT_PROJECT")
}
