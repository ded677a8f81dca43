package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// startServer starts the embedded server.
func startServer(config Config) (*server.Server, error) {
	options := &server.Options{
		ServerName: "relay", JetStream: true, StoreDir: config.Dir, DontListen: config.Listen == "",
		SyncAlways: config.FsyncEvery == 0, SyncInterval: max(config.FsyncEvery, time.Second),
		NoSigs: true, NoLog: true,
		JetStreamMaxStore: 4*config.MaxBytes + 256<<20, // the limits of the streams count, not a guess from the disk
	}
	if config.Listen != "" {
		host, port, err := net.SplitHostPort(config.Listen)
		if err != nil {
			return nil, fmt.Errorf("relay: address of the store: %w", err)
		}
		options.Host = host
		if options.Port, err = strconv.Atoi(port); err != nil {
			return nil, fmt.Errorf("relay: address of the store: %w", err)
		}
		if options.Port == 0 {
			options.Port = server.RANDOM_PORT
		}
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("relay: embedded NATS: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		s.Shutdown()
		return nil, errors.New("relay: the embedded NATS server did not start within 30 s; is its directory in use?")
	}
	return s, nil
}

// ListenURL returns the URL of the embedded server, and "" if it does not listen.
func (s *Store) ListenURL() string {
	if s.embedded == nil || s.config.Listen == "" {
		return ""
	}
	return s.embedded.ClientURL()
}

func (s *Store) create(ctx context.Context) error {
	if err := s.createChunks(ctx); err != nil {
		return err
	}
	err := s.ensure(ctx, "the stream of rejected chunks", func(ctx context.Context) error {
		_, err := s.JS.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: RejectedStream, Subjects: []string{"rejected.*"}, Replicas: s.config.Replicas,
			Discard: jetstream.DiscardOld, MaxBytes: max(s.config.MaxBytes/10, 1<<20), MaxAge: 30 * 24 * time.Hour,
		})
		return err
	})
	if err != nil {
		return err
	}
	return s.ensure(ctx, "the bucket of leases", func(ctx context.Context) error {
		kv, err := s.JS.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: Bucket, History: 1, Replicas: s.config.Replicas, MaxBytes: 64 << 20,
		})
		s.KV = kv
		return err
	})
}

// createChunks creates the stream of chunks, or adapts it to the configuration.
func (s *Store) createChunks(ctx context.Context) error {
	config := jetstream.StreamConfig{
		Name: Stream, Subjects: []string{s.prefix() + "*.*.*"}, Replicas: s.config.Replicas,
		Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
		MaxBytes: s.config.MaxBytes, MaxMsgsPerSubject: s.config.MaxPerDevice,
		Duplicates: 100 * time.Millisecond, // chunks have no message ID
	}
	return s.ensure(ctx, "the stream of chunks", func(ctx context.Context) error {
		stream, err := s.JS.Stream(ctx, Stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			s.Chunks, err = s.JS.CreateStream(ctx, config)
			return err
		}
		if err != nil {
			return err
		}
		old := stream.CachedInfo()
		if !slices.Equal(old.Config.Subjects, config.Subjects) && old.State.Msgs > 0 {
			return partitionsError(old, s.config.Partitions)
		}
		if s.Chunks, err = s.JS.UpdateStream(ctx, config); err != nil {
			return err
		}
		return s.checkPartitions(ctx, old)
	})
}

// checkPartitions undoes a change of the number of partitions if another relay stored a chunk
// before it.
func (s *Store) checkPartitions(ctx context.Context, old *jetstream.StreamInfo) error {
	if slices.Equal(old.Config.Subjects, s.Chunks.CachedInfo().Config.Subjects) {
		return nil
	}
	now, err := s.Chunks.Info(ctx, jetstream.WithSubjectFilter(old.Config.Subjects[0]))
	if err != nil {
		return err
	}
	if len(now.State.Subjects) == 0 {
		return nil
	}
	if _, err = s.JS.UpdateStream(ctx, old.Config); err != nil {
		return err
	}
	now.Config = old.Config
	return partitionsError(now, s.config.Partitions)
}

// ErrPartitions is returned by [Open] if the number of partitions must not be changed.
var ErrPartitions = errors.New("relay: the number of partitions cannot be changed while chunks are stored")

func partitionsError(info *jetstream.StreamInfo, want int) error {
	var have int
	if _, err := fmt.Sscanf(info.Config.Subjects[0], "chunks.%d.", &have); err != nil {
		return fmt.Errorf("relay: the stream %s belongs to another program: %w", Stream, err)
	}
	return fmt.Errorf("%w: the store contains %d chunks in %d partitions, want %d partitions; "+
		"start the relay with %d partitions, stop the devices, and wait until the store is empty",
		ErrPartitions, info.State.Msgs, have, want, have)
}

// ensure calls create until it succeeds or fails finally: a cluster may have no leader yet.
func (s *Store) ensure(ctx context.Context, what string, create func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		attempt, cancel := context.WithTimeout(ctx, putTimeout)
		err := create(attempt)
		cancel()
		var api *jetstream.APIError
		permanent := errors.As(err, &api) && (api.Code < 500 || api.ErrorCode == storageExceeded)
		if err == nil || errors.Is(err, ErrPartitions) || permanent {
			return wrap(what, err)
		}
		select {
		case <-ctx.Done():
			return wrap(what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func wrap(what string, err error) error {
	if err == nil || errors.Is(err, ErrPartitions) {
		return err
	}
	return fmt.Errorf("relay: creating %s: %w", what, err)
}
