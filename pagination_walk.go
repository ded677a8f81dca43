package memfault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"net/url"
	"strconv"
	"sync"

	"github.com/memfault-go/memfault/internal/parallel"
)

// fetched is a page that was read, or why it was not.
type fetched[T any] struct {
	page     *Page[T]
	paged    bool     // the response contained paging
	next     *url.URL // the next page, if the list is paged by cursor
	response Response
	err      error
	panicked *parallel.Panic

	target  *url.URL
	reply   reply  // without its body, which was returned to the pool
	start   []byte // of the body
	content uint64 // hash of the items as they arrived
}

// fetch reads a page. The Pager was checked.
func (p *Pager[T]) fetch(ctx context.Context, number int) *fetched[T] {
	got := &fetched[T]{}
	if p.fixed != nil {
		if got.page, got.paged = p.fixed.clone(), true; ctx.Err() != nil {
			got.page, got.err = nil, fmt.Errorf("memfault: list: %w", contextError(ctx))
		}
		return got
	}
	if p.byCursor {
		return p.fetchQuery(ctx, p.query)
	}
	values := maps.Clone(p.query)
	values.Set("page", strconv.Itoa(number))
	values.Set("per_page", strconv.Itoa(p.perPage))
	got = p.fetchQuery(ctx, values)
	switch {
	case got.err != nil && p.unknown && number == p.first:
		return p.withoutPage(ctx, got)
	case got.err != nil:
	case got.page.Paging.Page != 0 && got.page.Paging.Page != number:
		got.fail(fmt.Sprintf("requested page %d, got page %d again", number, got.page.Paging.Page))
	}
	return got
}

func (p *Pager[T]) fetchQuery(ctx context.Context, values url.Values) *fetched[T] {
	target, err := p.client.core.target(p.op, p.path, values)
	if err != nil {
		return &fetched[T]{err: err}
	}
	return p.fetchURL(ctx, target)
}

// fetchURL reads the page at a URL of the client's host.
func (p *Pager[T]) fetchURL(ctx context.Context, target *url.URL) *fetched[T] {
	got, options := &fetched[T]{target: target}, p.options
	options.response = &got.response
	r, err := p.client.send(ctx, &call{client: p.client, op: p.op, options: options}, target, nil)
	if err != nil {
		got.err = err
		return got
	}
	defer r.release()
	var links json.RawMessage
	if got.page, got.paged, links, got.err = decodePage[T](r, p.perPage); got.err != nil {
		return got
	}
	body := r.body.Bytes()
	got.reply, got.start = reply{call: r.call, response: r.response}, bytes.Clone(body[:min(len(body), 256)])
	got.content = p.hashItems(body)
	if links != nil && !got.paged {
		got.readLinks(p, links, r)
	}
	return got
}

func (p *Page[T]) clone() *Page[T] {
	items := make([]T, len(p.Items))
	copy(items, p.Items)
	return &Page[T]{Items: items, Paging: p.Paging, Next: p.Next}
}

// fail turns a page that was read into an error.
func (f *fetched[T]) fail(problem string) {
	f.page, f.err = nil, newDecodeError(f.reply.call, f.reply.response, f.start, problem, nil)
}

// hashItems hashes a page without its paging, which differs from page to page.
func (p *Pager[T]) hashItems(body []byte) uint64 {
	start := bytes.LastIndex(body, []byte(`"paging"`))
	if start < 0 {
		return maphash.Bytes(p.seed, body)
	}
	end := start + max(bytes.IndexByte(body[start:], '}'), 0)
	return maphash.Bytes(p.seed, body[:start]) ^ maphash.Bytes(p.seed, body[end:])
}

// deliver fills the caller's Response, in the caller's goroutine.
func (p *Pager[T]) deliver(got *fetched[T]) {
	if p.options.response != nil {
		*p.options.response = got.response
	}
}

// pageWalk reads the pages of a list in order, up to depth of them concurrently.
type pageWalk[T any] struct {
	fetch   func(number int) *fetched[T]
	follow  func(next *url.URL) *fetched[T]
	depth   int
	perPage int
	next    int // first page that was not requested
	pending []chan *fetched[T]
	running sync.WaitGroup

	present *fetched[T] // the page that was taken last
	seen    int         // items up to its end, from the start of the list
	repeats int         // pages in a row with the same items, less one

	seed    maphash.Seed    // of visited
	visited map[uint64]bool // hashes of the URLs of a list that is paged by cursor; see linkKey
	empty   int             // consecutive pages without items, of a list that is paged by cursor
}

func (p *Pager[T]) newWalk(ctx context.Context) *pageWalk[T] {
	return &pageWalk[T]{
		fetch:  func(number int) *fetched[T] { return p.fetch(ctx, number) },
		follow: func(next *url.URL) *fetched[T] { return p.fetchURL(ctx, next) },
		depth:  p.prefetch, perPage: p.perPage, next: p.first,
	}
}

// take returns the next page in order. If reading the page ended its goroutine, by a panic or
// by Goexit, take ends the goroutine of the caller in the same way.
func (w *pageWalk[T]) take() *fetched[T] {
	if w.present != nil && w.present.next != nil {
		return w.takeLinked()
	}
	number := w.next - len(w.pending)
	var got *fetched[T]
	if len(w.pending) == 0 {
		w.next++
		got = w.fetch(number)
	} else {
		got = <-w.pending[0]
		w.pending = w.pending[1:]
		got.panicked.Again()
	}
	if got.err != nil {
		return got
	}
	before := w.present
	if before != nil { // the first page decides how the list is paged
		got.next, got.page.Next = nil, ""
	}
	if before == nil {
		if got.next != nil && !w.visit(got) {
			return got
		}
		w.seen = (number - 1) * min(w.granted(got), len(got.page.Items))
	} else if got.content == before.content && len(got.page.Items) > 0 {
		if w.repeats++; !w.mayRepeat(before.page.Paging, got) {
			got.fail("the page repeats the one before it")
			return got
		}
	} else {
		w.repeats = 0
	}
	w.present = got
	w.seen += len(got.page.Items)
	return got
}

// mayRepeat reports whether a list can have a page with the same items as the one before. A
// full page can repeat once, if as many items were added to the list in the meantime. Shorter
// pages can repeat a few times, because items need not differ, if the server numbers the pages
// and the end of the list stays the same.
func (w *pageWalk[T]) mayRepeat(before Paging, got *fetched[T]) bool {
	const fewTimes = 3
	now, items := got.page.Paging, len(got.page.Items)
	if items >= w.granted(got) {
		return w.repeats == 1 && now.TotalCount-before.TotalCount >= items
	}
	return w.repeats <= fewTimes && now.Page != 0 && now.PageCount <= before.PageCount
}

// granted returns how many items a full page has.
func (w *pageWalk[T]) granted(got *fetched[T]) int {
	if size := got.page.Paging.PerPage; size > 0 {
		return size
	}
	return w.perPage
}

// last returns the number of the last page, as the current page reports it: at least the next
// number if the list continues.
func (w *pageWalk[T]) last(number int) int {
	paging, items := w.present.page.Paging, len(w.present.page.Items)
	size := w.granted(w.present)
	switch {
	case w.present.next != nil:
		return number + 1
	case items == 0 || !w.present.paged:
		return number
	case paging.PageCount > 0:
		return paging.PageCount
	case paging.TotalCount > w.seen:
		return max(number+1, (paging.TotalCount+size-1)/size)
	case paging.TotalCount == 0 && items >= size: // the server counts nothing
		return number + 1
	default:
		return number
	}
}

// readAhead requests pages up to the last one, as many as may be in flight.
func (w *pageWalk[T]) readAhead(last int) {
	for w.depth > 1 && w.present.next == nil && len(w.pending) < w.depth && w.next <= last {
		number, result := w.next, make(chan *fetched[T], 1)
		w.next++
		w.pending = append(w.pending, result)
		w.running.Go(func() {
			var got *fetched[T]
			parallel.Guard(func() { got = w.fetch(number) }, func(p *parallel.Panic) {
				if p != nil {
					got = &fetched[T]{panicked: p}
				}
				result <- got
			})
		})
	}
}
