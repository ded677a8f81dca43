package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Settings are settings of the streams. They hold for all relays of a store. In [Config], 0
// takes what the store has.
type Settings struct {
	Replicas     int   // of each chunk
	Partitions   int   // cannot be changed while chunks are stored
	MaxBytes     int64 // of all chunks
	MaxPerDevice int64 // chunks of one device
}

// newStore are the settings of a store that is created, where [Config] has none. A store in a
// cluster needs to be told the number of replicas.
var newStore = Settings{Replicas: 1, Partitions: 64, MaxBytes: 1 << 30, MaxPerDevice: 10_000}

// or returns the settings, with those of other in place of zero values.
func (s Settings) or(other Settings) Settings {
	if s.Replicas == 0 {
		s.Replicas = other.Replicas
	}
	if s.Partitions == 0 {
		s.Partitions = other.Partitions
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = other.MaxBytes
	}
	if s.MaxPerDevice == 0 {
		s.MaxPerDevice = other.MaxPerDevice
	}
	return s
}

// settingsOf returns the settings of a stream of chunks.
func settingsOf(info *jetstream.StreamInfo) (Settings, error) {
	c := info.Config
	have := Settings{Replicas: c.Replicas, MaxBytes: c.MaxBytes, MaxPerDevice: c.MaxMsgsPerSubject}
	if len(c.Subjects) == 1 {
		if _, err := fmt.Sscanf(c.Subjects[0], "chunks.%d.", &have.Partitions); err == nil {
			return have, nil
		}
	}
	return have, fmt.Errorf("%w: the stream %s belongs to another program", ErrSettings, Stream)
}

// compare returns the differences of a stream and the one that is wanted, for a person.
func compare(old, config jetstream.StreamConfig, have, want Settings) []string {
	var all []string
	add := func(different bool, name string, have, want any) {
		if different {
			all = append(all, differ(name, have, want))
		}
	}
	add(have.Replicas != want.Replicas, "replicas", have.Replicas, want.Replicas)
	add(have.Partitions != want.Partitions, "partitions", have.Partitions, want.Partitions)
	add(have.MaxBytes != want.MaxBytes, "store-bytes", have.MaxBytes, want.MaxBytes)
	add(have.MaxPerDevice != want.MaxPerDevice, "device-chunks", have.MaxPerDevice, want.MaxPerDevice)
	add(have.Partitions == want.Partitions && !slices.Equal(old.Subjects, config.Subjects), "subjects", old.Subjects, config.Subjects)
	add(old.Retention != config.Retention, "retention", old.Retention, config.Retention)
	add(old.Discard != config.Discard || old.DiscardNewPerSubject != config.DiscardNewPerSubject, "discard", old.Discard, config.Discard)
	add(old.MaxAge != 0 || old.MaxMsgs > 0, "limit of age or messages", "set", "none")
	return all
}

func differ(name string, have, want any) string {
	return fmt.Sprintf("%s is %v, want %v", name, have, want)
}

// Errors of [Open].
var (
	// ErrInUse: another process has the directory of the embedded server.
	ErrInUse = errors.New("relay: the directory of the store is in use by another process")
	// ErrSettings: the store has other settings than [Config].
	ErrSettings = errors.New("relay: the store has other settings")
	// ErrPartitions: the number of partitions must not be changed now.
	ErrPartitions = errors.New("relay: the number of partitions cannot be changed while chunks are stored")
	// ErrReplicas: a store in a cluster does not exist, and it is not known how many replicas
	// it should have.
	ErrReplicas = errors.New("relay: the cluster has no store yet; to create it, start one relay with -replicas: on how many servers each chunk is stored (3 survives the loss of one)")
)

// refused reports whether [Open] refused the store as it is.
func refused(err error) bool {
	return errors.Is(err, ErrSettings) || errors.Is(err, ErrPartitions) || errors.Is(err, ErrReplicas)
}

func settingsError(name string, differences []string) error {
	return fmt.Errorf("%w: %s: %s; start without these flags to take the store as it is, or with -update-store to change it for all relays",
		ErrSettings, name, strings.Join(differences, "; "))
}

func partitionsError(chunks uint64, have, want int) error {
	return fmt.Errorf("%w: the store contains %d chunks in %d partitions, want %d partitions; "+
		"start the relay with %d partitions, stop the devices, and wait until the store is empty",
		ErrPartitions, chunks, have, want, have)
}
