package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// Part describes the last successful read of a part of the dashboard.
type Part struct {
	Name     string
	ReadAt   time.Time // its end
	Requests int
	Took     time.Duration
}

// SavePart stores the last successful read of a part.
func (s *Store) SavePart(ctx context.Context, part Part) error {
	return s.exec(ctx, "INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?)", part.Name, millis(part.ReadAt), part.Requests, part.Took.Milliseconds())
}

// Parts returns the last successful read of each part, by name.
func (s *Store) Parts(ctx context.Context) (map[string]Part, error) {
	parts := map[string]Part{}
	err := s.query(ctx, func(rows *sql.Rows) error {
		var part Part
		var readAt, took int64
		if err := rows.Scan(&part.Name, &readAt, &part.Requests, &took); err != nil {
			return err
		}
		part.ReadAt, part.Took = fromMillis(readAt), time.Duration(took)*time.Millisecond
		parts[part.Name] = part
		return nil
	}, "SELECT name, read_at, requests, took FROM part")
	return parts, err
}

// SaveObjects replaces the objects of a part, such as its issues. They keep their order.
func SaveObjects[T any](ctx context.Context, s *Store, part string, objects []T) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM object WHERE part = ?", part); err != nil {
			return err
		}
		for i, object := range objects {
			text, err := json.Marshal(object)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO object VALUES (?, ?, ?)", part, i, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// Objects returns the objects of a part.
func Objects[T any](ctx context.Context, s *Store, part string) (objects []T, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return err
		}
		var object T
		if err := json.Unmarshal(text, &object); err != nil {
			return err
		}
		objects = append(objects, object)
		return nil
	}, "SELECT json FROM object WHERE part = ? ORDER BY position", part)
	return objects, err
}
