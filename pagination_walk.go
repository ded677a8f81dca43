package memfault

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"strconv"
	"sync"
)

// fetched is a page that was read, or why it was not.
type fetched[T any] struct {
	page     *Page[T]
	response Response
	err      error

	answer  reply  // without its body, which was given back
	start   []byte // of the body
	content uint64 // a hash of the items as they came
}

func (p *Pager[T]) fetch(ctx context.Context, number int) *fetched[T] {
	got := &fetched[T]{}
	if p.err != nil {
		got.err = p.err
		return got
	}
	values := maps.Clone(p.query)
	values.Set("page", strconv.Itoa(number))
	values.Set("per_page", strconv.Itoa(p.perPage))
	options := p.options
	options.response = &got.response
	target, err := p.client.core.target(p.op, p.path, values)
	if err != nil {
		got.err = err
		return got
	}
	r, err := p.client.send(ctx, p.op, target, nil, options)
	if err != nil {
		got.err = err
		return got
	}
	defer r.release()
	if got.page, got.err = decodePage[T](r, p.perPage); got.err != nil {
		return got
	}
	body := r.body.Bytes()
	got.answer, got.start = reply{call: r.call, response: r.response}, bytes.Clone(body[:min(len(body), 256)])
	got.content = p.hashItems(body)
	if named := got.page.Paging.Page; named != 0 && named != number {
		got.err = got.repeated(fmt.Sprintf("page %d was asked for, and page %d came again", number, named))
		got.page = nil
	}
	return got
}

func (f *fetched[T]) repeated(why string) error {
	return unreadable(f.answer.call, f.answer.response, f.start, why, nil)
}

// repeats reports that the page before came once more. Equal content alone is no
// proof; it is one where the server does not number its pages, or moves the end
// of the list away.
func (f *fetched[T]) repeats(before *fetched[T]) error {
	now, then := f.page.Paging, before.page.Paging
	if f.content != before.content || now.Page != 0 && now.PageCount <= then.PageCount {
		return nil
	}
	return f.repeated("it repeats the page before")
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

// deliver hands the page's Response to the caller, in the caller's goroutine.
func (p *Pager[T]) deliver(got *fetched[T]) {
	if p.options.response != nil {
		*p.options.response = got.response
	}
}

// readAhead reads pages in order, up to depth of them at the same time.
type readAhead[T any] struct {
	fetch   func(number int) *fetched[T]
	depth   int
	next    int // the first page that was not asked for
	pending []chan *fetched[T]
	running sync.WaitGroup
}

// fill asks for pages up to the last one, as many as may be in flight.
func (a *readAhead[T]) fill(last int) {
	for a.depth > 1 && len(a.pending) < a.depth && a.next <= last {
		number, result := a.next, make(chan *fetched[T], 1)
		a.next++
		a.pending = append(a.pending, result)
		a.running.Go(func() { result <- a.fetch(number) })
	}
}

// take returns the next page in order.
func (a *readAhead[T]) take() *fetched[T] {
	if len(a.pending) == 0 {
		a.next++
		return a.fetch(a.next - 1)
	}
	result := a.pending[0]
	a.pending = a.pending[1:]
	return <-result
}
