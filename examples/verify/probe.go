package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/examples/verify/internal/shape"
	"github.com/memfault-go/memfault/internal/operation"
)

// pageSize is the number of items that a list is asked for.
const pageSize = 10

// probe calls an operation through the client and compares what came.
type probe struct {
	op    *operation.Operation
	needs []string // what earlier responses must have had
	call  func(ctx context.Context, s *session, client *memfault.Client) error
	// compare compares the items of a response with the model. It is nil for files and text.
	compare func(values []json.RawMessage, path string, private func(string) bool) (*shape.Result, error)
	// after looks at the response; it settles marks. It can be nil.
	after func(s *session, r *result, got *exchange)
	// perDevice reports whether the list is one of a device, so that another device may have
	// items if the first has none.
	perDevice bool
	// goneIsFine reports whether 404 is a success, because nothing may be there to remove.
	goneIsFine bool
	// mark is the mark that asks whether the operation exists.
	mark string
}

func (p probe) settles(after func(*session, *result, *exchange)) probe {
	p.after = after
	return p
}

func (p probe) ofDevice() probe {
	p.perDevice = true
	return p
}

func (p probe) mayBeAbsent(mark string) probe {
	p.mark = mark
	return p
}

// list returns the probe of a list with the model T. keep gets the items.
func list[T any](op *operation.Operation, needs []string, pager func(*session, *memfault.Client) *memfault.Pager[T], keep func(*session, []T)) probe {
	return probe{
		op: op, needs: needs, compare: shape.Compare[T],
		call: func(ctx context.Context, s *session, client *memfault.Client) error {
			page, err := pager(s, client).Page(ctx)
			if keep == nil {
				return err
			}
			if err == nil {
				keep(s, page.Items)
			} else {
				keep(s, salvage[T](s.recorder))
			}
			return err
		},
	}
}

// salvage returns the items of a list that the client could not decode, as far as they do.
func salvage[T any](from *recorder) []T {
	from.mu.Lock()
	defer from.mu.Unlock()
	if from.last == nil || from.last.status >= 300 {
		return nil
	}
	values, _ := membersOf(from.last.body)
	var raw []json.RawMessage
	if json.Unmarshal(values["data"], &raw) != nil {
		return nil
	}
	return shape.Salvage[T](raw)
}

// object returns the probe of an operation that returns an object with the model T. keep can
// be nil.
func object[T any](op *operation.Operation, needs []string, get func(context.Context, *session, *memfault.Client) (*T, error), keep func(*session, *T)) probe {
	return probe{
		op: op, needs: needs, compare: shape.Compare[T],
		call: func(ctx context.Context, s *session, client *memfault.Client) error {
			value, err := get(ctx, s, client)
			if err == nil && keep != nil {
				keep(s, value)
			}
			return err
		},
	}
}

// file returns the probe of a download. Only the start of the file is read.
func file(op *operation.Operation, needs []string, download func(context.Context, *session, *memfault.Client, io.Writer) (*memfault.DownloadResult, error)) probe {
	return probe{
		op: op, needs: needs,
		call: func(ctx context.Context, s *session, client *memfault.Client) error {
			_, err := download(ctx, s, client, &start{})
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		},
	}
}

var errEnough = errors.New("the start of the file is enough")

// start accepts the start of a file, and discards it.
type start struct{ size int }

// Write implements io.Writer.
func (w *start) Write(p []byte) (int, error) {
	if w.size += len(p); w.size > 64<<10 {
		return 0, errEnough
	}
	return len(p), nil
}
