//go:build linux

package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/arrivals"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/deliver"
	"github.com/memfault-go/memfault/examples/relay/internal/store"
)

func TestMain(m *testing.M) {
	if isChild() {
		exit(child())
	}
	os.Exit(m.Run())
}

// The short form of the ledger: all the same disturbances, with fewer devices.
func TestLedger(t *testing.T) {
	for _, single := range []bool{false, true} {
		t.Run(fmt.Sprintf("single=%t", single), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := runIsolated(t.Context(), config{
				Duration: 24 * time.Second, Devices: 60, Interval: time.Second, Faults: .24, Sick: .2, Disturb: true,
				Partitions: 8, Lease: 2 * time.Second, Drain: time.Minute, Single: single,
			}, &out)
			t.Log("\n" + out.String())
			require.NoError(t, err)
		})
	}
}

// A relay that is killed at any step of a takeover leaves everything to the next one.
func TestTakeover_KilledAtEachStep(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks are numbered texts
	kept, err := store.Open(t.Context(), store.Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", FsyncEvery: time.Minute,
		Settings: store.Settings{Partitions: 1}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	defer kept.Close()
	devices := newDevices(4, nil)
	put := func() {
		for range 20 {
			for _, d := range devices {
				n := d.stored.Add(1) - 1
				require.NoError(t, kept.Put(t.Context(), "acme", d.serial, []byte(d.text(int(n)))))
			}
		}
	}
	launch := func(killAt string) *process {
		ports, err := freePorts(3)
		require.NoError(t, err)
		relay := &process{role: role{Relay: &relayRole{
			NATS: kept.ListenURL(), Cloud: cloud.URL, Key: cloud.ProjectKey(), Partitions: 1, Replicas: 1,
			Lease: time.Second, KillAt: killAt,
			HTTP: fmt.Sprintf("127.0.0.1:%d", ports[0]), MQTT: fmt.Sprintf("127.0.0.1:%d", ports[1]), Admin: fmt.Sprintf("127.0.0.1:%d", ports[2]),
		}}}
		require.NoError(t, relay.start())
		t.Cleanup(relay.kill)
		return relay
	}
	for _, step := range []string{deliver.StepLeased, deliver.StepDeleted, deliver.StepCreated, deliver.StepFirst, deliver.StepDone} {
		put()
		require.ErrorContains(t, launch(step).cmd.Wait(), "killed", step)
	}
	put()
	relay := launch("")
	drain(t.Context(), config{Drain: time.Minute}, devices, cloud)
	require.NoError(t, relay.stop())
	total, err := count(devices, cloud)
	require.NoError(t, err)
	assert.Zero(t, total.Missing)
	assert.Zero(t, total.Misordered)
	assert.Positive(t, total.Arrived-total.Distinct, "what was accepted and not acknowledged is repeated")
	state, err := kept.State(t.Context())
	require.NoError(t, err)
	assert.Zero(t, state.Chunks, "all are acknowledged")
	t.Logf("%d chunks, %d repeated", total.Distinct, total.Arrived-total.Distinct)
}

func TestCount_DetectsErrors(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks are numbered texts
	d := newDevices(1, nil)[0]
	client := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
	for _, n := range []int{0, 2, 1, 2} {
		require.NoError(t, client.Chunks.Upload(t.Context(), d.serial, [][]byte{[]byte(d.text(n))}))
	}
	d.stored.Store(4)
	total, err := count([]*device{d}, cloud)
	require.NoError(t, err)
	assert.Equal(t, totals{stored: 4, Count: arrivals.Count{Arrived: 4, Distinct: 3, Missing: 1, Misordered: 1}}, total)
	var out strings.Builder
	require.ErrorContains(t, report(&out, config{Duration: time.Second}, []*device{d}, cloud, nil), "chunks are missing")
}
