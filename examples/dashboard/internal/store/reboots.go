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

// SaveReboots adds the reboots of a device and marks the reboots as read up to device.LastSeen.
// If the device was seen later, it is pending again.
func (s *Store) SaveReboots(ctx context.Context, device Device, reboots []memfault.Reboot) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		for _, r := range reboots {
			version := ""
			if r.SoftwareVersion != nil {
				version = r.SoftwareVersion.Version
			}
			if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO reboot VALUES (?, ?, ?, ?)", device.Serial, millis(r.Time.Time), int(r.Reason), version); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE device SET reboots_read = ? WHERE serial = ?", millis(device.LastSeen), device.Serial)
		return err
	})
}

// RemoveReboots removes the reboots before a time.
func (s *Store) RemoveReboots(ctx context.Context, before time.Time) error {
	return s.exec(ctx, "DELETE FROM reboot WHERE time < ?", millis(before))
}

// RebootCount is the number of reboots of a day, in UTC, for a reason.
type RebootCount struct {
	Day     time.Time
	Reason  memfault.RebootReason
	Reboots int
}

const day = 24 * time.Hour

// RebootCounts counts the reboots since a time by day and reason.
func (s *Store) RebootCounts(ctx context.Context, since time.Time) (counts []RebootCount, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var c RebootCount
		var at int64
		if err := rows.Scan(&at, &c.Reason, &c.Reboots); err != nil {
			return err
		}
		c.Day = time.UnixMilli(at * day.Milliseconds()).UTC()
		counts = append(counts, c)
		return nil
	}, "SELECT time / ? AS day, reason, count(*) FROM reboot WHERE time >= ? GROUP BY day, reason ORDER BY day, reason", day.Milliseconds(), millis(since))
	return counts, err
}

// RebootCoverage returns how many devices were seen since a time, and of how many of them the
// reboots were read.
func (s *Store) RebootCoverage(ctx context.Context, since time.Time) (read, devices int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT coalesce(sum(reboots_read > 0), 0), count(*) FROM device WHERE last_seen >= ?", millis(since)).Scan(&read, &devices)
	return read, devices, err
}
