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
			"DELETE FROM rate WHERE day < ?": millis(before) / day.Milliseconds(), "DELETE FROM reboot_day WHERE day < ?": millis(before) / day.Milliseconds(),
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

// RebootCounts counts the reboots of the days since a time, by day and reason. A reboot counts for the
// cohort in which the device was, and for the version that it ran.
func (s *Store) RebootCounts(ctx context.Context, filter Filter, since time.Time) (counts []RebootCount, err error) {
	where, args := filter.where()
	err = s.query(ctx, func(rows *sql.Rows) error {
		var c RebootCount
		var at int64
		if err := rows.Scan(&at, &c.Reason, &c.Reboots); err != nil {
			return err
		}
		c.Day = time.UnixMilli(at * day.Milliseconds()).UTC()
		counts = append(counts, c)
		return nil
	}, "SELECT day, reason, sum(reboots) FROM reboot_day WHERE day >= ? AND "+where+" GROUP BY day, reason ORDER BY day, reason",
		append([]any{millis(since) / day.Milliseconds()}, args...)...)
	return counts, err
}
