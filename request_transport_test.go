package memfault_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// countingConn counts the writes to a connection.
type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// newCountingTransport returns a transport and the number of writes to its connections.
func newCountingTransport() (*http.Transport, *atomic.Int64) {
	writes := new(atomic.Int64)
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &countingConn{conn, writes}, err
	}}, writes
}

func TestSmallBody_IsSentInOneWrite(t *testing.T) {
	transport, writes := newCountingTransport()
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"data":{"id":1}}`)
	}, memfault.WithHTTPClient(&http.Client{Transport: transport}))
	gateway := client.WithAuth(memfault.ProjectKey("d3b0"))
	for name, call := range map[string]func() error{
		"POST":           func() error { return post(t.Context(), client) },
		"PATCH":          func() error { return patch(t.Context(), client) },
		"chunk":          func() error { return gateway.Chunks.Upload(t.Context(), "A", [][]byte{{1, 2}}) },
		"several chunks": func() error { return gateway.Chunks.Upload(t.Context(), "A", [][]byte{{1, 2}, {3}}) },
		"Do": func() error {
			return client.Do(t.Context(), memfault.Request{Method: http.MethodPost, Path: "/x", Body: 1}, nil)
		},
	} {
		before := writes.Load()
		require.NoError(t, call(), name)
		assert.Equal(t, int64(1), writes.Load()-before, name)
	}
}

func TestSmallBody_RetryIsSentInOneWrite(t *testing.T) {
	transport, writes := newCountingTransport()
	requests := 0
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests++; requests < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"data":{"id":1}}`)
	}, memfault.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, patch(t.Context(), client))
	assert.Equal(t, 3, requests)
	assert.Equal(t, int64(3), writes.Load())
}

// A body of up to 64 KiB must take as many writes as with net/http alone. Its buffer of 4 KiB
// splits larger ones.
func TestSmallBody_WritesAsNetHTTP(t *testing.T) {
	transport, writes := newCountingTransport()
	bareTransport, bareWrites := newCountingTransport()
	server, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}, memfault.WithHTTPClient(&http.Client{Transport: transport}))
	for _, size := range []int{0, 3000, 10_000, 60_000} {
		text := strings.Repeat("x", size)
		before, bareBefore := writes.Load(), bareWrites.Load()
		require.NoError(t, client.Do(t.Context(), memfault.Request{Method: http.MethodPost, Path: "/x", Body: text}, nil))
		resp, err := (&http.Client{Transport: bareTransport}).Post(server.URL+"/x", "application/json", strings.NewReader(`"`+text+`"`))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, bareWrites.Load()-bareBefore, writes.Load()-before, size)
	}
}

// BenchmarkJSONPost compares a JSON POST with the same request through net/http alone.
func BenchmarkJSONPost(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"data":{"id":1}}`)
	}))
	b.Cleanup(server.Close)
	transport, writes := newCountingTransport()
	client := newClient(b, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL), memfault.WithHTTPClient(&http.Client{Transport: transport}))
	bareTransport, bareWrites := newCountingTransport()
	plain := &http.Client{Transport: bareTransport}
	const posts = 2000
	ours, bare, rounds := b.Elapsed(), b.Elapsed(), 0
	for b.Loop() {
		start := b.Elapsed()
		for range posts {
			require.NoError(b, post(b.Context(), client))
		}
		middle := b.Elapsed()
		for range posts {
			body, err := json.Marshal(memfault.CohortCreate{Name: "x"})
			require.NoError(b, err)
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/api/v0/organizations/acme/projects/smart-sink/cohorts", bytes.NewReader(body))
			require.NoError(b, err)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer oat_test")
			resp, err := plain.Do(req)
			require.NoError(b, err)
			var cohort struct{ Data *memfault.Cohort }
			require.NoError(b, json.NewDecoder(resp.Body).Decode(&cohort))
			require.NoError(b, resp.Body.Close())
		}
		ours, bare, rounds = ours+middle-start, bare+b.Elapsed()-middle, rounds+1
	}
	b.ReportMetric(float64(ours)/float64(bare), "times-bare")
	b.ReportMetric(float64(writes.Load())/float64(rounds*posts), "writes/post")
	b.ReportMetric(float64(bareWrites.Load())/float64(rounds*posts), "bare-writes/post")
}

// newResettingServer starts a server that speaks just enough HTTP/2 to reset each stream with
// PROTOCOL_ERROR after its request has arrived whole. It counts the requests.
func newResettingServer(t *testing.T) (address string, requests *atomic.Int64) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	requests = new(atomic.Int64)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go resetStreams(conn, requests)
		}
	}()
	return "http://" + listener.Addr().String(), requests
}

func resetStreams(conn net.Conn, requests *atomic.Int64) {
	const (
		data, headers, resetStream, settings = 0, 1, 3, 4
		endStream, ack                       = 1, 1
		protocolError                        = 1
	)
	defer conn.Close()
	frame := func(kind, flags byte, stream uint32, payload ...byte) {
		head := []byte{0, 0, byte(len(payload)), kind, flags}
		_, _ = conn.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
	}
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	frame(settings, 0, 0)
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		size := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, conn, size); err != nil {
			return
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		switch {
		case kind == settings && flags&ack == 0:
			frame(settings, ack, 0)
		case (kind == headers || kind == data) && flags&endStream != 0:
			requests.Add(1)
			frame(resetStream, 0, stream, 0, 0, 0, protocolError)
		}
	}
}

func TestHTTP2_ResetPOSTIsNotRepeated(t *testing.T) {
	address, requests := newResettingServer(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(address), quickRetries,
		memfault.WithHTTPClient(&http.Client{Transport: &http.Transport{Protocols: protocols}}))
	for name, call := range map[string]func(...memfault.CallOption) error{
		"create": func(opts ...memfault.CallOption) error {
			return errorOf(client.Cohorts.Create(t.Context(), sink, memfault.CohortCreate{Name: "x"}, opts...))
		},
		"rename": func(opts ...memfault.CallOption) error {
			return errorOf(client.Cohorts.Update(t.Context(), sink, "beta", memfault.CohortUpdate{Slug: memfault.Set("gamma")}, opts...))
		},
		"Do": func(opts ...memfault.CallOption) error {
			return client.Do(t.Context(), memfault.Request{Method: http.MethodPatch, Path: "/x", Body: 1}, nil, opts...)
		},
	} {
		for _, opts := range [][]memfault.CallOption{nil, {memfault.WithoutRetry()}} {
			before := requests.Load()
			require.ErrorIs(t, call(opts...), memfault.ErrNoAnswer, name)
			assert.Equal(t, int64(1), requests.Load()-before, "%s: the call must send one request", name)
		}
	}
}

// staleConn fails its second write without sending anything, as a connection that the server
// has closed.
type staleConn struct {
	net.Conn
	writes int
}

func (c *staleConn) Write(p []byte) (int, error) {
	if c.writes++; c.writes > 1 {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

func TestHTTP1_POSTOnClosedConnectionIsRepeated(t *testing.T) {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &staleConn{Conn: conn}, err
	}}
	served := new(atomic.Int64)
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, `{"data":{"id":%d}}`, len(body))
	}, memfault.WithHTTPClient(&http.Client{Transport: transport}))
	for range 3 {
		cohort, err := client.Cohorts.Create(t.Context(), sink, memfault.CohortCreate{Name: "x"}, memfault.WithoutRetry())
		require.NoError(t, err)
		assert.NotZero(t, cohort.ID, "the request must have its body")
	}
	assert.Equal(t, int64(3), served.Load())
}
