package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/memfault-go/memfault"
)

// PendingReboots returns the devices that were seen since their reboots were read, those first
// that were seen last. A device that was last seen before since has no reboot after it.
func (s *Store) PendingReboots(ctx context.Context, since time.Time) (devices []Device, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		device, err := scanDevice(rows)
		devices = append(devices, device)
		return err
	}, "SELECT "+deviceColumns+" FROM device WHERE last_seen > reboots_read AND last_seen >= ? ORDER BY last_seen DESC, serial", millis(since))
	return devices, err
}

// LastReboot returns the time of the last stored reboot of a device; zero if there is none.
func (s *Store) LastReboot(ctx context.Context, serial string) (time.Time, error) {
	var last int64
	err := s.db.QueryRowContext(ctx, "SELECT coalesce(max(time), 0) FROM reboot WHERE serial = ?", serial).Scan(&last)
	return fromMillis(last), err
}

// RemoveReboots removes the reboots before a time, and what was counted of the days before.
func (s *Store) RemoveReboots(ctx context.Context, before time.Time) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		for text, limit := range map[string]int64{
			"DELETE FROM reboot WHERE time < ?": millis(before), "DELETE FROM span WHERE last < ?": millis(before),
			"DELETE FROM rate WHERE day < ?": millis(before) / day.Milliseconds(),
		} {
			if _, err := tx.ExecContext(ctx, text, limit); err != nil {
				return err
			}
		}
		return nil
	})
}

// RebootCount is the number of reboots of a day, in UTC, for a reason.
type RebootCount struct {
	Day     time.Time
	Reason  memfault.RebootReason
	Reboots int
}

const day = 24 * time.Hour

// RebootCounts counts the reboots since a time by day and reason. The version of the filter is
// that which the device ran when it restarted.
func (s *Store) RebootCounts(ctx context.Context, filter Filter, since time.Time) (counts []RebootCount, err error) {
	text, values := "SELECT time / ? AS day, reason, count(*) FROM reboot WHERE time >= ?", []any{day.Milliseconds(), millis(since)}
	if filter.Version != "" {
		text, values = text+" AND version = ?", append(values, filter.Version)
		filter.Version = ""
	}
	devices, args := filter.ofDevices("reboot")
	text, values = text+devices, append(values, args...)
	err = s.query(ctx, func(rows *sql.Rows) error {
		var c RebootCount
		var at int64
		if err := rows.Scan(&at, &c.Reason, &c.Reboots); err != nil {
			return err
		}
		c.Day = time.UnixMilli(at * day.Milliseconds()).UTC()
		counts = append(counts, c)
		return nil
	}, text+" GROUP BY day, reason ORDER BY day, reason", values...)
	return counts, err
}

// RebootCoverage returns how many devices were seen since a time, and of how many of them the
// reboots were read.
func (s *Store) RebootCoverage(ctx context.Context, filter Filter, since time.Time) (read, devices int, err error) {
	where, args := filter.where()
	err = s.db.QueryRowContext(ctx, "SELECT coalesce(sum(reboots_read > 0), 0), count(*) FROM device WHERE last_seen >= ? AND "+where,
		append([]any{millis(since)}, args...)...).Scan(&read, &devices)
	return read, devices, err
}
