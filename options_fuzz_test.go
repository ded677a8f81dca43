package memfault_test

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// FuzzWithBaseURL checks that requests go below the given address, or that NewClient rejects it
// with an error that does not quote it.
func FuzzWithBaseURL(f *testing.F) {
	for _, address := range []string{
		"https://gateway.example", "https://gateway.example/pre%2Ffix//", "http://localhost:8080/", "http://[::1]", "http://127.1.2.3/a b",
		"http://gateway.example", "https://jane:s3cret@gateway.example/", "https://gateway.example?", "https://gateway.example/#",
		"//gateway.example", "https:gateway.example", "https://:443", "ftp://gateway.example", "HTTPS://GATEWAY.example/%zz", "",
	} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		var sent *url.URL
		client, err := memfault.NewClient(memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(address),
			memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				sent = req.URL
				return newResponse(http.StatusOK, `{"data":{"id":1,"slug":"sink"}}`)
			})}))
		if err != nil {
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			if len(address) >= 20 {
				assert.NotContains(t, err.Error(), address)
			}
			return
		}
		_, err = client.Projects.Get(t.Context(), sink)
		require.NoError(t, err)
		base, err := url.Parse(address)
		require.NoError(t, err)
		const path = "/api/v0/organizations/acme/projects/smart-sink"
		assert.Equal(t, strings.TrimRight(base.EscapedPath(), "/")+path, sent.EscapedPath())
		assert.Equal(t, base.Host, sent.Host)
		assert.NotEmpty(t, sent.Hostname())
		assert.Nil(t, sent.User)
		assert.Empty(t, sent.RawQuery+sent.Fragment)
		if sent.Scheme != "https" {
			assert.Equal(t, "http", sent.Scheme)
			assert.True(t, isThisMachine(sent.Hostname()), "plain http must stay on this machine")
		}
	})
}

func isThisMachine(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
