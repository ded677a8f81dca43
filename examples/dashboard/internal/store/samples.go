package store

import (
	"context"
	"database/sql"
	"time"
)

// SaveSample stores how many devices of each cohort run which version at a time. A sample of
// the same time is replaced.
func (s *Store) SaveSample(ctx context.Context, at time.Time, counts []Count) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM sample WHERE time = ?", millis(at)); err != nil {
			return err
		}
		for _, c := range counts {
			if _, err := tx.ExecContext(ctx, "INSERT INTO sample VALUES (?, ?, ?, ?)", millis(at), c.Cohort, c.Version, c.Devices); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveSamples removes the samples before a time.
func (s *Store) RemoveSamples(ctx context.Context, before time.Time) error {
	return s.exec(ctx, "DELETE FROM sample WHERE time < ?", millis(before))
}

// Share is the part of the devices of a cohort that ran a version at a time.
type Share struct {
	Time  time.Time
	Share float64 // from 0 to 1
}

// Shares returns the share of a version in a cohort over time. A sample without devices of the
// cohort is left out.
func (s *Store) Shares(ctx context.Context, cohort, version string, since time.Time) (shares []Share, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var share Share
		var at int64
		if err := rows.Scan(&at, &share.Share); err != nil {
			return err
		}
		share.Time = fromMillis(at)
		shares = append(shares, share)
		return nil
	}, `SELECT time, 1.0 * sum(CASE WHEN version = ? THEN devices ELSE 0 END) / sum(devices)
		FROM sample WHERE cohort = ? AND time >= ? GROUP BY time HAVING sum(devices) > 0 ORDER BY time`, version, cohort, millis(since))
	return shares, err
}
