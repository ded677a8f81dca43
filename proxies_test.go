package memfault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// newRefusingProxy returns the address of a proxy that responds to every request with a status,
// and the number of its requests.
func newRefusingProxy(t *testing.T, status int) (*url.URL, *atomic.Int64) {
	t.Helper()
	requests := new(atomic.Int64)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodConnect, r.Method)
		requests.Add(1)
		w.WriteHeader(status)
	}))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	address.User = url.UserPassword("jane", "s3cret")
	return address, requests
}

func TestProxy_RefusesConnection(t *testing.T) {
	for status, attempts := range map[int]int64{
		400: 1, 403: 1, 404: 1, 405: 1, 407: 1, 408: 5, 429: 5, 302: 5, 500: 5, 502: 5, 503: 5, 299: 5,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			address, requests := newRefusingProxy(t, status)
			transport := memfault.NewTransport()
			transport.Proxy = http.ProxyURL(address)
			var logged bytes.Buffer
			client := newClient(t, memfault.OrganizationToken("oat_s3cret"), quickRetries, memfault.WithBaseURL("https://cloud.test"),
				memfault.WithHTTPClient(&http.Client{Transport: transport}), memfault.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
			for name, call := range map[string]func(context.Context, *memfault.Client) error{
				"get":  func(ctx context.Context, c *memfault.Client) error { return get(ctx, c) },
				"post": post,
			} {
				requests.Store(0)
				err := call(t.Context(), client)
				require.ErrorIs(t, err, memfault.ErrNoAnswer, name)
				for _, kind := range []error{memfault.ErrForbidden, memfault.ErrNotFound, memfault.ErrBadRequest, memfault.ErrRateLimited, memfault.ErrUnavailable} {
					require.NotErrorIs(t, err, kind, name)
				}
				require.ErrorContains(t, err, fmt.Sprintf("the proxy %s refused the connection: %d", address.Host, status), name)
				assert.Equal(t, attempts, requests.Load(), name)
				requireNoSecretInTree(t, err)
			}
			assert.Contains(t, logged.String(), "refused the connection")
			assert.NotContains(t, logged.String(), "s3cret")
		})
	}
}

func TestProxy_KeepsHookOfDefault(t *testing.T) {
	kept := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = kept })
	errHook := errors.New("hook of the program")
	http.DefaultTransport = &http.Transport{OnProxyConnectResponse: func(context.Context, *url.URL, *http.Request, *http.Response) error { return errHook }}
	address, _ := newRefusingProxy(t, 200)
	transport := memfault.NewTransport()
	transport.Proxy = http.ProxyURL(address)
	client := newClient(t, memfault.OrganizationToken("oat_s3cret"), quickRetries, memfault.WithBaseURL("https://cloud.test"), memfault.WithHTTPClient(&http.Client{Transport: transport}))
	require.ErrorIs(t, get(t.Context(), client), errHook)
}

// net/http and its function for the environment quote a URL that does not parse, and the part of
// it that is wrong.
func TestProxy_PasswordOfInvalidAddressNotShown(t *testing.T) {
	for _, address := range []string{
		"http://jane:s3cret/s3cret@proxy:3128", "http://jane:s3cret s3cret@proxy:3128", "http://jane:s3cret%zz@proxy",
		"http://jane:s3cret@proxy:s3cret", "http://jane:@s3cret/@s3cret@proxy",
	} {
		for name, wrap := range map[string]func(error) error{
			"as net/http":    func(err error) error { return fmt.Errorf("invalid proxy address %q: %v", address, err) }, //nolint:errorlint // as net/http does
			"wrapped":        func(err error) error { return fmt.Errorf("configuration: %w", err) },
			"only the error": func(err error) error { return err },
		} {
			transport := memfault.NewTransport()
			transport.Proxy = func(*http.Request) (*url.URL, error) {
				u, err := url.Parse(address)
				if err != nil {
					return nil, wrap(err)
				}
				u.Host = "127.0.0.1:1"
				return u, nil
			}
			var logged bytes.Buffer
			client := newClient(t, memfault.OrganizationToken("oat_s3cret"), quickRetries, memfault.WithHTTPClient(&http.Client{Transport: transport}),
				memfault.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
			err := get(t.Context(), client)
			require.ErrorIs(t, err, memfault.ErrNoAnswer)
			requireNoSecretInTree(t, err)
			assert.NotContains(t, logged.String(), "s3cret", name)
			if _, invalid := url.Parse(address); invalid != nil {
				require.ErrorContains(t, err, "proxy", name)
				assert.NotContains(t, err.Error(), "attempt", "a retry does not help")
			}
		}
	}
}

func TestRedirect_InvalidLocationNotShown(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://jane:s3cret/s3cret@host/?X-Signature=s3cret")
		w.WriteHeader(http.StatusFound)
	})
	err := get(t.Context(), client)
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	requireNoSecretInTree(t, err)
}
