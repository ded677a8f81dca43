package memfault

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"maps"
	"net/url"
	"strconv"

	"github.com/memfault-go/memfault/internal/operation"
)

// ListOptions says where a list starts, how many items a page holds and how it is
// sorted. It is part of the options of every list.
type ListOptions struct {
	Page    int    `url:"page,omitempty"`     // the first page to read; 1 by default
	PerPage int    `url:"per_page,omitempty"` // items a page; 100 by default, Memfault's documented maximum
	Sort    string `url:"sort,omitempty"`     // a key; see Descending
}

// Descending returns the sort key that sorts by key with the greatest first.
func Descending(key string) string { return "-" + key }

func (o ListOptions) listOptions() ListOptions { return o }

const defaultPerPage = 100

// Page is one page of a list.
type Page[T any] struct {
	Items  []T
	Paging Paging
}

// Paging tells where a page stands in its list. It is zero for a list that is not
// paged.
type Paging struct {
	ItemCount  int `json:"item_count"`  // items on this page
	Page       int `json:"page"`        // the number of this page, from 1
	PageCount  int `json:"page_count"`  // pages in the list
	PerPage    int `json:"per_page"`    // the most items that a page holds
	TotalCount int `json:"total_count"` // items in the list
}

// Pager reads a list page by page. It is made without any I/O and may be ranged
// over again and again, each time from its start; it is safe for concurrent use.
//
// The list may change while it is read: an item that moved to a later page is seen
// twice, one that moved to an earlier page is missed.
type Pager[T any] struct {
	client   *Client
	op       *operation.Operation
	path     string
	query    url.Values
	options  callOptions
	first    int
	perPage  int
	prefetch int
	seed     maphash.Seed
	err      error
}

// list returns the Pager of an operation. options is a struct that embeds
// ListOptions.
func list[T any](client *Client, id operation.ID, path []string, options interface{ listOptions() ListOptions }, opts []CallOption) *Pager[T] {
	op := operation.Get(id)
	expanded, err := expand(op, path)
	values, queryErr := queryValues(options)
	if queryErr != nil {
		queryErr = invalid("%s: %w", op.Name, queryErr)
	}
	return newPager[T](client, op, expanded, values, options.listOptions(), opts, errors.Join(err, queryErr))
}

func newPager[T any](client *Client, op *operation.Operation, path string, values url.Values, options ListOptions, opts []CallOption, err error) *Pager[T] {
	p := &Pager[T]{
		client: client, op: op, path: path, query: maps.Clone(values), options: newCallOptions(opts),
		first: max(options.Page, 1), perPage: options.PerPage, seed: maphash.MakeSeed(), err: err,
	}
	if p.query == nil {
		p.query = url.Values{}
	}
	if p.perPage == 0 {
		p.perPage = defaultPerPage
	}
	switch {
	case err != nil:
	case client.usable() != nil:
		p.err = client.usable()
	case options.Page < 0 || options.PerPage < 0:
		p.err = invalid("%s: page %d with %d items is negative", op.Name, options.Page, options.PerPage)
	}
	return p
}

// listOptionsOf reads page and per_page from a query.
func listOptionsOf(values url.Values) (ListOptions, error) {
	var options ListOptions
	for name, to := range map[string]*int{"page": &options.Page, "per_page": &options.PerPage} {
		if text := values.Get(name); text != "" {
			number, err := strconv.Atoi(text)
			if err != nil {
				return options, invalid("NewPager: %s %q is not a number", name, text)
			}
			*to = number
		}
	}
	return options, nil
}

// Prefetch returns a Pager that reads up to n pages at the same time, ahead of the
// loop, and keeps their order. Leaving the loop cancels them. It starts with the
// second page, because the first tells how many there are; n below 2 reads one
// page after the other.
func (p *Pager[T]) Prefetch(n int) *Pager[T] {
	ahead := *p
	ahead.prefetch = n
	return &ahead
}

// All returns an iterator over the items of the list. An error comes once and last.
func (p *Pager[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for page, err := range p.Pages(ctx) {
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// Collect reads the whole list into memory.
func (p *Pager[T]) Collect(ctx context.Context) ([]T, error) {
	items := []T{}
	for page, err := range p.Pages(ctx) {
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
	}
	return items, nil
}

// Page reads just the page that the options name, the first by default.
func (p *Pager[T]) Page(ctx context.Context) (*Page[T], error) {
	got := p.fetch(ctx, p.first)
	p.deliver(got)
	return got.page, got.err
}

// Pages returns an iterator over the pages of the list. An error comes once and
// last. The walk ends after the page that the API calls the last, or after one
// that comes without paging; a server that repeats a page is an error.
func (p *Pager[T]) Pages(ctx context.Context) iter.Seq2[*Page[T], error] {
	return func(yield func(*Page[T], error) bool) {
		if ctx == nil {
			yield(nil, invalid("the context is nil"))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		ahead := readAhead[T]{
			fetch: func(number int) *fetched[T] { return p.fetch(ctx, number) },
			depth: p.prefetch,
			next:  p.first,
		}
		defer ahead.running.Wait()
		defer cancel()
		var before *fetched[T]
		for number := p.first; ; number++ {
			got := ahead.take()
			if got.err == nil && before != nil {
				got.err = got.repeats(before)
			}
			p.deliver(got)
			if got.err != nil {
				yield(nil, got.err)
				return
			}
			last := got.page.Paging.PageCount
			ahead.fill(last)
			if !yield(got.page, nil) || number >= last {
				return
			}
			before = got
		}
	}
}
