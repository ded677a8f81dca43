package store

import (
	"context"
	"database/sql"
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

// SaveDevices adds devices of a listing, or replaces them.
func (s *Store) SaveDevices(ctx context.Context, listing int64, devices []memfault.Device) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO device VALUES (?, ?, ?, ?, ?, ?, ?, 0)
			ON CONFLICT (serial) DO UPDATE SET nickname = excluded.nickname, hardware = excluded.hardware, cohort = excluded.cohort,
			version = excluded.version, last_seen = excluded.last_seen, listing = excluded.listing`)
		if err != nil {
			return err
		}
		defer insert.Close() //nolint:errcheck // the transaction ends it anyway
		for _, d := range devices {
			version := ""
			if d.LastSeenSoftwareVersion != nil {
				version = d.LastSeenSoftwareVersion.Version
			}
			if _, err := insert.ExecContext(ctx, d.DeviceSerial, d.Nickname, d.HardwareVersion.Name, d.Cohort.Slug, version, millis(d.LastSeen.Time), listing); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveUnlisted removes the devices that only listings before the given one contained, with
// their reboots.
func (s *Store) RemoveUnlisted(ctx context.Context, listing int64) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM device WHERE listing < ?", listing); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM reboot WHERE serial NOT IN (SELECT serial FROM device)")
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
	for column, value := range map[string]string{"version": f.Version, "cohort": f.Cohort, "hardware": f.Hardware} {
		if value != "" {
			add(column+" = ?", value)
		}
	}
	if !f.UnseenSince.IsZero() {
		add("last_seen <= ?", millis(f.UnseenSince))
	}
	return strings.Join(terms, " AND "), args
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
	Cohort  string // slug
	Version string // empty if the devices never reported one
	Devices int
}

// Counts counts the devices by cohort and version.
func (s *Store) Counts(ctx context.Context) (counts []Count, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var c Count
		if err := rows.Scan(&c.Cohort, &c.Version, &c.Devices); err != nil {
			return err
		}
		counts = append(counts, c)
		return nil
	}, "SELECT cohort, version, count(*) FROM device GROUP BY cohort, version ORDER BY cohort, version")
	return counts, err
}
