package memfault

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// ListOptions selects where a list starts, how many items a page has and how the list is
// sorted. It is part of the options of every list.
//
// The keys for Sort are the constants whose names begin with Sort. The comment of the options
// of each list contains the keys that Memfault accepts there; the list refuses the other constants
// with [ErrInvalidArgument], and sends any other text as it is. If the comment contains no key, none
// is known. [Descending] reverses the order of a key, such as [SortLastSeen].
type ListOptions struct {
	Page    int    `url:"page,omitempty"`     // first page to read; 1 by default
	PerPage int    `url:"per_page,omitempty"` // items a page; 100 by default, Memfault's documented maximum
	Sort    string `url:"sort,omitempty"`     // a sort key; Memfault's own order by default
}

// Descending returns the sort key that sorts by key in descending order.
func Descending(key string) string { return "-" + key }

func (o ListOptions) listOptions() ListOptions { return o }

// sortKeys contains the constants for Sort, by the lists that accept them.
var sortKeys = map[*operation.Operation][]string{
	operation.ArtifactsListForRelease: {SortCreatedDate},
	operation.CohortsList:             {SortCreatedDate},
	operation.DeploymentsList:         {SortDeployedDate},
	operation.DevicesList:             {SortLastSeen},
	operation.EventsList:              {SortReceivedDate, SortCapturedDate, SortCreatedDate},
	operation.InstallsList:            {SortBeganAt, SortTransitionedAt},
	operation.IssuesList:              {SortLastSeen, SortFirstSeen, SortDeviceCount, SortTraceCount},
	operation.ProjectsList:            {SortCreatedDate},
	operation.ReleasesList:            {SortCreatedDate},
}

// checkSort returns an error for a key of other lists: Memfault could ignore it, and a program that
// reads only the first items of the list would read the wrong ones.
func checkSort(op *operation.Operation, key string) error {
	key = strings.TrimPrefix(key, "-")
	accepted, known := sortKeys[op]
	if !known || slices.Contains(accepted, key) {
		return nil
	}
	for _, others := range sortKeys {
		if slices.Contains(others, key) {
			return invalid("%s: the list cannot be sorted by %s, only by %s", op.Name, key, strings.Join(accepted, ", "))
		}
	}
	return nil
}

const defaultPerPage = 100

// Page is one page of a list.
type Page[T any] struct {
	Items  []T
	Paging Paging
	// Next is the cursor of the next page, if the list is paged by cursor and has a next
	// page. It is the value of page[after], with which a program can continue the list later.
	// If the link to the next page has no page[after], Next is the link.
	Next string
}

// Paging describes the position of a page in its list. It is zero for a list that is not
// paged, and for a list that is paged by cursor.
type Paging struct {
	ItemCount  int `json:"item_count"`  // items on this page
	Page       int `json:"page"`        // number of this page, from 1
	PageCount  int `json:"page_count"`  // pages in the list
	PerPage    int `json:"per_page"`    // most items that a page has
	TotalCount int `json:"total_count"` // items in the list
}

// Pager reads a list page by page. List methods, [NewPager] and [PagerOf] create one; a zero
// Pager yields an error. Creating a Pager does no I/O. A Pager can be iterated any number of
// times; each iteration starts at the first page. A Pager is safe for concurrent use by
// multiple goroutines.
//
//	for device, err := range client.Devices.List(sink, memfault.DeviceListOptions{}).Prefetch(8).All(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(device.DeviceSerial)
//	}
//
// Most lists are paged by number. A few are paged by cursor: each response contains a link
// to the next page, which the Pager requests unchanged. It stops with an error if the link
// leads to another host or to a page that it has read before.
//
// The list may change while it is read: an item that moves to a later page is yielded twice,
// an item that moves to an earlier page is missed. With [Pager.Prefetch], either move can have
// either effect.
type Pager[T any] struct {
	client   *Client
	op       *operation.Operation
	path     string
	query    url.Values
	options  callOptions
	first    int
	perPage  int
	prefetch int
	byCursor bool // neither page nor per_page is sent
	unknown  bool // the list may be paged by cursor
	seed     maphash.Seed
	fixed    *Page[T] // of PagerOf
	err      error
}

// PagerOf returns a [Pager] over the given items, all on one page. The Pager does no I/O. It
// is meant for tests of code that takes a Pager.
func PagerOf[T any](items ...T) *Pager[T] {
	n := len(items)
	paging := Paging{ItemCount: n, Page: 1, PageCount: min(n, 1), PerPage: max(n, defaultPerPage), TotalCount: n}
	return &Pager[T]{first: 1, fixed: &Page[T]{Items: slices.Clone(items), Paging: paging}}
}

// list returns the Pager of an operation. options is a struct that embeds ListOptions.
func list[T any](client *Client, op *operation.Operation, path []string, options interface{ listOptions() ListOptions }, opts []CallOption) *Pager[T] {
	return newList[T](client, op, path, options, options.listOptions(), opts)
}

func newList[T any](client *Client, op *operation.Operation, path []string, query any, options ListOptions, opts []CallOption) *Pager[T] {
	expanded, err := expand(op, path)
	values, queryErr := queryValues(query)
	if queryErr != nil {
		queryErr = invalid("%s: %w", op.Name, queryErr)
	} else {
		queryErr = checkNamesInQuery(op, values)
	}
	return newPager[T](client, op, expanded, values, options, opts, errors.Join(err, queryErr, checkSort(op, options.Sort)))
}

func newPager[T any](client *Client, op *operation.Operation, path string, values url.Values, options ListOptions, opts []CallOption, err error) *Pager[T] {
	p := &Pager[T]{
		client: client, op: op, path: path, query: url.Values(http.Header(values).Clone()), options: newCallOptions(opts),
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
	case client.checkInitialized() != nil:
		p.err = client.checkInitialized()
	case options.Page < 0 || options.PerPage < 0:
		p.err = invalid("%s: page and per_page must not be negative: %d, %d", op.Name, options.Page, options.PerPage)
	}
	return p
}

// check returns why the Pager cannot be used, or nil.
func (p *Pager[T]) check(ctx context.Context) error {
	switch {
	case p == nil || p.err == nil && p.client == nil && p.fixed == nil:
		return invalid("the Pager is nil or zero; create it with a list method, NewPager or PagerOf")
	case p.err != nil:
		return p.err
	case ctx == nil:
		return invalid("nil context")
	}
	return nil
}

// Prefetch returns a Pager that reads up to n pages concurrently, ahead of the loop, and
// yields them in order. Leaving the loop cancels the requests in flight. Reading ahead
// starts after the first page, which contains the number of pages. If n is less than 2, or
// if the list is paged by cursor, the Pager reads one page after the other.
//
// Reading ahead makes no more requests, only more at a time. With [WithRateLimiter], the pages wait
// for the limiter like all other requests of the client: n then only bounds how many wait at the
// same time, and a loop with a large n can delay other calls of the program.
//
// A later page can be read before an earlier one. If the list changes while it is read, an item
// that moves to a later page can therefore be missed, too.
func (p *Pager[T]) Prefetch(n int) *Pager[T] {
	if p == nil {
		return nil
	}
	ahead := *p
	ahead.prefetch = n
	return &ahead
}

// All returns an iterator over the items of the list. If a request fails, the iterator
// yields the error once and stops.
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

// maxPresized is the number of items for which Collect allocates memory before they arrive.
const maxPresized = 1 << 16

// Collect reads the whole list into memory. A list without items is an empty slice.
func (p *Pager[T]) Collect(ctx context.Context) ([]T, error) {
	items := []T{}
	for page, err := range p.Pages(ctx) {
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			items = slices.Grow(items, max(len(page.Items), min(page.Paging.TotalCount, maxPresized)))
		}
		items = append(items, page.Items...)
	}
	return items, nil
}

// Page reads only the page that the options select, the first by default.
func (p *Pager[T]) Page(ctx context.Context) (*Page[T], error) {
	if err := p.check(ctx); err != nil {
		return nil, err
	}
	got := p.fetch(ctx, p.first)
	p.deliver(got)
	return got.page, got.err
}

// Pages returns an iterator over the pages of the list. If a request fails, the iterator
// yields the error once and stops. The list ends after its last page as the API counts
// pages, or items if it does not count pages; after a page without items; or after one
// without paging. A list that is paged by cursor ends after a page without a next one. If the
// server repeats a page, the iterator yields an error.
func (p *Pager[T]) Pages(ctx context.Context) iter.Seq2[*Page[T], error] {
	return func(yield func(*Page[T], error) bool) {
		if err := p.check(ctx); err != nil {
			yield(nil, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		walk := p.newWalk(ctx)
		defer walk.running.Wait()
		defer cancel()
		for number := p.first; ; number++ {
			got := walk.take()
			p.deliver(got)
			if got.err != nil {
				yield(nil, got.err)
				return
			}
			empty := len(got.page.Items) == 0 && number > p.first
			if empty && got.next == nil {
				return
			}
			last := walk.last(number)
			walk.readAhead(last)
			if !empty && !yield(got.page, nil) || number >= last {
				return
			}
		}
	}
}
