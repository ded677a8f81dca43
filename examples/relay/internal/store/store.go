// Package store keeps chunks in a work queue of NATS JetStream until they are delivered.
//
// The subject of a chunk contains its partition, its tenant and its device. The server limits
// the chunks in all and of one device, so that the limits hold for all relays together.
package store

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"time"

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
	URL          string        // of an existing cluster; empty starts an embedded server
	Dir          string        // files of the embedded server
	Listen       string        // address of the embedded server for other relays; none if empty
	FsyncEvery   time.Duration // of the embedded server; 0 is before each acknowledgement
	Replicas     int           // of the streams
	Partitions   int           // cannot be changed while chunks are stored
	MaxBytes     int64         // of all chunks
	MaxPerDevice int64         // chunks of one device
	OnReconnect  func()        // called after the connection was lost and is back; may be nil
}

// Store is a connection to the store. It is safe for concurrent use by multiple goroutines.
// Create it with [Open].
type Store struct {
	Conn     *nats.Conn
	JS       jetstream.JetStream
	Chunks   jetstream.Stream
	KV       jetstream.KeyValue
	embedded *server.Server
	config   Config
}

// Open connects to the store, and creates what does not exist in it. It fails if the store
// contains chunks of another number of partitions.
func Open(ctx context.Context, config Config) (*Store, error) {
	s := &Store{config: config}
	var err error
	if config.URL == "" {
		if s.embedded, err = startServer(config); err != nil {
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
	return s, nil
}

func (s *Store) connect() error {
	hostname, _ := os.Hostname() // only a label
	options := []nats.Option{
		nats.Name("relay on " + hostname), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(200 * time.Millisecond), nats.ReconnectJitter(200*time.Millisecond, 200*time.Millisecond),
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2), nats.ReconnectBufSize(-1),
		nats.ReconnectHandler(func(*nats.Conn) {
			if s.config.OnReconnect != nil {
				s.config.OnReconnect()
			}
		}),
	}
	url := s.config.URL
	if s.embedded != nil {
		options = append(options, nats.InProcessServer(s.embedded))
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
	_, _ = hash.Write([]byte(tenant + "/" + serial))       // a hash returns no error
	return int(hash.Sum32() % uint32(s.config.Partitions)) //nolint:gosec // the number is positive
}

// Subject returns the subject of the chunks of a device. It contains the number of
// partitions, so that a relay with another number cannot store anything.
func (s *Store) Subject(tenant, serial string) string {
	return fmt.Sprintf("%s%d.%s.%s", s.prefix(), s.Partition(tenant, serial), tenant, serial)
}

// Filter returns the filter of the subjects of a partition.
func (s *Store) Filter(partition int) string { return fmt.Sprintf("%s%d.>", s.prefix(), partition) }

func (s *Store) prefix() string { return fmt.Sprintf("chunks.%d.", s.config.Partitions) }

// Put stores a chunk. It returns nil after JetStream has acknowledged it.
func (s *Store) Put(ctx context.Context, tenant, serial string, chunk []byte) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	_, err := s.JS.Publish(ctx, s.Subject(tenant, serial), chunk)
	return putError(err)
}

// PutRejected keeps a chunk that cannot be delivered, with the reason, so that a person can
// examine it.
func (s *Store) PutRejected(ctx context.Context, tenant, serial string, chunk []byte, reason error) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	msg := nats.NewMsg("rejected." + tenant)
	msg.Header.Set("Relay-Serial", fmt.Sprintf("%q", serial))
	msg.Header.Set("Relay-Reason", fmt.Sprintf("%q", reason.Error()))
	if limit := int(s.Conn.MaxPayload()) - 8<<10; limit > 0 && len(chunk) > limit {
		msg.Header.Set("Relay-Truncated", fmt.Sprint(len(chunk)))
		chunk = chunk[:limit]
	}
	msg.Data = chunk
	_, err := s.JS.PublishMsg(ctx, msg)
	return putError(err)
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
	insufficientResources jetstream.ErrorCode = 10023
	storageExceeded       jetstream.ErrorCode = 10047
)

// State is how much the store contains.
type State struct {
	Chunks   uint64
	Bytes    uint64
	Oldest   time.Time // when the oldest chunk was stored; zero if there is none
	Rejected uint64
}

// State returns the state of the store.
func (s *Store) State(ctx context.Context) (State, error) {
	info, err := s.Chunks.Info(ctx)
	if err != nil {
		return State{}, err
	}
	state := State{Chunks: info.State.Msgs, Bytes: info.State.Bytes}
	if state.Chunks > 0 {
		state.Oldest = info.State.FirstTime
	}
	rejected, err := s.JS.Stream(ctx, RejectedStream)
	if err != nil {
		return state, err
	}
	state.Rejected = rejected.CachedInfo().State.Msgs
	return state, nil
}

// Close closes the connection, and stops the embedded server.
func (s *Store) Close() {
	if s.Conn != nil {
		s.Conn.Close()
	}
	if s.embedded != nil {
		s.embedded.Shutdown()
		s.embedded.WaitForShutdown()
	}
}
