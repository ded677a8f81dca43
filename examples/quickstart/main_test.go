package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestRun_FakeCloud(t *testing.T) {
	t.Setenv("MEMFAULT_ORG_TOKEN", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	for _, want := range []string{
		"250 devices", "beta      50", "default   175", "internal  25", "2.0.0+build.7", "Devices not seen for a day:",
		"Latest reboots", "Assert", "Moved SINK-0003 from cohort default to beta.",
		"The device BOARD-0001 booted, crashed, and sent 5 chunks.", "reboot    ", "PowerOnReset", "issue     ", ": 1 trace of 1 device",
		"trace     HardFault on BOARD-0001, software version 2.1.0", "coredump  158 bytes",
		"errors.Is(err, memfault.ErrNotFound) is true", "devices.retrieve, status 404, type NotFoundError, code 1003",
	} {
		assert.Contains(t, out.String(), want)
	}
}

func TestRun_Readable(t *testing.T) {
	t.Setenv("MEMFAULT_ORG_TOKEN", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	_, reboots, found := strings.Cut(out.String(), "Latest reboots\n")
	require.True(t, found)
	reboots, _, _ = strings.Cut(reboots, "\n\n")
	for line := range strings.Lines(reboots) {
		assert.Contains(t, line, " UTC", "each time has its zone")
	}
	_, next, found := strings.Cut(out.String(), "\nNext:\n")
	require.True(t, found)
	places := regexp.MustCompile(`examples/[a-z/.-]+[a-z]`).FindAllString(next, -1)
	assert.Len(t, places, 4)
	for _, place := range places {
		_, err := os.Stat("../../" + place)
		assert.NoError(t, err)
	}
}

func TestNewestFirst(t *testing.T) {
	want := []string{
		"2.10.0", "2.9.0", "2.0.0+b", "2.0.0+a", "2.0.0-rc.10", "2.0.0-rc.2", "2.0.0-alpha", "2.0.0-1", "1.9", "nightly", "(never reported)",
	}
	reversed := slices.Clone(want)
	slices.Reverse(reversed)
	assert.Equal(t, want, newestFirst(slices.Values(reversed)))
	assert.Equal(t, want, newestFirst(slices.Values(want)))
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

// Package chunk understands what the simulated device sends.
func TestDevice(t *testing.T) {
	board := device{softwareType: "main", softwareVersion: "2.1.0", hardwareVersion: "evt-1"}
	now := time.Unix(1769860800, 0)
	var assembler chunk.Assembler
	var texts []string
	for _, message := range [][]byte{board.reboot(now, hardFault, 0x08001234, true), board.coredump(hardFault, bytes.Repeat([]byte("stack"), 100))} {
		for _, data := range chunks(message) {
			assert.LessOrEqual(t, len(data), 64)
			m, err := assembler.Add(data)
			require.NoError(t, err)
			if m == nil {
				continue
			}
			if m.Type == chunk.MessageCoredump {
				c, err := m.Coredump()
				require.NoError(t, err)
				texts = append(texts, fmt.Sprint(chunk.ReasonName(c.Reason), c.SoftwareType, c.SoftwareVersion, c.HardwareVersion, len(c.Regions[0].Data)))
				continue
			}
			events, err := m.Events()
			require.NoError(t, err)
			require.Len(t, events, 1)
			e := events[0]
			texts = append(texts, fmt.Sprint(e.Captured, e.SoftwareType, e.SoftwareVersion, e.HardwareVersion, len(e.Unknown), " ", e))
		}
	}
	require.NoError(t, assembler.Flush())
	assert.Equal(t, []string{
		"2026-01-31 12:00:00 +0000 UTCmain2.1.0evt-10 reboot HardFault, coredump saved, pc 0x08001234",
		"HardFaultmain2.1.0evt-1500",
	}, texts)
}

func TestRun_MissingVariables(t *testing.T) {
	t.Setenv("MEMFAULT_ORG_TOKEN", "oat_test")
	t.Setenv("MEMFAULT_ORG", "")
	t.Setenv("MEMFAULT_PROJECT", "")
	err := run(t.Context(), &strings.Builder{})
	require.ErrorContains(t, err, "MEMFAULT_ORG and MEMFAULT_PROJECT")
}
