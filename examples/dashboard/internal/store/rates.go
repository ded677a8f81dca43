package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/memfault-go/memfault"
)

// MaxGap is the longest time between two reports of a device during which it counts as running.
// Nobody knows whether a device ran in a longer gap, or the dashboard did not run.
const MaxGap = 36 * time.Hour

// span is a time for which a device was seen running a version: from one report to another.
type span struct {
	first, last int64 // in milliseconds
	version     string
}

// spanStatements change the spans in a transaction.
type spanStatements struct{ extend, insert *sql.Stmt }

func (s *Store) spanStatements(ctx context.Context, tx *sql.Tx) (x spanStatements, err error) {
	if x.extend, err = s.statement(ctx, tx, "UPDATE span SET last = ? WHERE serial = ? AND last = ? AND version = ?"); err != nil {
		return x, err
	}
	x.insert, err = s.statement(ctx, tx, "INSERT INTO span VALUES (?, ?, ?, ?)")
	return x, err
}

// save continues the last span of a device up to seen, or begins one. old is the device as it
// was before; the zero value if it was unknown.
func (x spanStatements) save(ctx context.Context, old Device, serial, version string, seen time.Time) error {
	if seen.IsZero() || !seen.After(old.LastSeen) {
		return nil
	}
	first := millis(seen)
	if !old.LastSeen.IsZero() && seen.Sub(old.LastSeen) <= MaxGap {
		if old.Version == version {
			_, err := x.extend.ExecContext(ctx, first, serial, millis(old.LastSeen), version)
			return err
		}
		first = millis(old.LastSeen) // the device was updated in between
	}
	_, err := x.insert.ExecContext(ctx, serial, first, millis(seen), version)
	return err
}

func (s *Store) spansOf(ctx context.Context, tx *sql.Tx, serial string) (spans []span, err error) {
	statement, err := s.statement(ctx, tx, "SELECT first, last, version FROM span WHERE serial = ? ORDER BY last")
	if err != nil {
		return nil, err
	}
	rows, err := statement.QueryContext(ctx, serial)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err returns what went wrong
	for rows.Next() {
		var s span
		if err := rows.Scan(&s.first, &s.last, &s.version); err != nil {
			return nil, err
		}
		spans = append(spans, s)
	}
	return spans, rows.Err()
}

// rateKey identifies a row of the table rate of a device.
type rateKey struct {
	day     int64
	version string
}

type rateValue struct{ millis, errors int64 }

// account adds to the rates of a device what happened after from, up to a time.
func account(rates map[rateKey]rateValue, spans []span, from, to int64) {
	for _, s := range spans {
		for at, end := max(s.first, from), min(s.last, to); at < end; {
			next := min(end, (at/day.Milliseconds()+1)*day.Milliseconds())
			key := rateKey{at / day.Milliseconds(), s.version}
			value := rates[key]
			value.millis += next - at
			rates[key] = value
			at = next
		}
	}
}

// ranAt returns the version with which a device was seen at a time, and whether it was seen. If the
// device was updated between the reports before and after that time, reported decides.
func ranAt(spans []span, at int64, reported string) (version string, ok bool) {
	for i, s := range spans {
		if at < s.first || at > s.last {
			continue
		}
		if i > 0 && spans[i-1].last == s.first && spans[i-1].version == reported {
			return reported, true
		}
		return s.version, true
	}
	return "", false
}

// SaveReboots adds the reboots of a device and marks the reboots as read up to device.LastSeen.
// If the device was seen later, it is pending again. The unexpected reboots that are new, and the
// time for which the device was seen since the last call, are added to the rates.
func (s *Store) SaveReboots(ctx context.Context, device Device, reboots []memfault.Reboot) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		var from int64
		read, err := s.statement(ctx, tx, "SELECT coalesce(max(reboots_read), 0) FROM device WHERE serial = ?")
		if err != nil {
			return err
		}
		if err := read.QueryRowContext(ctx, device.Serial).Scan(&from); err != nil {
			return err
		}
		spans, err := s.spansOf(ctx, tx, device.Serial)
		if err != nil {
			return err
		}
		rates := map[rateKey]rateValue{}
		account(rates, spans, from, millis(device.LastSeen))
		for _, r := range reboots {
			reported := ""
			if r.SoftwareVersion != nil {
				reported = r.SoftwareVersion.Version
			}
			at := millis(r.Time.Time)
			version, seen := ranAt(spans, at, reported)
			if !seen {
				version = reported
			}
			counted := seen && r.Reason.IsError()
			result, err := s.execIn(ctx, tx, "INSERT OR IGNORE INTO reboot VALUES (?, ?, ?, ?, ?)", device.Serial, at, int(r.Reason), version, counted)
			if err != nil {
				return err
			}
			if added, err := result.RowsAffected(); err != nil {
				return err
			} else if added == 0 {
				continue
			}
			if _, err := s.execIn(ctx, tx, "INSERT INTO reboot_day VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET reboots = reboots + 1",
				at/day.Milliseconds(), device.Cohort, device.Hardware, version, int(r.Reason)); err != nil {
				return err
			}
			if counted {
				key := rateKey{at / day.Milliseconds(), version}
				value := rates[key]
				value.errors++
				rates[key] = value
			}
		}
		for key, value := range rates {
			if _, err := s.execIn(ctx, tx, `INSERT INTO rate VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
				SET millis = millis + excluded.millis, errors = errors + excluded.errors`,
				key.day, device.Cohort, device.Hardware, key.version, value.millis, value.errors); err != nil {
				return err
			}
		}
		_, err = s.execIn(ctx, tx, "UPDATE device SET reboots_read = ? WHERE serial = ?", millis(device.LastSeen), device.Serial)
		return err
	})
}

// Rate is what the unexpected reboots of a version are counted from.
type Rate struct {
	Version    string
	DeviceDays float64 // for which devices were seen running the version
	Errors     int     // unexpected reboots in that time
}

// Rates returns the unexpected reboots and the device-days by version, of the days since a time.
//
// A device counts from one report to the next if they are at most [MaxGap] apart, and only up to
// the last report whose reboots were read. So a reboot counts exactly if its time does. The time
// between two reports with different versions counts for the later version.
func (s *Store) Rates(ctx context.Context, filter Filter, since time.Time) (rates []Rate, err error) {
	where, args := filter.where()
	err = s.query(ctx, func(rows *sql.Rows) error {
		var r Rate
		var ms int64
		if err := rows.Scan(&r.Version, &ms, &r.Errors); err != nil {
			return err
		}
		r.DeviceDays = float64(ms) / float64(day.Milliseconds())
		rates = append(rates, r)
		return nil
	}, "SELECT version, sum(millis), sum(errors) FROM rate WHERE day >= ? AND "+where+" GROUP BY version ORDER BY version",
		append([]any{millis(since) / day.Milliseconds()}, args...)...)
	return rates, err
}

// CountRan returns how many devices were seen running a version since a time, at most limit.
func (s *Store) CountRan(ctx context.Context, filter Filter, version string, since time.Time, limit int) (n int, err error) {
	devices, args := filter.ofDevices("span")
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT DISTINCT serial FROM span WHERE version = ? AND last >= ?`+devices+` LIMIT ?)`,
		append(append([]any{version, millis(since)}, args...), limit)...).Scan(&n)
	return n, err
}

// Crashed returns how many devices had an unexpected reboot since a time.
func (s *Store) Crashed(ctx context.Context, filter Filter, since time.Time) (n int, err error) {
	devices, args := filter.ofDevices("reboot")
	err = s.db.QueryRowContext(ctx, "SELECT count(DISTINCT serial) FROM reboot WHERE time >= ? AND reason & 32768"+devices,
		append([]any{millis(since)}, args...)...).Scan(&n)
	return n, err
}

// CrashedWith returns how many devices had an unexpected reboot with a version since a time. Only the
// reboots count that [Store.Rates] counts.
func (s *Store) CrashedWith(ctx context.Context, filter Filter, version string, since time.Time) (n int, err error) {
	devices, args := filter.ofDevices("reboot")
	err = s.db.QueryRowContext(ctx, "SELECT count(DISTINCT serial) FROM reboot WHERE counted AND version = ? AND time >= ?"+devices,
		append([]any{version, millis(since)}, args...)...).Scan(&n)
	return n, err
}
