package memfault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// ownHosts are the hosts to which credentials may go.
var ownHosts = map[string]bool{
	"https://api.memfault.com": true, "https://chunks.memfault.com": true, "https://ingress.memfault.com": true,
	"https://files.memfault.com": true, "https://device.memfault.com": true, "https://api.nrfcloud.com": true,
}

// network records every request, and fails the test if a secret goes to a host that is not its own.
type network struct {
	t       *testing.T
	respond func(*http.Request) (*http.Response, error)

	mu    sync.Mutex
	hosts map[string]int
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	n.mu.Lock()
	host := req.URL.Scheme + "://" + req.URL.Host
	n.hosts[host]++
	n.mu.Unlock()
	if !ownHosts[host] {
		assert.NotContains(n.t, fmt.Sprint(req.Header, req.URL), "s3cret", "%s %s", req.Method, host)
		assert.Nil(n.t, req.Body, "%s %s", req.Method, host)
		return newResponse(http.StatusOK, `{"data":[]}`)
	}
	return n.respond(req)
}

func newNetwork(t *testing.T, auth memfault.Authenticator, respond func(*http.Request) (*http.Response, error)) (*network, *memfault.Client) {
	n := &network{t: t, respond: respond, hosts: map[string]int{}}
	return n, newClient(t, auth, quickRetries, memfault.WithHTTPClient(&http.Client{Transport: n}))
}

func TestSecrets_RedirectsToOtherHosts(t *testing.T) {
	locations := []string{
		"https://evil.example/x", "//evil.example/x", "https://api.memfault.com:8443/x", "https://sub.api.memfault.com/x",
		"https://api.memfault.com.evil.example/x", "https://memfault.com/x", "http://api.memfault.com/x", "https://jane:pw@evil.example/x",
		"https://evil.example:443/x", "https://api.memfault.com@evil.example/x",
	}
	for name, auth := range everyCredential() {
		for _, code := range []int{301, 302, 303, 307, 308} {
			for _, location := range locations {
				n, client := newNetwork(t, auth, func(*http.Request) (*http.Response, error) {
					return newResponse(code, "", "Location", location)
				})
				for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
					request := memfault.Request{Method: method, Path: "/x", Query: url.Values{"signature": {"s3cret"}}}
					if method != "GET" && method != "HEAD" {
						request.Body = "s3cret"
					}
					if err := client.Do(t.Context(), request, nil, memfault.WithHeader("X-Acme", "s3cret")); err != nil {
						requireNoSecret(t, err.Error())
					}
				}
				_, _ = client.Coredumps.Download(t.Context(), sink, 1, io.Discard, memfault.CoredumpDownloadOptions{})
				_, _ = client.Devices.List(sink, memfault.DeviceListOptions{}).Collect(t.Context())
				_ = client.Chunks.Upload(t.Context(), "D1", [][]byte{[]byte("s3cret")})
				assert.NotEmpty(t, n.hosts, "%s %d %s", name, code, location)
				for host := range n.hosts {
					assert.False(t, strings.HasPrefix(host, "http:"), "%s", host)
				}
			}
		}
	}
}

func TestSecrets_DoStaysOnOwnHosts(t *testing.T) {
	paths := []string{
		"//evil.example/x", "/\\evil.example/x", "\\\\evil.example/x", "https://evil.example/x", "http:/evil.example", "evil.example/x", "@evil.example/x",
		":80@evil.example/x", ".evil.example/x", "/@evil.example/x", "/%2f%2fevil.example/x", "/..//evil.example", "/../x", "/%2e%2e/x", "/x?y=1", "/x#y",
		"/\t/evil.example", "/x\r\nHost: evil.example", "/ /evil.example", "", "?x", "/x/https://evil.example", "/x;@evil.example/y", "/%00",
	}
	for _, path := range paths {
		for host := memfault.Host(-1); host <= memfault.HostNRFCloud+1; host++ {
			n, client := newNetwork(t, memfault.OrganizationToken("oat_s3cret"), func(req *http.Request) (*http.Response, error) {
				assert.Contains(t, []string{"", req.URL.Host}, req.Host)
				return newResponse(http.StatusOK, `{"data":[]}`)
			})
			request := memfault.Request{Host: host, Path: path}
			err := client.Do(t.Context(), request, nil)
			_, listErr := memfault.NewPager[any](client, request).Collect(t.Context())
			assert.Equal(t, err == nil, listErr == nil, path)
			if err != nil {
				require.ErrorIs(t, err, memfault.ErrInvalidArgument, path)
				assert.Empty(t, n.hosts, path)
			}
			for host := range n.hosts {
				assert.True(t, ownHosts[host], "%q went to %s", path, host)
			}
		}
	}
}

func TestSecrets_LinksStayOnOwnHost(t *testing.T) {
	for _, link := range []string{
		"https://evil.example/x?page[after]=s3cret", "//evil.example/x?page[after]=s3cret", "https://chunks.memfault.com/x?page[after]=s3cret",
		"https://api.memfault.com@evil.example/x?page[after]=s3cret", "http://api.memfault.com/x?page[after]=s3cret", `/\evil.example/x?page[after]=s3cret`,
		"https:evil.example/x?page[after]=s3cret", "https://api.memfault.com:8443/x?page[after]=s3cret",
	} {
		n, client := newNetwork(t, memfault.OrganizationToken("oat_s3cret"), func(*http.Request) (*http.Response, error) {
			return newResponse(http.StatusOK, jsonText(map[string]any{"data": []any{1}, "links": map[string]any{"next": link}}))
		})
		_, err := memfault.NewPager[any](client, memfault.Request{Path: "/x"}).Collect(t.Context())
		require.ErrorIs(t, err, memfault.ErrUnexpectedResponse, link)
		requireNoSecretInTree(t, err)
		assert.Equal(t, map[string]int{"https://api.memfault.com": 1}, n.hosts, link)
	}
}

func TestSecrets_NotSentToProxy(t *testing.T) {
	var seen []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method)
		assert.NotContains(t, fmt.Sprint(r.Header, r.RequestURI), "s3cret")
		w.WriteHeader(http.StatusProxyAuthRequired)
		_, _ = io.WriteString(w, "s3cret")
	}))
	defer proxy.Close()
	for _, auth := range everyCredential() {
		client := newClient(t, auth, quickRetries, memfault.WithHTTPClient(&http.Client{Transport: &http.Transport{
			Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) },
		}}))
		err := client.Do(t.Context(), memfault.Request{Path: "/x", Query: url.Values{"signature": {"s3cret"}}}, nil, memfault.WithoutRetry())
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		requireNoSecretInTree(t, err)
	}
	assert.Equal(t, []string{"CONNECT", "CONNECT", "CONNECT", "CONNECT", "CONNECT"}, seen)
}

// A function of the user fails with a text that contains a secret of the webhook.
func TestSecrets_WebhookLogHidesSecrets(t *testing.T) {
	body := []byte(`{"type":"issue.created"}`)
	for _, fail := range []func() error{
		func() error {
			return errors.New("s3cret-hook: cannot reach https://bucket.example/a?X-Signature=s3cret")
		},
		func() error { panic("s3cret-hook https://bucket.example/a?X-Signature=s3cret") },
	} {
		var logged bytes.Buffer
		server := httptest.NewUnstartedServer(memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{"s3cret-hook"}},
			func(context.Context, *memfault.WebhookEvent) error { return fail() }))
		server.Config.ErrorLog = log.New(&logged, "", 0)
		server.Start()
		req, err := http.NewRequest(http.MethodPost, server.URL, bytes.NewReader(body))
		require.NoError(t, err)
		req.Header = memfault.SignWebhook("s3cret-hook", body)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		assert.Equal(t, http.StatusInternalServerError, resp.StatusCode)
		resp.Body.Close()
		server.Close()
		assert.Contains(t, logged.String(), "issue.created")
		requireNoSecret(t, logged.String())
	}
}
