package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/memfault-go/memfault"
)

// Device is a device as the dashboard keeps it.
type Device struct {
	Serial   string
	Nickname string
	Hardware string
	Cohort   string    // slug
	Version  string    // last reported; empty if there is none
	LastSeen time.Time // zero if the device never reported
}

// Listing returns the number of the last complete listing; 0 if there was none.
func (s *Store) Listing(ctx context.Context) (listing int64, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT coalesce(max(listing), 0) FROM device").Scan(&listing)
	return listing, err
}

// SaveDevices adds devices of a listing, or replaces them. If a device was seen later than before,
// it also continues the span of time for which the device ran its version; see [Store.Rates].
func (s *Store) SaveDevices(ctx context.Context, listing int64, devices []memfault.Device) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		before, err := s.statement(ctx, tx, "SELECT "+deviceColumns+" FROM device WHERE serial = ?")
		if err != nil {
			return err
		}
		insert, err := s.statement(ctx, tx, `INSERT INTO device VALUES (?, ?, ?, ?, ?, ?, ?, 0)
			ON CONFLICT (serial) DO UPDATE SET nickname = excluded.nickname, hardware = excluded.hardware, cohort = excluded.cohort,
			version = excluded.version, last_seen = excluded.last_seen, listing = excluded.listing`)
		if err != nil {
			return err
		}
		spans, err := s.spanStatements(ctx, tx)
		if err != nil {
			return err
		}
		for _, d := range devices {
			version := ""
			if d.LastSeenSoftwareVersion != nil {
				version = d.LastSeenSoftwareVersion.Version
			}
			old, err := scanDevice(before.QueryRowContext(ctx, d.DeviceSerial))
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			if err := spans.save(ctx, old, d.DeviceSerial, version, d.LastSeen.Time); err != nil {
				return err
			}
			if _, err := insert.ExecContext(ctx, d.DeviceSerial, d.Nickname, d.HardwareVersion.Name, d.Cohort.Slug, version, millis(d.LastSeen.Time), listing); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveUnlisted removes the devices that only listings before the given one contained. Their
// reboots have happened, so they stay until [Store.RemoveReboots] removes them.
func (s *Store) RemoveUnlisted(ctx context.Context, listing int64) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM device WHERE listing < ?", listing); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM span WHERE serial NOT IN (SELECT serial FROM device)")
		return err
	})
}

// Filter selects devices. The zero value selects all.
type Filter struct {
	Text      string // part of the serial or the nickname
	Version   string
	NoVersion bool // devices that never reported a version
	Cohort    string
	Hardware  string
	Cohorts   []string // one of them, if there are any
	// UnseenSince selects the devices that were not seen after that time, and those that were
	// never seen.
	UnseenSince time.Time
}

func (f Filter) where() (text string, args []any) {
	terms := []string{"true"}
	add := func(term string, values ...any) {
		terms, args = append(terms, term), append(args, values...)
	}
	if f.Text != "" {
		pattern := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(f.Text) + "%"
		add(`(serial LIKE ? ESCAPE '\' OR nickname LIKE ? ESCAPE '\')`, pattern, pattern)
	}
	if f.NoVersion {
		add("version = ''")
	}
	for _, is := range []struct{ column, value string }{{"version", f.Version}, {"cohort", f.Cohort}, {"hardware", f.Hardware}} {
		if is.value != "" {
			add(is.column+" = ?", is.value)
		}
	}
	if len(f.Cohorts) > 0 {
		term := "cohort IN (?" + strings.Repeat(", ?", len(f.Cohorts)-1) + ")"
		for _, cohort := range f.Cohorts {
			args = append(args, cohort)
		}
		terms = append(terms, term)
	}
	if !f.UnseenSince.IsZero() {
		add("last_seen <= ?", millis(f.UnseenSince))
	}
	return strings.Join(terms, " AND "), args
}

// ofDevices returns a term for a table that has the serials of devices, and its arguments. It looks
// up the device of each row, which is faster than a list of all devices if there are few rows.
func (f Filter) ofDevices(table string) (text string, args []any) {
	where, args := f.where()
	if where == "true" {
		return "", nil
	}
	return " AND EXISTS (SELECT 1 FROM device WHERE device.serial = " + table + ".serial AND " + where + ")", args
}

// Devices returns the devices that match the filter, and their total number. They are sorted by
// LastSeen, the latest first. If oldestFirst is true, the order is reversed.
func (s *Store) Devices(ctx context.Context, filter Filter, oldestFirst bool, limit, offset int) (devices []Device, total int, err error) {
	where, args := filter.where()
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM device WHERE "+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	order := "last_seen DESC, serial"
	if oldestFirst {
		order = "last_seen, serial"
	}
	err = s.query(ctx, func(rows *sql.Rows) error {
		device, err := scanDevice(rows)
		devices = append(devices, device)
		return err
	}, "SELECT "+deviceColumns+" FROM device WHERE "+where+" ORDER BY "+order+" LIMIT ? OFFSET ?", append(args, limit, offset)...)
	return devices, total, err
}

// Device returns a device, or sql.ErrNoRows.
func (s *Store) Device(ctx context.Context, serial string) (Device, error) {
	return scanDevice(s.db.QueryRowContext(ctx, "SELECT "+deviceColumns+" FROM device WHERE serial = ?", serial))
}

const deviceColumns = "serial, nickname, hardware, cohort, version, last_seen"

func scanDevice(row interface{ Scan(...any) error }) (Device, error) {
	var d Device
	var lastSeen int64
	err := row.Scan(&d.Serial, &d.Nickname, &d.Hardware, &d.Cohort, &d.Version, &lastSeen)
	d.LastSeen = fromMillis(lastSeen)
	return d, err
}

// Count is a number of devices.
type Count struct {
	Cohort   string // slug
	Hardware string
	Version  string // empty if the devices never reported one
	Devices  int
	Seen     int // of them, those that were seen after [CountTimes.Seen]
	SeenRead int // of those, the ones whose reboots were read
	Unseen   int // those that were not seen after [CountTimes.Unseen]
	Kept     int // those that were seen since [CountTimes.Kept]
	KeptRead int // of those, the ones whose reboots were read
}

// CountTimes are the times for [Store.Counts]. Those that are zero count all devices.
type CountTimes struct {
	Seen, Unseen time.Time
	Kept         time.Time // since which reboots are kept
}

// Counts counts the devices by cohort, hardware version and software version.
func (s *Store) Counts(ctx context.Context, filter Filter, times CountTimes) (counts []Count, err error) {
	where, args := filter.where()
	err = s.query(ctx, func(rows *sql.Rows) error {
		var c Count
		if err := rows.Scan(&c.Cohort, &c.Hardware, &c.Version, &c.Devices, &c.Seen, &c.SeenRead, &c.Unseen, &c.Kept, &c.KeptRead); err != nil {
			return err
		}
		counts = append(counts, c)
		return nil
	}, `SELECT cohort, hardware, version, count(*), sum(last_seen > ?), sum(last_seen > ? AND reboots_read > 0), sum(last_seen <= ?), sum(last_seen >= ?), sum(last_seen >= ? AND reboots_read > 0)
		FROM device WHERE `+where+" GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
		append([]any{millis(times.Seen), millis(times.Seen), millis(times.Unseen), millis(times.Kept), millis(times.Kept)}, args...)...)
	return counts, err
}
