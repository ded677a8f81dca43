package memfault_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// linked is a server of a list that is paged by cursor. It records the URIs of its requests.
type linked struct {
	uris []string
	page func(after string) string // the response body
}

func (l *linked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.uris = append(l.uris, r.RequestURI)
	query := r.URL.Query()
	if query.Has("page") || query.Has("per_page") {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":{"page":["Unknown field."]}}}`)
		return
	}
	_, _ = io.WriteString(w, l.page(query.Get("page[after]")))
}

// linkTo returns a page with one item and a link to the given address.
func linkTo(id int, next string) string {
	return fmt.Sprintf(`{"data":[{"id":%d}],"links":{"next":%q}}`, id, next)
}

const (
	things     = "/api/v0/things"
	lastLinked = `{"data":[],"links":{"next":null}}`
)

// threeLinked serves the items 1 to 3 and an empty last page.
func threeLinked(after string) string {
	switch after {
	case "":
		return linkTo(1, things+"?page%5Bafter%5D=c+1&page[size]=1&z=%2f")
	case "c 1":
		return linkTo(2, things+"?page[after]=c2")
	case "c2":
		return linkTo(3, things+"?page[after]=c3")
	default:
		return lastLinked
	}
}

// byCursor returns a pager over a list of l, for which the query is known to page by cursor.
func byCursor(t testing.TB, l *linked, query url.Values) *memfault.Pager[item] {
	t.Helper()
	_, client := newServer(t, l.ServeHTTP)
	if query == nil {
		query = url.Values{"page[size]": {"1"}}
	}
	return memfault.NewPager[item](client, memfault.Request{Path: things, Query: query})
}

func TestPager_FollowsLinksUnchanged(t *testing.T) {
	for _, depth := range []int{0, 1, 8} {
		l := &linked{page: threeLinked}
		seen, err := ids(t.Context(), byCursor(t, l, nil).Prefetch(depth))
		require.NoError(t, err)
		assert.Equal(t, upTo(3), seen)
		assert.Equal(t, []string{
			things + "?page%5Bsize%5D=1", things + "?page%5Bafter%5D=c+1&page[size]=1&z=%2f", things + "?page[after]=c2", things + "?page[after]=c3",
		}, l.uris, "Prefetch must not change the requests")
	}
}

func TestPager_LinksReadOnDemand(t *testing.T) {
	l := &linked{page: threeLinked}
	read := 0
	for _, err := range byCursor(t, l, nil).Prefetch(8).All(t.Context()) {
		require.NoError(t, err)
		read++
		assert.Len(t, l.uris, read)
	}
	assert.Len(t, l.uris, 4)
}

func TestPager_NextIsCursor(t *testing.T) {
	l := &linked{page: threeLinked}
	pager := byCursor(t, l, nil)
	var cursors []string
	for range 2 {
		for page, err := range pager.Pages(t.Context()) {
			require.NoError(t, err)
			assert.Zero(t, page.Paging)
			cursors = append(cursors, page.Next)
		}
	}
	assert.Equal(t, []string{"c 1", "c2", "c3", "c 1", "c2", "c3"}, cursors, "each iteration starts at the first page")

	page, err := byCursor(t, l, url.Values{"page[after]": {"c2"}}).Page(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &memfault.Page[item]{Items: []item{{ID: 3}}, Next: "c3"}, page)
	page, err = byCursor(t, l, url.Values{"page[after]": {"c3"}}).Page(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &memfault.Page[item]{Items: []item{}}, page)

	other := &linked{page: func(string) string { return linkTo(1, "/api/v0/things?token=x") }}
	page, err = byCursor(t, other, nil).Page(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "/api/v0/things?token=x", page.Next, "without page[after], Next is the link")
}

func TestNewPager_UnknownListByCursor(t *testing.T) {
	l := &linked{page: threeLinked}
	query := url.Values{"start": {"2025-02-27T00:00:00Z"}}
	seen, err := ids(t.Context(), byCursor(t, l, query).Prefetch(4))
	require.NoError(t, err)
	assert.Equal(t, upTo(3), seen)
	require.Len(t, l.uris, 5)
	assert.Equal(t, things+"?page=1&per_page=100&start=2025-02-27T00%3A00%3A00Z", l.uris[0])
	assert.Equal(t, things+"?start=2025-02-27T00%3A00%3A00Z", l.uris[1])

	// A server that ignores page and per_page.
	lax := &linked{page: threeLinked}
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		lax.uris = append(lax.uris, r.RequestURI)
		_, _ = io.WriteString(w, lax.page(r.URL.Query().Get("page[after]")))
	})
	seen, err = ids(t.Context(), memfault.NewPager[item](client, memfault.Request{Path: things}))
	require.NoError(t, err)
	assert.Equal(t, upTo(3), seen)
	assert.Len(t, lax.uris, 4)
}

func TestNewPager_CopiesQuery(t *testing.T) {
	var query string
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		_, _ = io.WriteString(w, `{"data":[]}`)
	})
	given := url.Values{"kind": {"a", "b"}, "page": {"1"}}
	pager := memfault.NewPager[item](client, memfault.Request{Path: things, Query: given})
	given["kind"][0], given["page"][0] = "changed", "changed"
	_, err := pager.Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "kind=a&kind=b&page=1&per_page=100", query)
}

func TestNewPager_BadRequestRemains(t *testing.T) {
	var requests []string
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.URL.RawQuery)
		if r.URL.Query().Has("page") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"message":"bad filter"}}`)
			return
		}
		_, _ = io.WriteString(w, onePage(1, 1, 3))
	})
	_, err := memfault.NewPager[item](client, memfault.Request{Path: things}).Collect(t.Context())
	assert.Equal(t, "bad filter", requireError(t, err, http.StatusBadRequest).Message, "the list is paged by number")
	assert.Equal(t, []string{"page=1&per_page=100", ""}, requests)

	requests = nil
	_, err = memfault.NewPager[item](client, memfault.Request{Path: things, Query: url.Values{"page": {"1"}}}).Collect(t.Context())
	requireError(t, err, http.StatusBadRequest)
	assert.Len(t, requests, 1, "the query contains a page")

	_, err = memfault.NewPager[item](client, memfault.Request{Path: things, Query: url.Values{"page": {"1"}, "page[size]": {"1"}}}).Collect(t.Context())
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	assert.Len(t, requests, 1)
}

func TestPager_InvalidLinks(t *testing.T) {
	for name, c := range map[string]struct{ next, want string }{
		"another host":        {`"https://evil.example/api?page[after]=s3cret"`, "another host"},
		"host without scheme": {`"//evil.example/api?page[after]=s3cret"`, "another host"},
		"another port":        {`"http://127.0.0.1:1/api?page[after]=s3cret"`, "another host"},
		"another scheme":      {`"https://HOST/api?page[after]=s3cret"`, "another host"},
		"user info":           {`"http://me:s3cret@HOST/api?page[after]=x"`, "another host"},
		"scheme alone":        {`"http:/api?page[after]=s3cret"`, "another host"},
		"opaque":              {`"mailto:s3cret@evil.example"`, "unchanged"},
		"itself":              {`"/api/v0/things?page[size]=1"`, "same page"},
		"itself, escaped":     {`"/api/v0/things?page%5Bsize%5D=1"`, "same page"},
		"itself, absolute":    {`"http://HOST/api/v0/things?page[size]=1"`, "same page"},
		"relative path":       {`"things?page[after]=s3cret"`, "slash"},
		"query alone":         {`"?page[after]=s3cret"`, "unchanged"},
		"fragment":            {`"/api/v0/things?page[after]=s3cret#x"`, "unchanged"},
		"backslash":           {`"/\\evil.example?page[after]=s3cret"`, "unchanged"},
		"space":               {`"/api/v0/things?page[after]=s3cret HTTP/1.1"`, "unchanged"},
		"line break":          {`"/api/v0/things?page[after]=s3cret\r\nX: y"`, "unchanged"},
		"dots":                {`"/api/v0/../things?page[after]=s3cret"`, "segment"},
		"escaped dots":        {`"/api/v0/%2e%2E/things?page[after]=s3cret"`, "segment"},
		"number":              {`7`, "not a string"},
		"object":              {`{"href":"/x"}`, "not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			host := ""
			l := &linked{page: func(string) string {
				return `{"data":[{"id":1}],"links":{"next":` + strings.ReplaceAll(c.next, "HOST", host) + `}}`
			}}
			server, client := newServer(t, l.ServeHTTP)
			host = strings.TrimPrefix(server.URL, "http://")
			pager := memfault.NewPager[item](client, memfault.Request{Path: things, Query: url.Values{"page[size]": {"1"}}})
			_, err := ids(t.Context(), pager)
			assert.Contains(t, requireError(t, err, http.StatusOK).Message, c.want)
			requireNoSecret(t, err.Error())
			_, err = pager.Page(t.Context())
			requireError(t, err, http.StatusOK)
			assert.Len(t, l.uris, 2, "the link must not be requested")
		})
	}
}

func TestPager_AbsoluteLinkToOwnHost(t *testing.T) {
	l := &linked{}
	server, client := newServer(t, l.ServeHTTP)
	l.page = func(after string) string {
		if after == "" {
			return linkTo(1, server.URL+things+"?page[after]=a")
		}
		return lastLinked
	}
	pager := memfault.NewPager[item](client, memfault.Request{Path: things, Query: url.Values{"page[size]": {"1"}}})
	seen, err := ids(t.Context(), pager)
	require.NoError(t, err)
	assert.Equal(t, upTo(1), seen)
	assert.Equal(t, things+"?page[after]=a", l.uris[1])
}

func TestPager_LinksBelowPathOfBaseURL(t *testing.T) {
	l := &linked{page: threeLinked}
	server, _ := newServer(t, l.ServeHTTP)
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL+"/proxy"))
	seen, err := ids(t.Context(), memfault.NewPager[item](client, memfault.Request{Path: things, Query: url.Values{"page[size]": {"1"}}}))
	require.NoError(t, err)
	assert.Equal(t, upTo(3), seen)
	assert.Equal(t, "/proxy"+things+"?page[after]=c2", l.uris[2])
}

func TestPager_LinkLoopIsError(t *testing.T) {
	for name, c := range map[string]struct {
		page     func(after string) string
		requests int
	}{
		"back to a page before": {func(after string) string {
			next := map[string]string{"": "a", "a": "b", "b": "c", "c": "a"}[after]
			return linkTo(len(next), things+"?page[after]="+next)
		}, 4},
		"back to the first page": {func(after string) string {
			if after == "" {
				return linkTo(1, things+"?page[after]=a")
			}
			return linkTo(2, things+"?page[size]=1")
		}, 2},
		"another spelling": {func(after string) string {
			if after == "" {
				return linkTo(1, things+"?page[after]=a&page[size]=1")
			}
			return linkTo(2, things+"?page%5Bsize%5D=1&page%5Bafter%5D=a")
		}, 2},
		"empty pages": {func(after string) string {
			return `{"data":[],"links":{"next":"` + things + `?page[after]=` + after + `x"}}`
		}, 12},
		"the same items": {func(after string) string {
			return `{"data":[` + strings.Repeat(`{"id":1},`, 499) + `{"id":1}],"links":{"next":"` + things + `?page[after]=` + after + `x"}}`
		}, 4},
	} {
		for _, depth := range []int{0, 4} {
			t.Run(fmt.Sprint(name, depth), func(t *testing.T) {
				l := &linked{page: c.page}
				_, err := ids(t.Context(), byCursor(t, l, nil).Prefetch(depth))
				requireError(t, err, http.StatusOK)
				assert.Len(t, l.uris, c.requests)
			})
		}
	}
}

func TestPager_LinkedListEnds(t *testing.T) {
	for name, c := range map[string]struct {
		page func(after string) string
		want []int
	}{
		"no entries at all": {func(string) string { return lastLinked }, nil},
		"null on a page with items": {func(after string) string {
			if after == "" {
				return linkTo(1, things+"?page[after]=a")
			}
			return `{"data":[{"id":2}],"links":{"next":null}}`
		}, upTo(2)},
		"no links":         {func(string) string { return `{"data":[{"id":1}]}` }, upTo(1)},
		"links null":       {func(string) string { return `{"data":[{"id":1}],"links":null}` }, upTo(1)},
		"links not object": {func(string) string { return `{"data":[{"id":1}],"links":[]}` }, upTo(1)},
		"empty link":       {func(string) string { return linkTo(1, "") }, upTo(1)},
		"empty page with a next one": {func(after string) string {
			switch after {
			case "":
				return linkTo(1, things+"?page[after]=a")
			case "a":
				return `{"data":[],"links":{"next":"` + things + `?page[after]=b"}}`
			case "b":
				return linkTo(2, things+"?page[after]=c")
			}
			return lastLinked
		}, upTo(2)},
		"equal items": {func(after string) string {
			if len(after) == 20 {
				return lastLinked
			}
			return linkTo(7, things+"?page[after]="+after+"x")
		}, repeated(7, 20)},
		"cursors with semicolons": {nil, upTo(3)},
	} {
		t.Run(name, func(t *testing.T) {
			l := &linked{page: c.page}
			if strings.Contains(name, "semicolons") { // url.ParseQuery drops such a parameter
				l.page = func(string) string {
					if len(l.uris) == 4 {
						return lastLinked
					}
					return linkTo(len(l.uris), fmt.Sprintf("%s?page[after]=a;%d", things, len(l.uris)))
				}
			}
			seen, err := ids(t.Context(), byCursor(t, l, nil))
			require.NoError(t, err)
			assert.Equal(t, c.want, seen)
		})
	}
}

func repeated(n, times int) []int {
	var all []int
	for range times {
		all = append(all, n)
	}
	return all
}

// A list with paging is paged by number, whatever links it contains beside.
func TestPager_PagingBeforeLinks(t *testing.T) {
	for _, depth := range []int{0, 4} {
		p := newPages(func(page int) (int, string) {
			links := `"links":{"next":"https://evil.example/"},"paging"`
			body := strings.Replace(onePage(page, page, 3), `"paging"`, links, 1)
			if page == 2 { // a single page without paging
				body = `{"data":[{"id":2}],"links":{"next":"/api/v0/things?page[after]=x"}}`
			}
			return 200, body
		})
		seen, err := ids(t.Context(), pagerOver(t, p).Prefetch(depth))
		require.NoError(t, err)
		assert.Equal(t, upTo(2), seen, "a page without paging is the last")
	}
}
