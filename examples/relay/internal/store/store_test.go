package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/examples/relay/internal/store"
)

func embedded(t *testing.T) store.Config {
	return store.Config{Dir: t.TempDir(), FsyncEvery: time.Minute, Logger: slog.New(slog.DiscardHandler)}
}

func open(t *testing.T, config store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func TestOpen_OneProcessOnADirectory(t *testing.T) {
	config := embedded(t)
	s := open(t, config)
	require.NoError(t, s.Put(t.Context(), "acme", "A", []byte("one")))
	_, err := store.Open(t.Context(), config)
	require.ErrorIs(t, err, store.ErrInUse)
	require.ErrorContains(t, err, config.Dir)
	s.Close()
	s = open(t, config)
	state, err := s.State(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, state.Chunks)
}

// A relay that joins does not change what the others rely on.
func TestOpen_SettingsOfAnExistingStore(t *testing.T) {
	config := embedded(t)
	config.Listen = "127.0.0.1:0"
	first := open(t, config)
	assert.Equal(t, store.Settings{Replicas: 1, Partitions: 64, MaxBytes: 1 << 30, MaxPerDevice: 10_000}, first.Settings(), "of a new store")

	join := store.Config{URL: first.ListenURL(), Logger: config.Logger}
	assert.Equal(t, first.Settings(), open(t, join).Settings(), "taken as it is")
	for want, other := range map[string]store.Settings{
		"replicas is 1, want 3":               {Replicas: 3},
		"partitions is 64, want 8":            {Partitions: 8},
		"store-bytes is 1073741824, want 100": {MaxBytes: 100},
		"device-chunks is 10000, want 5":      {MaxPerDevice: 5},
	} {
		join.Settings = other
		_, err := store.Open(t.Context(), join)
		require.ErrorIs(t, err, store.ErrSettings, want)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "-update-store")
	}
	join.Settings = store.Settings{}
	assert.Equal(t, first.Settings(), open(t, join).Settings(), "nothing was changed")

	join.Settings, join.Update = store.Settings{Replicas: 1, Partitions: 8, MaxBytes: 100_000_000, MaxPerDevice: 5}, true
	assert.Equal(t, join.Settings, open(t, join).Settings())
	join.Update = false
	s := open(t, join)
	for range 5 {
		require.NoError(t, s.Put(t.Context(), "acme", "A", []byte("x")))
	}
	require.ErrorIs(t, s.Put(t.Context(), "acme", "A", []byte("x")), store.ErrDeviceFull)
	join.Settings, join.Update = store.Settings{Partitions: 16}, true
	_, err := store.Open(t.Context(), join)
	require.ErrorIs(t, err, store.ErrPartitions)
	require.ErrorContains(t, err, "the store contains 5 chunks in 8 partitions, want 16 partitions; start the relay with 8 partitions")
}

func TestOpen_ReplicasOfACluster(t *testing.T) {
	join := store.Config{URL: cluster(t), Logger: slog.New(slog.DiscardHandler)}
	_, err := store.Open(t.Context(), join)
	require.ErrorIs(t, err, store.ErrReplicas, "there is no default")
	join.Replicas = 3
	open(t, join)
	join.Replicas = 1
	_, err = store.Open(t.Context(), join)
	require.ErrorIs(t, err, store.ErrSettings)
	require.ErrorContains(t, err, "replicas is 3, want 1")
	join.Replicas = 0
	s := open(t, join)
	assert.Equal(t, 3, s.Settings().Replicas)
	for _, name := range []string{store.Stream, store.RejectedStream, "KV_" + store.Bucket} {
		stream, err := s.JS.Stream(t.Context(), name)
		require.NoError(t, err)
		assert.Equal(t, 3, stream.CachedInfo().Config.Replicas, name)
	}
}

// A relay that starts before the last server of its cluster waits for it.
func TestOpen_WaitsForTheServersOfACluster(t *testing.T) {
	servers := newCluster(t)
	for _, early := range servers[:2] {
		early.Routes = early.Routes[:2] // they are a cluster without the third
	}
	config := store.Config{URL: startServers(t, servers[:2]), Settings: store.Settings{Replicas: 3}}
	log, logged := io.Pipe()
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	config.Logger = slog.New(slog.NewTextHandler(logged, nil))
	waits := make(chan bool)
	go func() {
		wait := sync.OnceFunc(func() { close(waits) })
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if strings.Contains(lines.Text(), "no suitable peers") {
				wait()
			}
		}
	}()
	opened := make(chan error, 1)
	go func() {
		s, err := store.Open(t.Context(), config)
		if err == nil {
			defer s.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		require.NoError(t, err, "it must wait")
	case <-waits:
	}
	startServers(t, servers[2:])
	require.NoError(t, <-opened)
}

// cluster starts three servers and returns their URLs.
func cluster(t *testing.T) string { return startServers(t, newCluster(t)) }

// newCluster returns the options of three servers.
func newCluster(t *testing.T) []*server.Options {
	var routes []string
	var all []*server.Options
	for n := range 3 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := listener.Addr().(*net.TCPAddr).Port
		require.NoError(t, listener.Close())
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
		all = append(all, &server.Options{
			ServerName: fmt.Sprint("n", n), Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
			JetStreamMaxStore: 8 << 30, JetStreamMaxMemory: 256 << 20, NoSigs: true, NoLog: true,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
		})
	}
	for _, options := range all {
		options.Routes = server.RoutesFromStr(strings.Join(routes, ","))
	}
	return all
}

func startServers(t *testing.T, all []*server.Options) string {
	var urls []string
	for _, options := range all {
		s, err := server.NewServer(options)
		require.NoError(t, err)
		s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		require.True(t, s.ReadyForConnections(time.Minute))
		urls = append(urls, s.ClientURL())
	}
	return strings.Join(urls, ",")
}

func TestPutBeyond_KeepsWhatADeviceMayNotStore(t *testing.T) {
	config := embedded(t)
	config.MaxPerDevice = 2
	s := open(t, config)
	for n := range 20 {
		beyond, err := s.PutBeyond(t.Context(), "acme", "A", []byte{byte(n)})
		require.NoError(t, err)
		assert.Equal(t, n >= 2, beyond)
	}
	_, err := s.PutBeyond(t.Context(), "acme", "A", []byte("x"))
	require.ErrorIs(t, err, store.ErrDeviceFull)
	require.ErrorIs(t, s.Put(t.Context(), "acme", "A", []byte("x")), store.ErrDeviceFull)
	tenant, serial := store.DeviceOf(s.Subject("acme", "A") + ".1")
	assert.Equal(t, "acme/A", tenant+"/"+serial)
}

func TestRejected_RefusesRatherThanDiscards(t *testing.T) {
	config := embedded(t)
	config.MaxBytes = 1 << 20 // and 1 MiB of rejected chunks
	s := open(t, config)
	reason := errors.New("no")
	kept := 0
	for ; ; kept++ {
		err := s.PutRejected(t.Context(), "acme", "A", make([]byte, 200_000), reason)
		if err != nil {
			require.ErrorIs(t, err, store.ErrFull)
			break
		}
		require.Less(t, kept, 10)
	}
	require.NotZero(t, kept)
	state, err := s.State(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, kept, state.Rejected, "the first ones are still there")
	assert.EqualValues(t, 1<<20, state.MaxRejectedBytes)
	assert.Greater(t, state.RejectedBytes, uint64(200_000))

	next, err := s.NextRejected(t.Context(), "", 0)
	require.NoError(t, err)
	assert.Equal(t, []any{"acme", "A", "no", false, 200_000}, []any{next.Tenant, next.Serial, next.Reason, next.Truncated, len(next.Chunk)})
	none, err := s.NextRejected(t.Context(), "other", 0)
	require.NoError(t, err)
	assert.Nil(t, none)
	for next != nil {
		require.NoError(t, s.DeleteRejected(t.Context(), next.Sequence))
		next, err = s.NextRejected(t.Context(), "acme", next.Sequence+1)
		require.NoError(t, err)
		kept--
	}
	assert.Zero(t, kept)
	require.NoError(t, s.PutRejected(t.Context(), "", "some topic/\"x", []byte("y"), reason))
	next, err = s.NextRejected(t.Context(), "", 0)
	require.NoError(t, err)
	assert.Equal(t, []string{"", "some topic/\"x", "y"}, []string{next.Tenant, next.Serial, string(next.Chunk)})
}
