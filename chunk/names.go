package chunk

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// ErrNoNames is returned by [ReadNames] if the file has no debug information, or if its debug
// information does not contain names of Memfault's firmware SDK.
var ErrNoNames = errors.New("chunk: no names of Memfault in the debug information")

// Names contains the names that the firmware defines. They are only in its symbol file; chunks
// contain numbers. Names of one firmware are wrong for another one.
type Names struct {
	// Sessions contains the names of the sessions by their number. The heartbeat is the session
	// "heartbeat". If Sessions is empty, the heartbeat is the only session, with the number 0.
	Sessions map[int]string

	// Metrics contains the names of the metrics of each session, by the name of the session,
	// in the order of the metrics in an event.
	Metrics map[string][]string

	// UserReasons contains the names of the reasons of traces by their number.
	UserReasons map[int]string
}

// heartbeatSession is the name of the session of heartbeats.
const heartbeatSession = "heartbeat"

// The prefixes of the enumerators of the firmware SDK.
const (
	prefixMetric     = "kMfltMetricsIndex_" // then the session, two underscores, and the metric
	prefixSession    = "kMfltMetricsSessionKey_"
	prefixUserReason = "kMfltTraceReasonUser_"
)

// ReadNames reads the names from the DWARF debug information (version 2 to 5) of the symbol file
// of a firmware: a linked ELF file, in which sections can be compressed.
//
// ReadNames returns [ErrNoNames] if the file contains no names, and another error if the reader
// fails, or if the file is not an ELF file, is corrupt or has two meanings for a name. The
// sections that it reads must not be larger than 256 MiB.
func ReadNames(file io.ReaderAt) (*Names, error) {
	found := map[string]int64{}
	var conflict error
	err := readEnumerators(file, func(name []byte, value int64) {
		if !isName(name) || value < 0 || value > math.MaxInt32 {
			return
		}
		if before, ok := found[string(name)]; ok && before != value {
			conflict = fmt.Errorf("chunk: ReadNames: %s is both %d and %d", printable(string(name)), before, value)
		} else if !ok {
			found[string(name)] = value
		}
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("chunk: ReadNames: %w", err)
	case conflict != nil:
		return nil, conflict
	case len(found) == 0:
		return nil, ErrNoNames
	}
	return newNames(found)
}

func isName(name []byte) bool {
	for _, prefix := range []string{prefixMetric, prefixSession, prefixUserReason} {
		if len(name) > len(prefix) && string(name[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// newNames returns the names that enumerators define.
func newNames(enumerators map[string]int64) (*Names, error) {
	n := &Names{Sessions: map[int]string{}, Metrics: map[string][]string{}, UserReasons: map[int]string{}}
	var names []string // ordered by their numbers
	for name := range enumerators {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := enumerators[a] - enumerators[b]; d != 0 {
			return int(d) // at most 31 bits
		}
		return strings.Compare(a, b)
	})
	highest, hasHeartbeat := -1, false
	for _, name := range names {
		number := int(enumerators[name])
		numbered := n.UserReasons
		short, ok := strings.CutPrefix(name, prefixUserReason)
		if !ok {
			if short, ok = strings.CutPrefix(name, prefixSession); !ok {
				continue
			}
			numbered, highest = n.Sessions, number
			hasHeartbeat = hasHeartbeat || short == heartbeatSession
		}
		if other, taken := numbered[number]; taken {
			return nil, fmt.Errorf("chunk: ReadNames: %s and %s have the same number %d", printable(other), printable(short), number)
		}
		numbered[number] = short
	}
	if !hasHeartbeat {
		n.Sessions[highest+1] = heartbeatSession
	}
	last := map[string]int64{}
	for _, name := range names {
		short, ok := strings.CutPrefix(name, prefixMetric)
		if !ok {
			continue
		}
		session, metric := n.splitMetric(short)
		if session == "" || metric == "" {
			continue
		}
		if before, ok := last[session]; ok && before == enumerators[name] {
			return nil, fmt.Errorf("chunk: ReadNames: two metrics of session %s have the same number %d", printable(session), before)
		}
		last[session] = enumerators[name]
		n.Metrics[session] = append(n.Metrics[session], metric)
	}
	return n, nil
}

// splitMetric splits the name of an enumerator. The names of sessions and metrics can contain two
// underscores as well, so the longest name of a session counts.
func (n *Names) splitMetric(name string) (session, metric string) {
	for _, known := range n.Sessions {
		if rest, ok := strings.CutPrefix(name, known+"__"); ok && len(known) > len(session) {
			session, metric = known, rest
		}
	}
	if session == "" {
		session, metric, _ = strings.Cut(name, "__")
	}
	return session, metric
}

// Apply adds the names to events: to metrics, to sessions and to the reasons of traces. Names
// that an event already has are not changed.
//
// If the number of metrics in a heartbeat differs from that of the names, the names belong to
// another firmware. Apply then leaves the heartbeat without names, continues, and returns an
// error.
func (n *Names) Apply(events []Event) error {
	var errs []error
	for i := range events {
		if t := events[i].Trace; t != nil && t.UserReason != nil {
			t.UserReasonName = n.UserReasons[*t.UserReason]
		}
		if h := events[i].Heartbeat; h != nil {
			if err := n.apply(h); err != nil {
				errs = append(errs, fmt.Errorf("chunk: names of event %d: %w", i, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (n *Names) apply(h *Heartbeat) error {
	session, ok := n.Sessions[h.Session]
	switch {
	case h.Session == -1, h.Session == 0 && len(n.Sessions) == 0:
		session = heartbeatSession
	case !ok:
		return fmt.Errorf("session %d has no name", h.Session)
	}
	if slices.ContainsFunc(h.Metrics, func(m Metric) bool { return m.Name != "" }) {
		h.SessionName = session
		return nil
	}
	names := n.Metrics[session]
	if len(names) != len(h.Metrics) {
		return fmt.Errorf("session %s has %d metrics, the symbol file defines %d", printable(session), len(h.Metrics), len(names))
	}
	h.SessionName = session
	for i := range h.Metrics {
		h.Metrics[i].Name = names[i]
	}
	return nil
}
