// Package store keeps the data that the dashboard read in one SQLite file. After a restart, the
// dashboard shows this data immediately.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/memfault-go/memfault"
	_ "modernc.org/sqlite" // registers the driver
)

// schemaVersion is stored in the file. A file of another version is not read: everything in it
// can be read from Memfault again, except the samples.
const schemaVersion = 3

const schema = `
CREATE TABLE IF NOT EXISTS project (organization TEXT NOT NULL, project TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS part (
	name TEXT PRIMARY KEY, read_at INTEGER NOT NULL, requests INTEGER NOT NULL, took INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS object (
	part TEXT NOT NULL, position INTEGER NOT NULL, json BLOB NOT NULL, PRIMARY KEY (part, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS device (
	serial TEXT PRIMARY KEY, nickname TEXT NOT NULL, hardware TEXT NOT NULL, cohort TEXT NOT NULL,
	version TEXT NOT NULL, last_seen INTEGER NOT NULL,
	listing INTEGER NOT NULL,       -- number of the last listing that contained the device
	reboots_read INTEGER NOT NULL   -- last_seen at the time when the reboots were read
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS device_last_seen ON device (last_seen);
CREATE INDEX IF NOT EXISTS device_count ON device (cohort, hardware, version, last_seen, reboots_read);
CREATE TABLE IF NOT EXISTS reboot (
	serial TEXT NOT NULL, time INTEGER NOT NULL, reason INTEGER NOT NULL, version TEXT NOT NULL,
	counted INTEGER NOT NULL, -- whether it is one of the errors of rate
	PRIMARY KEY (serial, time, reason)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reboot_time ON reboot (time);
CREATE INDEX IF NOT EXISTS reboot_counted ON reboot (version, serial, time) WHERE counted;
CREATE TABLE IF NOT EXISTS reboot_day ( -- a day in UTC: all its reboots
	day INTEGER NOT NULL, cohort TEXT NOT NULL, hardware TEXT NOT NULL, version TEXT NOT NULL, reason INTEGER NOT NULL,
	reboots INTEGER NOT NULL,
	PRIMARY KEY (day, cohort, hardware, version, reason)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS span ( -- a device was seen running a version from first to last
	serial TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, version TEXT NOT NULL,
	PRIMARY KEY (serial, last)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS span_version ON span (version, serial, last);
CREATE TABLE IF NOT EXISTS rate ( -- of a day in UTC: time for which devices were seen, unexpected reboots in it
	day INTEGER NOT NULL, cohort TEXT NOT NULL, hardware TEXT NOT NULL, version TEXT NOT NULL,
	millis INTEGER NOT NULL, errors INTEGER NOT NULL,
	PRIMARY KEY (day, cohort, hardware, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trace (
	id INTEGER PRIMARY KEY, time INTEGER NOT NULL, issue INTEGER NOT NULL, serial TEXT NOT NULL, version TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS trace_issue ON trace (issue, time, version, serial);
CREATE INDEX IF NOT EXISTS trace_time ON trace (time);
CREATE TABLE IF NOT EXISTS sample (
	time INTEGER NOT NULL, cohort TEXT NOT NULL, hardware TEXT NOT NULL, version TEXT NOT NULL,
	devices INTEGER NOT NULL,
	seen INTEGER NOT NULL, -- of the devices, those that were seen in the 24 hours before
	PRIMARY KEY (time, cohort, hardware, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS version (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE); -- in the order in which they appeared
`

// Store is the SQLite file. It is safe for concurrent use by multiple goroutines. Times are
// stored in milliseconds; 0 stands for never.
type Store struct {
	db      *sql.DB
	writing sync.Mutex // SQLite has one writer; a second one would poll

	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

// Open opens the file at path, or creates it. If the file is that of another project, Open
// returns an error, because its numbers would be shown as those of this project.
func Open(ctx context.Context, path string, project memfault.ProjectRef) (*Store, error) {
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(5000)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: pragmas.Encode()}).String())
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, statements: map[string]*sql.Stmt{}}
	if err := s.prepare(ctx, project); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context, project memfault.ProjectRef) error {
	var version int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version != 0 && version != schemaVersion {
		return fmt.Errorf("the file has version %d of the schema, want %d; use another file", version, schemaVersion)
	}
	return s.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
			return err
		}
		var owner memfault.ProjectRef
		err := tx.QueryRowContext(ctx, "SELECT organization, project FROM project").Scan(&owner.Organization, &owner.Project)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err = tx.ExecContext(ctx, "INSERT INTO project VALUES (?, ?)", project.Organization, project.Project)
		case err == nil && owner != project:
			err = fmt.Errorf("the file belongs to project %s/%s, not to %s/%s; use another file", owner.Organization, owner.Project, project.Organization, project.Project)
		}
		return err
	})
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// update runs do in a transaction.
func (s *Store) update(ctx context.Context, do func(*sql.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// statement returns a statement of a transaction. It is parsed once.
func (s *Store) statement(ctx context.Context, tx *sql.Tx, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.statements[text] == nil {
		parsed, err := s.db.PrepareContext(ctx, text)
		if err != nil {
			return nil, err
		}
		s.statements[text] = parsed
	}
	return tx.StmtContext(ctx, s.statements[text]), nil
}

// execIn runs a statement in a transaction.
func (s *Store) execIn(ctx context.Context, tx *sql.Tx, text string, args ...any) (sql.Result, error) {
	statement, err := s.statement(ctx, tx, text)
	if err != nil {
		return nil, err
	}
	return statement.ExecContext(ctx, args...)
}

// exec runs a statement that changes the file.
func (s *Store) exec(ctx context.Context, text string, args ...any) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, err := s.db.ExecContext(ctx, text, args...)
	return err
}

// query calls scan for each row.
func (s *Store) query(ctx context.Context, scan func(*sql.Rows) error, text string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err returns what went wrong
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Size returns the size of the file in bytes.
func (s *Store) Size(ctx context.Context) (size int64, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&size)
	return size, err
}
