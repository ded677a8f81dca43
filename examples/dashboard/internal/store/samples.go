package store

import (
	"context"
	"database/sql"
	"time"
)

// SaveSample stores how many devices run which version at a time. A sample of the same time is
// replaced.
func (s *Store) SaveSample(ctx context.Context, at time.Time, counts []Count) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM sample WHERE time = ?", millis(at)); err != nil {
			return err
		}
		for _, c := range counts {
			if _, err := tx.ExecContext(ctx, "INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?)", millis(at), c.Cohort, c.Hardware, c.Version, c.Devices, c.Seen); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO version (name) VALUES (?)", c.Version); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveSamples removes the samples before a time. Of those before thin, it keeps one an hour.
func (s *Store) RemoveSamples(ctx context.Context, before, thin time.Time) error {
	return s.exec(ctx, `DELETE FROM sample WHERE time < ? OR time < ? AND time NOT IN (SELECT min(time) FROM sample GROUP BY time / 3600000)`,
		millis(before), millis(thin))
}

// Sample is the state of a fleet, or a part of it, at a time.
type Sample struct {
	Time    time.Time
	Devices map[string]int // by version
	Seen    int            // in the 24 hours before
}

// Total returns the number of all devices.
func (s Sample) Total() (n int) {
	for _, devices := range s.Devices {
		n += devices
	}
	return n
}

// Samples returns the samples since a time. A sample without devices that match is left out.
func (s *Store) Samples(ctx context.Context, filter Filter, since time.Time) (samples []Sample, err error) {
	where, args := filter.where()
	err = s.query(ctx, func(rows *sql.Rows) error {
		var at int64
		var version string
		var devices, seen int
		if err := rows.Scan(&at, &version, &devices, &seen); err != nil {
			return err
		}
		if n := len(samples); n == 0 || !samples[n-1].Time.Equal(fromMillis(at)) {
			samples = append(samples, Sample{Time: fromMillis(at), Devices: map[string]int{}})
		}
		last := &samples[len(samples)-1]
		last.Devices[version] += devices
		last.Seen += seen
		return nil
	}, "SELECT time, version, sum(devices), sum(seen) FROM sample WHERE time >= ? AND devices > 0 AND "+where+" GROUP BY time, version ORDER BY time",
		append([]any{millis(since)}, args...)...)
	return samples, err
}

// VersionNumbers returns a number for each version: its place in the order in which the versions
// appeared. It stays the same.
func (s *Store) VersionNumbers(ctx context.Context) (map[string]int, error) {
	numbers := map[string]int{}
	err := s.query(ctx, func(rows *sql.Rows) error {
		var name string
		var number int
		if err := rows.Scan(&number, &name); err != nil {
			return err
		}
		numbers[name] = number - 1
		return nil
	}, "SELECT number, name FROM version")
	return numbers, err
}
