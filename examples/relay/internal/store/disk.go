package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// disk watches the disk of the embedded server.
//
// A server whose write failed keeps the error until it is restarted, and responds to nothing
// that writes. So chunks are refused before the disk is full: the rest is reserved for what
// deliveries write, which make room. If a write fails nevertheless, because another program has
// filled the disk, JetStream is restarted within the process when there is room again. Nothing
// that was acknowledged is lost, and the connections stay.
type disk struct {
	store  *Store
	health func() error // why the server cannot write, if so
	failed bool         // whether the last look found a problem; only look uses it

	mu       sync.Mutex
	free     int64 // bytes, at the last look; -1 is unknown
	taken    int64 // by chunks since then
	problem  error // why the server does not write
	refuses  bool  // whether it was logged that chunks are refused
	restarts int
	tried    time.Time // when the last restart began
}

// DiskState is the state of the disk of the embedded server.
type DiskState struct {
	Free     int64 // bytes, with those of the reserve; -1 is unknown
	Reserve  int64 // bytes
	Full     bool  // whether chunks are refused
	Problem  error // why the server cannot write; nil if it can
	Restarts int   // of JetStream after it could not write
}

const (
	diskInterval = time.Second
	// leastRoom is how much space a restart of JetStream needs in any case.
	leastRoom = 1 << 20
	// retryRestart is how long to wait for the whole reserve before a restart is tried with less.
	retryRestart = 30 * time.Second
)

// watch looks at the disk until ctx ends.
func (d *disk) watch(ctx context.Context) {
	ticker := time.NewTicker(diskInterval)
	defer ticker.Stop()
	for {
		d.look()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (d *disk) look() {
	free := freeSpace(d.store.config.Dir)
	problem := d.health()
	before := d.failed
	d.failed = problem != nil
	if !before {
		problem = nil // on a busy machine a healthy server fails a look now and then; a full disk fails each
	}
	d.mu.Lock()
	began, ended := d.problem == nil && problem != nil, d.problem != nil && problem == nil
	d.free, d.taken, d.problem = free, 0, problem
	refused := d.refuses
	d.refuses = d.full(1) != nil
	refuses := d.refuses
	restart := problem != nil && d.mayRestart(free)
	if restart {
		d.tried = time.Now()
		d.restarts++
	}
	d.mu.Unlock()
	switch {
	case began:
		d.store.config.Logger.Error("the store cannot write; it continues when there is room on its disk", "error", problem, "free", free)
	case ended:
		d.store.config.Logger.Warn("the store writes again", "free", free)
	case !refused && refuses:
		d.store.config.Logger.Error("the disk of the store has only the reserve left, chunks are refused", "free", free, "reserve", d.store.config.Reserve)
	}
	if restart {
		d.restart()
	}
}

// mayRestart reports whether there is enough space for a restart. d.mu must be held.
func (d *disk) mayRestart(free int64) bool {
	since := time.Since(d.tried)
	return since > 5*diskInterval && (free < 0 || free >= max(d.store.config.Reserve/2, leastRoom)) ||
		since > retryRestart && free >= leastRoom
}

func (d *disk) restart() {
	s := d.store
	s.config.Logger.Warn("JetStream starts again")
	err := s.embedded.ShutdownJetStream()
	if err == nil {
		err = s.embedded.EnableJetStream(jetStreamConfig(s.config))
	}
	if err != nil {
		s.config.Logger.Error("JetStream does not start", "error", err)
		return
	}
	if s.config.OnReconnect != nil {
		s.config.OnReconnect() // a consumer may have lost what it had delivered
	}
}

// health returns why the server cannot write, if so.
func health(s *server.Server) error {
	if status := s.Healthz(nil); status.Error != "" {
		return fmt.Errorf("relay: %s", status.Error)
	}
	return nil
}

// take counts a chunk, and returns [ErrFull] if there is no room for it beside the reserve.
func (d *disk) take(bytes int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.full(int64(bytes)); err != nil {
		return err
	}
	d.taken += int64(bytes)
	return nil
}

// full returns why a chunk is refused. d.mu must be held.
func (d *disk) full(bytes int64) error {
	switch {
	case d.problem != nil:
		return fmt.Errorf("%w: it cannot write: %w", ErrFull, d.problem)
	case d.free >= 0 && d.free-d.taken-bytes < d.store.config.Reserve:
		return fmt.Errorf("%w: its disk has only the reserve left", ErrFull)
	}
	return nil
}

func (d *disk) state() DiskState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return DiskState{Free: d.free, Reserve: d.store.config.Reserve, Full: d.full(1) != nil, Problem: d.problem, Restarts: d.restarts}
}

// Disk returns the state of the disk. ok is false if the store is not embedded.
func (s *Store) Disk() (state DiskState, ok bool) {
	if s.disk == nil {
		return DiskState{}, false
	}
	return s.disk.state(), true
}
