package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// startServer starts the embedded server.
func startServer(config Config) (*server.Server, error) {
	options := &server.Options{
		ServerName: "relay", JetStream: true, StoreDir: config.Dir, DontListen: config.Listen == "", NoSigs: true, NoLog: true,
	}
	js := jetStreamConfig(config)
	options.SyncAlways, options.SyncInterval, options.JetStreamMaxStore, options.JetStreamMaxMemory = js.SyncAlways, js.SyncInterval, js.MaxStore, js.MaxMemory
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

// jetStreamConfig returns the configuration of JetStream in the embedded server.
func jetStreamConfig(config Config) *server.JetStreamConfig {
	return &server.JetStreamConfig{
		StoreDir: config.Dir, SyncAlways: config.FsyncEvery == 0, SyncInterval: max(config.FsyncEvery, time.Second),
		MaxStore: 1 << 50, // the limits of the streams count, not a guess from the disk
		// Nothing is stored in memory, but without a limit the server ignores this configuration.
		MaxMemory: 1 << 20, Strict: true,
	}
}

// ListenURL returns the URL of the embedded server, and "" if it does not listen.
func (s *Store) ListenURL() string {
	if s.embedded == nil || s.config.Listen == "" {
		return ""
	}
	return s.embedded.ClientURL()
}

// create opens the streams and the bucket. It creates what does not exist.
func (s *Store) create(ctx context.Context) error {
	if err := s.ensure(ctx, "the stream of chunks", s.openChunks); err != nil {
		return err
	}
	if err := s.ensure(ctx, "the stream of rejected chunks", s.openRejected); err != nil {
		return err
	}
	return s.ensure(ctx, "the bucket of leases", s.openBucket)
}

// openChunks opens the stream of chunks.
func (s *Store) openChunks(ctx context.Context) error {
	stream, err := s.JS.Stream(ctx, Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if s.config.URL != "" && s.config.Replicas == 0 {
			return ErrReplicas
		}
		s.settings = s.config.or(newStore)
		s.Chunks, err = s.JS.CreateStream(ctx, s.chunksConfig())
		return err
	}
	if err != nil {
		return err
	}
	old := stream.CachedInfo()
	have, err := settingsOf(old)
	if err != nil {
		return err
	}
	s.settings = s.config.or(have)
	want := s.chunksConfig()
	differences := compare(old.Config, want, have, s.settings)
	switch {
	case len(differences) == 0:
		s.Chunks = stream
		return nil
	case have.Partitions != s.settings.Partitions && old.State.Msgs > 0:
		return partitionsError(old.State.Msgs, have.Partitions, s.settings.Partitions)
	case !s.config.Update:
		return settingsError(Stream, differences)
	}
	if s.Chunks, err = s.JS.UpdateStream(ctx, want); err != nil {
		return err
	}
	return s.checkPartitions(ctx, old, have.Partitions)
}

func (s *Store) chunksConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: Stream, Subjects: []string{s.prefix() + ">"}, Replicas: s.settings.Replicas,
		Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
		MaxBytes: s.settings.MaxBytes, MaxMsgsPerSubject: s.settings.MaxPerDevice,
		Duplicates: 100 * time.Millisecond, // chunks have no message ID
	}
}

// openRejected opens the stream of rejected chunks. It discards nothing by itself: while it is
// full, rejected chunks stay in the stream of chunks.
func (s *Store) openRejected(ctx context.Context) error {
	want := jetstream.StreamConfig{
		Name: RejectedStream, Subjects: []string{"rejected.*"}, Replicas: s.settings.Replicas,
		Discard: jetstream.DiscardNew, MaxBytes: max(s.settings.MaxBytes/10, 1<<20),
	}
	stream, err := s.JS.Stream(ctx, RejectedStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s.rejected, err = s.JS.CreateStream(ctx, want)
		return err
	}
	if err != nil {
		return err
	}
	s.rejected = stream
	have := stream.CachedInfo().Config
	var differences []string
	if s.config.Replicas != 0 && have.Replicas != want.Replicas {
		differences = append(differences, differ("replicas", have.Replicas, want.Replicas))
	}
	if have.Discard != want.Discard || have.MaxAge != 0 {
		differences = append(differences, "it discards old chunks, and must not")
	}
	if len(differences) > 0 && !s.config.Update {
		return settingsError(RejectedStream, differences)
	}
	if s.config.Update {
		s.rejected, err = s.JS.UpdateStream(ctx, want)
	}
	return err
}

func (s *Store) openBucket(ctx context.Context) error {
	want := jetstream.KeyValueConfig{Bucket: Bucket, History: 1, Replicas: s.settings.Replicas, MaxBytes: 64 << 20}
	kv, err := s.JS.KeyValue(ctx, Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		s.KV, err = s.JS.CreateKeyValue(ctx, want)
		return err
	}
	if err != nil {
		return err
	}
	s.KV = kv
	if s.config.Update {
		s.KV, err = s.JS.UpdateKeyValue(ctx, want)
		return err
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return err
	}
	if have := status.Config().Replicas; s.config.Replicas != 0 && have != want.Replicas {
		return settingsError("bucket "+Bucket, []string{differ("replicas", have, want.Replicas)})
	}
	return nil
}

// checkPartitions undoes a change of the number of partitions if another relay stored a chunk
// before it.
func (s *Store) checkPartitions(ctx context.Context, old *jetstream.StreamInfo, have int) error {
	if have == s.settings.Partitions {
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
	return partitionsError(now.State.Msgs, have, s.settings.Partitions)
}

// ensure calls create until it succeeds or fails finally: a cluster may have no leader yet, or
// not all of its servers.
func (s *Store) ensure(ctx context.Context, what string, create func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last string
	for n := 0; ; n++ {
		attempt, cancel := context.WithTimeout(ctx, putTimeout)
		err := create(attempt)
		cancel()
		var api *jetstream.APIError
		// Another relay may have created it in the same moment.
		taken := errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) || errors.Is(err, jetstream.ErrBucketExists)
		permanent := errors.As(err, &api) && !taken && (api.Code < 500 && api.ErrorCode != noPeers || api.ErrorCode == storageExceeded)
		if err == nil || refused(err) || permanent {
			return wrap(what, err)
		}
		if n%25 == 0 || err.Error() != last { // every 5 s, or rarer
			last = err.Error()
			s.config.Logger.Warn("waiting for the store", "for", what, "connected", s.Conn.IsConnected(), "error", err)
		}
		select {
		case <-ctx.Done():
			return wrap(what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func wrap(what string, err error) error {
	if err == nil || refused(err) {
		return err
	}
	return fmt.Errorf("relay: opening %s: %w", what, err)
}
