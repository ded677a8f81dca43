// Package share gives each tenant a share of the store, so that a tenant whose chunks are not
// accepted does not fill the store for the others.
//
// JetStream limits the bytes of all chunks and the number of chunks of a device, but not the
// bytes of a tenant. Each relay knows the chunks of its partitions, and tells the others once a
// second. So the limits are not exact: within a second, a tenant can exceed its share by what
// it sends.
package share

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Subject is the subject of the reports. They are not stored.
const Subject = "relay.usage"

// Interval is the time between two reports.
const Interval = time.Second

// Config configures [Shares]. All fields are required.
type Config struct {
	Conn *nats.Conn
	ID   string // of this process; different for each start
	// Bytes returns what the partitions of this process contain, by tenant.
	Bytes func() map[string]int64
	// Limit returns how many bytes a tenant may have in the store; 0 is no limit.
	Limit func(tenant string) int64
	// Expiry is how long a report counts: as long as the partitions of a process that died may
	// have no owner.
	Expiry time.Duration
	Logger *slog.Logger
}

// Shares counts what the tenants have in the store. It is safe for concurrent use by multiple
// goroutines. Create it with [New], and call Run.
type Shares struct {
	config Config

	mu     sync.Mutex
	others map[string]report // by the ID of the process
	own    map[string]int64
	fresh  map[string]int64 // stored by this process since own was read
}

// report is a message about a process.
type report struct {
	ID    string           `json:"id"`
	Bytes map[string]int64 `json:"bytes"`

	at time.Time
}

// New returns [Shares].
func New(config Config) *Shares {
	return &Shares{config: config, others: map[string]report{}, own: map[string]int64{}, fresh: map[string]int64{}}
}

// Run exchanges reports until ctx ends.
func (s *Shares) Run(ctx context.Context) {
	subscription, err := s.config.Conn.Subscribe(Subject, func(msg *nats.Msg) { s.receive(msg.Data) })
	if err != nil {
		s.config.Logger.Error("the chunks of other relays do not count for the shares of the tenants", "error", err)
	} else {
		defer subscription.Unsubscribe() //nolint:errcheck // the connection may be closed
	}
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.report()
		}
	}
}

func (s *Shares) report() {
	own := s.config.Bytes()
	s.mu.Lock()
	s.own = own
	clear(s.fresh)
	for id, other := range s.others {
		if time.Since(other.at) > s.config.Expiry {
			delete(s.others, id)
		}
	}
	s.mu.Unlock()
	text, err := json.Marshal(report{ID: s.config.ID, Bytes: own})
	if err == nil {
		err = s.config.Conn.Publish(Subject, text)
	}
	if err != nil {
		s.config.Logger.Debug("report not sent", "error", err) // the connection is lost, which is logged
	}
}

func (s *Shares) receive(text []byte) {
	var r report
	if err := json.Unmarshal(text, &r); err != nil || r.ID == s.config.ID {
		return
	}
	r.at = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others[r.ID] = r
}

// Stored counts a chunk that this process has stored.
func (s *Shares) Stored(tenant string, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh[tenant] += int64(bytes)
}

// Full reports whether the tenant has used up its share.
func (s *Shares) Full(tenant string, bytes int) bool {
	limit := s.config.Limit(tenant)
	s.mu.Lock()
	defer s.mu.Unlock()
	return limit > 0 && s.used(tenant)+int64(bytes) > limit
}

// Used returns what the tenants have in the store.
func (s *Shares) Used() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := maps.Clone(s.own)
	for tenant := range s.fresh {
		all[tenant] = 0
	}
	for _, other := range s.others {
		for tenant := range other.Bytes {
			all[tenant] = 0
		}
	}
	for tenant := range all {
		all[tenant] = s.used(tenant)
	}
	return all
}

func (s *Shares) used(tenant string) int64 {
	used := s.own[tenant] + s.fresh[tenant]
	for _, other := range s.others {
		used += other.Bytes[tenant]
	}
	return used
}
