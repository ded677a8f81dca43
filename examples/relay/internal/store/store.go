// Package store keeps chunks in a work queue of NATS JetStream until they are delivered.
//
// The subject of a chunk contains its partition, its tenant and its device. The server limits
// the chunks in all and of one device, so that the limits hold for all relays together.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors of [Store.Put]. Only after ErrUnavailable, the chunk may have been stored.
var (
	ErrFull        = errors.New("relay: the store is full")
	ErrDeviceFull  = errors.New("relay: the share of the device in the store is used up")
	ErrUnavailable = errors.New("relay: the store is unavailable")
)

// Names in JetStream.
const (
	Stream         = "CHUNKS"
	RejectedStream = "CHUNKS_REJECTED"
	Bucket         = "RELAY"
)

const putTimeout = 5 * time.Second

// Config configures a [Store].
type Config struct {
	URL            string        // of an existing cluster; empty starts an embedded server
	User, Password string        // of the cluster; not in URL, because URLs get into errors and logs
	Credentials    string        // file with the credentials of the cluster
	CA             string        // file with the certificates that sign those of the cluster; empty is those of the system
	Dir            string        // files of the embedded server
	Listen         string        // address of the embedded server for other relays; none if empty
	FsyncEvery     time.Duration // of the embedded server; 0 is before each acknowledgement
	Settings                     // what differs from an existing store is an error, unless Update is set
	Reserve        int64         // bytes of the disk of the embedded server that no chunk may take
	Update         bool          // change the settings of an existing store
	OnReconnect    func()        // called after the connection was lost and is back; may be nil
	Logger         *slog.Logger
}

// Store is a connection to the store. It is safe for concurrent use by multiple goroutines.
// Create it with [Open].
type Store struct {
	Conn     *nats.Conn
	JS       jetstream.JetStream
	Chunks   jetstream.Stream
	KV       jetstream.KeyValue
	rejected jetstream.Stream
	embedded *server.Server
	lock     *flock.Flock // of the directory of the embedded server
	disk     *disk        // of the embedded server
	unwatch  func()       // ends the watching of the disk
	config   Config
	settings Settings
}

// Open connects to the store, and creates what does not exist in it. It fails with [ErrInUse],
// [ErrSettings], [ErrPartitions] or [ErrReplicas] if the store must not be used as it is.
func Open(ctx context.Context, config Config) (*Store, error) {
	s := &Store{config: config}
	var err error
	if config.URL == "" {
		if s.lock, err = lock(config.Dir); err != nil {
			return nil, err
		}
		if s.embedded, err = startServer(config); err != nil {
			s.Close()
			return nil, err
		}
	}
	if err = s.connect(); err == nil {
		err = s.create(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	if s.embedded != nil {
		s.watchDisk(ctx)
	}
	return s, nil
}

func (s *Store) watchDisk(ctx context.Context) {
	s.disk = &disk{store: s, health: func() error { return health(s.embedded) }}
	s.disk.look()
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // until Close
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.disk.watch(watching)
	}()
	s.unwatch = sync.OnceFunc(func() {
		stop()
		<-done
	})
}

// lock takes a directory for this process: two servers in one directory would overwrite the
// files of each other.
func lock(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("relay: directory of the store: %w", err)
	}
	l := flock.New(filepath.Join(dir, "relay.lock"))
	locked, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("relay: directory of the store: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	return l, nil
}

// embeddedID begins the IDs of processes that have the embedded server.
const embeddedID = "embedded-"

// ProcessID returns an ID for this process, and a function that reports whether the process
// with another ID is known to have ended: only one process at a time has the directory of an
// embedded server.
func (s *Store) ProcessID() (id string, ended func(id string) bool) {
	id = rand.Text()
	if s.embedded == nil {
		return id, func(string) bool { return false }
	}
	id = embeddedID + id
	return id, func(other string) bool { return other != id && strings.HasPrefix(other, embeddedID) }
}

// Settings returns the settings of the store.
func (s *Store) Settings() Settings { return s.settings }

func (s *Store) connect() error {
	hostname, _ := os.Hostname() // only a label
	options := []nats.Option{
		nats.Name("relay on " + hostname), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(200 * time.Millisecond), nats.ReconnectJitter(200*time.Millisecond, 200*time.Millisecond),
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2), nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // otherwise this process closed it
				s.config.Logger.Error("connection to NATS lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			s.config.Logger.Warn("reconnected to NATS")
			if s.config.OnReconnect != nil {
				s.config.OnReconnect()
			}
		}),
	}
	url := s.config.URL
	if s.embedded != nil {
		options = append(options, nats.InProcessServer(s.embedded))
	}
	if s.config.User != "" {
		options = append(options, nats.UserInfo(s.config.User, s.config.Password))
	}
	if s.config.Credentials != "" {
		options = append(options, nats.UserCredentials(s.config.Credentials))
	}
	if s.config.CA != "" {
		options = append(options, nats.RootCAs(s.config.CA))
	}
	var err error
	if s.Conn, err = nats.Connect(url, options...); err != nil {
		return fmt.Errorf("relay: connecting to NATS: %w", err)
	}
	s.JS, err = jetstream.New(s.Conn)
	return err
}

// Partition returns the partition of a device.
func (s *Store) Partition(tenant, serial string) int {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(tenant + "/" + serial))         // a hash returns no error
	return int(hash.Sum32() % uint32(s.settings.Partitions)) //nolint:gosec // the number is positive
}

// Subject returns the subject of the chunks of a device. It contains the number of
// partitions, so that a relay with another number cannot store anything.
func (s *Store) Subject(tenant, serial string) string {
	return fmt.Sprintf("%s%d.%s.%s", s.prefix(), s.Partition(tenant, serial), tenant, serial)
}

// Filter returns the filter of the subjects of a partition.
func (s *Store) Filter(partition int) string { return fmt.Sprintf("%s%d.>", s.prefix(), partition) }

func (s *Store) prefix() string { return fmt.Sprintf("chunks.%d.", s.settings.Partitions) }

// Put stores a chunk. It returns nil after JetStream has acknowledged it.
func (s *Store) Put(ctx context.Context, tenant, serial string, chunk []byte) error {
	return s.put(ctx, s.Subject(tenant, serial), chunk)
}

// overflows is how many more shares a device can use by PutBeyond.
const overflows = 9

// PutBeyond stores a chunk that cannot be refused, because somebody else has confirmed it. A
// device that has used up its share uses further ones. Their subjects are below the device's
// own, and belong to the same partition, so that the order of the device is kept.
func (s *Store) PutBeyond(ctx context.Context, tenant, serial string, chunk []byte) (beyond bool, err error) {
	subject := s.Subject(tenant, serial)
	err = s.put(ctx, subject, chunk)
	for n := 1; errors.Is(err, ErrDeviceFull) && n <= overflows; n++ {
		beyond, err = true, s.put(ctx, fmt.Sprintf("%s.%d", subject, n), chunk)
	}
	return beyond, err
}

func (s *Store) put(ctx context.Context, subject string, chunk []byte) error {
	if err := s.room(chunk); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	_, err := s.JS.Publish(ctx, subject, chunk)
	return putError(err)
}

// room returns [ErrFull] if the disk has no room for a chunk.
func (s *Store) room(chunk []byte) error {
	if s.disk == nil {
		return nil
	}
	return s.disk.take(len(chunk))
}

// DeviceOf returns the device of a subject of PutBeyond or Put.
func DeviceOf(subject string) (tenant, serial string) {
	parts := strings.Split(subject, ".") // chunks.PARTITIONS.PARTITION.TENANT.SERIAL[.N]
	if len(parts) < 5 {
		return "", ""
	}
	return parts[3], parts[4]
}

// putError returns the error of this package for an error of a publication.
func putError(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &api):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case api.Description == server.ErrMaxMsgsPerSubject.Error():
		return ErrDeviceFull
	case api.Description == server.ErrMaxBytes.Error(), api.Description == server.ErrMaxMsgs.Error(),
		api.ErrorCode == storageExceeded, api.ErrorCode == insufficientResources:
		return fmt.Errorf("%w: %s", ErrFull, api.Description)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Error codes of the server that package jetstream does not name.
const (
	noPeers               jetstream.ErrorCode = 10005 // fewer servers than replicas, at the moment
	insufficientResources jetstream.ErrorCode = 10023
	storageExceeded       jetstream.ErrorCode = 10047
)

// State is how much the store contains.
type State struct {
	Chunks, Bytes uint64
	MaxBytes      int64
	Oldest        time.Time // when the oldest chunk was stored; zero if there is none

	Rejected, RejectedBytes uint64
	MaxRejectedBytes        int64

	Replicas        int // of each chunk
	CurrentReplicas int // that are up to date now
}

// State returns the state of the store.
func (s *Store) State(ctx context.Context) (State, error) {
	info, err := s.Chunks.Info(ctx)
	if err != nil {
		return State{}, err
	}
	rejected, err := s.rejected.Info(ctx)
	if err != nil {
		return State{}, err
	}
	state := State{
		Chunks: info.State.Msgs, Bytes: info.State.Bytes, MaxBytes: info.Config.MaxBytes,
		Rejected: rejected.State.Msgs, RejectedBytes: rejected.State.Bytes, MaxRejectedBytes: rejected.Config.MaxBytes,
	}
	if state.Chunks > 0 {
		state.Oldest = info.State.FirstTime
	}
	state.Replicas, state.CurrentReplicas = info.Config.Replicas, currentReplicas(info.Cluster)
	return state, nil
}

// currentReplicas counts the servers that have all chunks. A server whose disk was full has
// none until it is restarted.
func currentReplicas(cluster *jetstream.ClusterInfo) int {
	if cluster == nil {
		return 1
	}
	n := 0
	if cluster.Leader != "" {
		n = 1
	}
	for _, peer := range cluster.Replicas {
		if peer.Current && !peer.Offline {
			n++
		}
	}
	return n
}

// Close closes the connection, and stops the embedded server.
func (s *Store) Close() {
	if s.unwatch != nil {
		s.unwatch()
	}
	if s.Conn != nil {
		s.Conn.Close()
	}
	if s.embedded != nil {
		s.embedded.Shutdown()
		s.embedded.WaitForShutdown()
	}
	if s.lock != nil {
		_ = s.lock.Unlock() // the end of the process does it as well
	}
}
