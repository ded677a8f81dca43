package memfault

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// Query parameters of a list that is paged by cursor.
const (
	cursorPrefix = "page["
	cursorAfter  = "page[after]"
)

// Limits of a list that is paged by cursor. A server that exceeds them would keep the Pager
// reading forever.
const (
	maxEmptyPages    = 10   // pages in a row without items that have a next page
	maxRepeatedItems = 1000 // items in a row on pages that repeat the page before
)

// listByCursor returns the Pager of an operation whose list is paged by cursor. options is a
// struct with url tags, and pageSize the number of items a page that it contains.
func listByCursor[T any](client *Client, op *operation.Operation, path []string, options any, pageSize int, opts []CallOption) *Pager[T] {
	p := newList[T](client, op, path, options, ListOptions{PerPage: max(pageSize, 0)}, opts)
	p.byCursor = true
	if pageSize < 0 {
		p.err = errors.Join(p.err, invalid("%s: the page size must not be negative: %d", p.op.Name, pageSize))
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
				return options, invalid("NewPager: %s must be a number, not %q", name, text)
			}
			*to = number
		}
		if values.Has(name) && hasCursor(values) {
			return options, invalid("NewPager: the query must not contain both %s and page[...]", name)
		}
	}
	return options, nil
}

func hasCursor(values url.Values) bool {
	for name := range values {
		if strings.HasPrefix(name, cursorPrefix) {
			return true
		}
	}
	return false
}

// withoutPage requests an unknown list again if its first page failed with 400: a list that
// is paged by cursor rejects page and per_page. For a list that is paged by number, the
// error remains that of the first request.
func (p *Pager[T]) withoutPage(ctx context.Context, failed *fetched[T]) *fetched[T] {
	var rejected *Error
	if !errors.As(failed.err, &rejected) || rejected.StatusCode != http.StatusBadRequest {
		return failed
	}
	if got := p.fetchQuery(ctx, p.query); got.err == nil && !got.paged {
		return got
	}
	return failed
}

// readLinks reads the link to the next page. r is the response, whose body was not released.
func (f *fetched[T]) readLinks(p *Pager[T], text json.RawMessage, r *reply) {
	var links map[string]json.RawMessage
	var next *string
	if json.Unmarshal(text, &links) != nil { // UNCERTAIN(links-form): what links other than an object mean
		return
	}
	if link, ok := links["next"]; ok && json.Unmarshal(link, &next) != nil {
		f.fail("the link to the next page is not a string")
		return
	}
	if next == nil || *next == "" {
		return
	}
	target, err := p.client.core.linkTarget(p.op.Host, *next)
	if err != nil {
		f.fail("the link to the next page " + err.Error())
		return
	}
	if data, err := decodeData[json.RawMessage](r); err == nil {
		f.content = maphash.Bytes(p.seed, *data)
	}
	f.next, f.page.Next = target, *next
	if after := target.Query().Get(cursorAfter); after != "" {
		f.page.Next = after
	}
	if linkKey(target) == linkKey(f.target) {
		f.fail("the link to the next page leads to the same page")
	}
}

// linkTarget returns the URL of a link in a response of a host. The link is relative to that
// host and is used unchanged. An error does not contain the link.
func (c *core) linkTarget(host operation.Host, link string) (*url.URL, error) {
	base := c.hosts[host]
	u, err := url.Parse(link)
	if err != nil || u.Opaque != "" || strings.ContainsAny(link, `\#`) || !strings.HasSuffix(link, u.RequestURI()) ||
		strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("cannot be used unchanged")
	}
	target := *base
	target.RawQuery, target.ForceQuery = u.RawQuery, u.ForceQuery
	if u.Host == "" && u.Scheme == "" && u.User == nil {
		target.Path, target.RawPath = base.Path+u.Path, base.EscapedPath()+u.EscapedPath()
	} else {
		if u.Scheme == "" {
			u.Scheme = base.Scheme
		}
		if u.User != nil || u.Scheme != base.Scheme || canonicalHost(u) != canonicalHost(base) {
			return nil, errors.New("leads to another host")
		}
		target.Path, target.RawPath = u.Path, u.RawPath
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return nil, errors.New("contains a path segment of dots")
		}
	}
	if !strings.HasPrefix(u.Path, "/") {
		return nil, errors.New("does not begin with a slash")
	}
	return &target, nil
}

// linkKey returns the same text for two URLs that differ only in how their queries are
// escaped and ordered.
func linkKey(target *url.URL) string {
	text := target.RawQuery
	if values, err := url.ParseQuery(text); err == nil {
		text = values.Encode()
	}
	return target.EscapedPath() + "?" + text
}

// takeLinked reads the page to which the current page links.
func (w *pageWalk[T]) takeLinked() *fetched[T] {
	before := w.present
	w.next++
	got := w.follow(before.next)
	if got.err != nil || got.next != nil && !w.visit(got) {
		return got
	}
	items := len(got.page.Items)
	if got.next == nil || got.content != before.content || items == 0 {
		w.repeats = 0
	} else if w.repeats++; w.repeats*items > maxRepeatedItems {
		got.fail("the pages repeat each other")
		return got
	}
	w.empty++
	if items > 0 {
		w.empty = 0
	}
	if got.next != nil && w.empty > maxEmptyPages {
		got.fail("many pages in a row contain no items, but each of them has a next page")
		return got
	}
	w.present = got
	return got
}

// visit records the page. If the page links to a page that was read before, visit turns it
// into an error.
func (w *pageWalk[T]) visit(got *fetched[T]) bool {
	if w.visited == nil {
		w.visited, w.seed = map[uint64]bool{}, maphash.MakeSeed()
	}
	w.visited[maphash.String(w.seed, linkKey(got.target))] = true
	if w.visited[maphash.String(w.seed, linkKey(got.next))] {
		got.fail("the link to the next page leads to a page that was read before")
		return false
	}
	return true
}
