package lease

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// grace is how much longer than the TTL a process waits before it takes a lease over.
const grace = 500 * time.Millisecond

// view is the state of the bucket that a process has read. It reads the bucket as a whole,
// because a watcher that lost its server can stay silent for seconds. A view that is out of
// date does no harm: a write that replaces an old revision fails.
type view struct {
	config  Config
	entries map[string]entry
}

type entry struct {
	revision uint64
	value    string
	seen     time.Duration // when this revision was seen first
}

func newView(config Config) *view { return &view{config: config, entries: map[string]entry{}} }

func (v *view) memberKey(id string) string { return memberKey + v.config.Members + "." + id }

// read reads the bucket.
func (v *view) read(ctx context.Context) error {
	watcher, err := v.config.KV.WatchAll(ctx)
	if err != nil {
		return err
	}
	defer watcher.Stop() //nolint:errcheck // otherwise the server removes it soon
	now, _ := v.config.Clock()
	entries := map[string]entry{}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("reading the bucket: %w", ctx.Err())
		case update, ok := <-watcher.Updates():
			if !ok {
				return fmt.Errorf("reading the bucket: the watcher was closed")
			}
			if update == nil { // this was all
				v.entries = entries
				return nil
			}
			read := entry{revision: update.Revision(), seen: now}
			if update.Operation() == jetstream.KeyValuePut {
				read.value = string(update.Value())
			}
			if old := v.entries[update.Key()]; old.revision >= read.revision {
				read = old
			}
			entries[update.Key()] = read
		}
	}
}

// stale reports whether an entry has not changed for longer than the TTL.
func (v *view) stale(e entry) bool {
	now, _ := v.config.Clock()
	return now-e.seen > v.config.TTL+grace
}

// free reports whether a lease that this process does not have can be acquired.
func (v *view) free(name string) bool {
	e := v.entries[leaseKey+name]
	return e.value == "" || e.value == v.config.ID || v.stale(e) || v.ended(e.value)
}

// ended reports whether a process is known to have ended.
func (v *view) ended(id string) bool {
	return v.config.Ended != nil && id != v.config.ID && v.config.Ended(id)
}

func (v *view) revision(name string) uint64 { return v.entries[leaseKey+name].revision }

// members returns the processes that are alive, in a fixed order.
func (v *view) members() []string {
	var members []string
	for key, e := range v.entries {
		if id, ok := strings.CutPrefix(key, v.memberKey("")); ok && e.value != "" && !v.stale(e) && !v.ended(id) {
			members = append(members, id)
		}
	}
	slices.Sort(members)
	return members
}

// forgetDead deletes the keys of processes that have been dead for long.
func (v *view) forgetDead(ctx context.Context) {
	now, _ := v.config.Clock()
	for key, e := range v.entries {
		if strings.HasPrefix(key, memberKey) && e.value != "" && now-e.seen > 20*v.config.TTL {
			_ = v.config.KV.Delete(ctx, key, jetstream.LastRevision(e.revision)) // another process does it
		}
	}
}
