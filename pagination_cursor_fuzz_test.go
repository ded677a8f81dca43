package memfault_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// plainLink is a link of a usual form, which must be followed.
var plainLink = regexp.MustCompile(`^(https://gateway\.example)?(/[A-Za-z0-9_~-]+)+\?[A-Za-z0-9_.~=&+-]+$`)

// FuzzCursorLinks checks that the links of a list lead only to the client's host, unchanged,
// that the list ends, and that every item before its end is yielded. The last page links to
// nothing; the first two link to any text, and the third to any cursor.
func FuzzCursorLinks(f *testing.F) {
	f.Add("/api/v0/log?page[after]=a", "https://gateway.example/api/v0/log?page%5Bafter%5D=b%20", "c")
	f.Add("https://evil.example/x", "//gateway.example:443/x?y", "=&+%é\x00")
	f.Add("/a/../b", "/a/%2e%2e/b?", "x")
	f.Add("https://jane@gateway.example/a", "?page[after]=2", "")
	f.Add(`\evil`, "/a#b", " ")
	f.Add("http://gateway.example/a?b", "HTTPS://GATEWAY.EXAMPLE:443/a?b", "a?b")
	f.Add("/same?x=1&y=2", "/same?y=2&x=1", "z")
	f.Add("///evil.example/x?y=z", "https:/x?y", "z")
	f.Fuzz(func(t *testing.T, first, second, cursor string) {
		if !utf8.ValidString(first + second + cursor) {
			return // JSON cannot contain it
		}
		links := []string{first, second, "/log?page[after]=" + url.QueryEscape(cursor), ""}
		var sent []*url.URL
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL("https://gateway.example/base"),
			memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				sent = append(sent, req.URL)
				body := map[string]any{"data": []int{len(sent)}, "links": map[string]any{"next": links[len(sent)-1]}}
				return newResponse(http.StatusOK, jsonText(body))
			})}))
		pager := memfault.NewPager[int](client, memfault.Request{Path: "/log", Query: url.Values{"page[size]": {"1"}}})
		var items []int
		var failed error
		for item, err := range pager.All(t.Context()) {
			if failed = err; err == nil {
				items = append(items, item)
			}
		}
		for i, target := range sent[1:] {
			requireFollowed(t, links[i], target)
		}
		read := len(sent)
		if failed != nil {
			require.ErrorIs(t, failed, memfault.ErrUnexpectedResponse)
			read-- // the page with the unusable link is not yielded
			last := links[read]
			assert.False(t, plainLink.MatchString(last) && !repeats(links[:read], last), "a usual link must be followed: %v", failed)
			if len(last) >= 12 {
				assert.NotContains(t, failed.Error(), last)
			}
		} else {
			assert.Empty(t, links[read-1], "the list ended before its end")
		}
		var want []int
		for i := range read {
			want = append(want, i+1)
		}
		assert.Equal(t, want, items)
	})
}

// requireFollowed fails unless a request was sent to a link, below the base URL if the link
// contains no host.
func requireFollowed(t *testing.T, link string, target *url.URL) {
	t.Helper()
	assert.Equal(t, "https", target.Scheme)
	assert.Equal(t, "gateway.example", strings.TrimSuffix(strings.ToLower(target.Host), ":443"))
	assert.Nil(t, target.User)
	uri := target.RequestURI()
	if strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "//") || strings.HasPrefix(link, "///") { // no host
		uri = strings.TrimPrefix(uri, "/base")
	}
	assert.True(t, strings.HasSuffix(link, uri), "%q was requested as %q", link, uri)
	for _, segment := range segmentsOf(t, target.EscapedPath()) {
		assert.NotContains(t, []string{".", ".."}, segment)
	}
}

// repeats reports whether a link may lead to the page of an earlier one.
func repeats(earlier []string, link string) bool {
	key := func(link string) string {
		u, err := url.Parse(strings.TrimPrefix(link, "https://gateway.example"))
		if err != nil {
			return ""
		}
		return fmt.Sprint(u.Path, u.Query())
	}
	for _, other := range append(earlier, "/log?page[size]=1") {
		if strings.TrimPrefix(key(link), "/base") == strings.TrimPrefix(key(other), "/base") {
			return true
		}
	}
	return false
}
