package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A web page of another site can neither make the server fail nor read what it received.
func TestGuard(t *testing.T) {
	cloud, url := newServer(t)
	own := strings.TrimPrefix(url, "http://")
	for name, c := range map[string]struct {
		method, path string
		host         string
		header       http.Header
		want         int
	}{
		"a program":                             {"POST", "/fake/heal", own, nil, 204},
		"the page":                              {"POST", "/fake/heal", own, http.Header{"Origin": {url}, "Sec-Fetch-Site": {"same-origin"}}, 204},
		"another site":                          {"POST", "/fake/heal", own, http.Header{"Origin": {"https://other.example"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		"a sandbox":                             {"POST", "/fake/heal", own, http.Header{"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		"another port":                          {"POST", "/fake/heal", own, http.Header{"Origin": {"http://127.0.0.1:1"}, "Sec-Fetch-Site": {"same-site"}}, 403},
		"an old browser":                        {"POST", "/fake/fail", own, http.Header{"Origin": {"https://other.example"}}, 403},
		"a link":                                {"GET", "/", own, http.Header{"Sec-Fetch-Site": {"cross-site"}}, 200},
		"a name of this machine":                {"POST", "/fake/heal", "localhost:8080", nil, 204},
		"a container":                           {"POST", "/fake/heal", "fakecloud:8080", nil, 204},
		"IPv6":                                  {"POST", "/fake/heal", "[::1]:8080", nil, 204},
		"the flag -addr":                        {"POST", "/fake/heal", "Fake.Example.:8080", nil, 204},
		"a name that was bound to this address": {"POST", "/fake/heal", "rebound.example:8080", http.Header{"Origin": {"http://rebound.example:8080"}, "Sec-Fetch-Site": {"same-origin"}}, 403},
		"that name reads":                       {"GET", "/fake/requests", "rebound.example", nil, 403},
		"that name watches":                     {"GET", "/fake/live", "rebound.example", nil, 403},
		"that name has a page":                  {"GET", "/", "rebound.example", nil, 403},
		"a name like an IP":                     {"GET", "/", "127.0.0.1.rebound.example", nil, 403},
		"a name like localhost":                 {"GET", "/", "localhost.rebound.example", nil, 403},
		"the API by name":                       {"GET", "/auth/me", "api.memfault.com", nil, 401},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, nil)
			require.NoError(t, err)
			request.Host = c.host
			if c.header != nil {
				request.Header = c.header
			}
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, c.want, response.StatusCode)
		})
	}
	assert.Empty(t, cloud.Violations())
}
