package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/memfault-go/memfault"
)

// SaveTraces adds traces, and returns how many of them were new.
func (s *Store) SaveTraces(ctx context.Context, traces []memfault.Trace) (added int, err error) {
	err = s.update(ctx, func(tx *sql.Tx) error {
		for _, t := range traces {
			result, err := s.execIn(ctx, tx, "INSERT OR IGNORE INTO trace VALUES (?, ?, ?, ?, ?)", t.ID, millis(t.ArrivedAt().Time), t.IssueID, t.Device.DeviceSerial, t.Version())
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			added += int(n)
		}
		return nil
	})
	return added, err
}

// RemoveTraces removes the traces that arrived before a time, and all but the newest keep.
func (s *Store) RemoveTraces(ctx context.Context, before time.Time, keep int) error {
	return s.exec(ctx, "DELETE FROM trace WHERE time < ? OR time < (SELECT time FROM trace ORDER BY time DESC LIMIT 1 OFFSET ?)", millis(before), keep-1)
}

// FirstTrace returns when the oldest stored trace arrived; zero if there is none.
func (s *Store) FirstTrace(ctx context.Context) (time.Time, error) {
	var first int64
	err := s.db.QueryRowContext(ctx, "SELECT coalesce(min(time), 0) FROM trace").Scan(&first)
	return fromMillis(first), err
}

// TraceCount is a number of traces of an issue with a software version.
type TraceCount struct {
	Issue   int64
	Version string
	Traces  int
	Recent  int // of them, those after a time
	First   time.Time
}

// TraceCounts counts the stored traces by issue and version. Filter selects their devices, except
// its version, which selects that of the traces.
func (s *Store) TraceCounts(ctx context.Context, filter Filter, recentSince time.Time) (counts []TraceCount, err error) {
	text, values := "SELECT issue, version, count(*), sum(time >= ?), min(time) FROM trace WHERE true", []any{millis(recentSince)}
	if filter.Version != "" {
		text, values = text+" AND version = ?", append(values, filter.Version)
		filter.Version = ""
	}
	devices, args := filter.ofDevices("trace")
	text, values = text+devices, append(values, args...)
	err = s.query(ctx, func(rows *sql.Rows) error {
		var c TraceCount
		var first int64
		if err := rows.Scan(&c.Issue, &c.Version, &c.Traces, &c.Recent, &first); err != nil {
			return err
		}
		c.First = fromMillis(first)
		counts = append(counts, c)
		return nil
	}, text+" GROUP BY issue, version ORDER BY issue, count(*) DESC", values...)
	return counts, err
}
