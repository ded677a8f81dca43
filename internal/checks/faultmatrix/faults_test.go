package faultmatrix

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// fault is something that goes wrong. Exactly one of the functions produces it. A function
// that can be called again asks [cell.take] whether the fault occurs this time.
type fault struct {
	name string
	rule rule

	https  bool
	large  bool // the response is so large that the test of a call takes seconds
	fresh  bool // each attempt opens a connection
	expect bool // a transport of the user adds Expect: 100-continue
	own    bool // the requests are sent with the package's own transport
	http2  bool // the server offers HTTP/2
	proxy  bool // the requests are sent through a proxy

	// idle is called before an attempt for which a connection is idle.
	idle func(c *cell)
	// dial replaces the network.
	dial func(ctx context.Context) error
	// connect serves a new connection.
	connect func(c *cell, conn *conn)
	// handle responds to a request.
	handle func(w http.ResponseWriter, r *http.Request)
}

var faults = []*fault{
	// Connections.
	{
		name: "connection refused", rule: unreachable(0), fresh: true,
		dial: func(context.Context) error { return dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED)) },
	},
	{
		name: "no response to the connection attempt", rule: unreachable(dialTimeout), fresh: true,
		dial: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout) // as the net.Dialer of the package has
			defer cancel()
			<-ctx.Done()
			return dialError(os.ErrDeadlineExceeded)
		},
	},
	{
		name: "DNS failure", rule: unreachable(0), fresh: true,
		dial: func(context.Context) error {
			return dialError(&net.DNSError{Err: "server misbehaving", Name: home, IsTemporary: true})
		},
	},
	{name: "TLS handshake failure", rule: unreachable(0), fresh: true, https: true, connect: failHandshake},
	{name: "connection reset in the TLS handshake", rule: unreachable(0), fresh: true, https: true, connect: resetFirst},
	{name: "TLS handshake without a response", rule: unreachable(tlsTimeout), fresh: true, https: true, connect: stallHandshake},
	{name: "wrong certificate", rule: permanent(0), fresh: true, https: true, connect: wrongCertificate},
	{name: "connection reset before the request is read", rule: lost(0, 0), fresh: true, connect: resetFirst},
	{name: "connection reset after the request", rule: lostAfterRequest, handle: resetAfter},
	{name: "connection reset within the response header", rule: lost(0, 1), handle: resetInHeader},
	{name: "connection reset within the response body", rule: bodyLost(0), handle: resetInBody},
	{name: "idle connection closed by the server", rule: harmless(0), idle: closeIdle},
	{name: "idle connection closed while the request is in flight", rule: stale, idle: func(c *cell) {
		c.network.eachServerSide((*conn).resetOnWrite)
	}},
	{name: "HTTP/1 connection that is dead without a close", rule: forgotten(headerTimeout), own: true, idle: forgetConnections},
	{name: "HTTP/2 connection that is dead without a close", rule: noTimeoutOf(forgotten(pingTimeout)), own: true, https: true, http2: true, idle: forgetConnections},
	{name: "proxy that refuses with 407", rule: permanent(0), own: true, proxy: true, https: true, fresh: true, handle: respond(407, "")},
	{name: "proxy that refuses with 503", rule: unreachable(0), own: true, proxy: true, https: true, fresh: true, handle: respond(503, "")},
	{name: "HTTP/2 REFUSED_STREAM", rule: refusedStream, fresh: true, https: true, connect: onHTTP2(func(s *http2Server, id uint32) {
		_ = s.framer.WriteRSTStream(id, http2.ErrCodeRefusedStream)
	})},
	{name: "HTTP/2 GOAWAY that excludes the request", rule: excluded, fresh: true, https: true, connect: onHTTP2(func(s *http2Server, _ uint32) {
		time.Sleep(goAwayDelay)
		_ = s.framer.WriteGoAway(0, http2.ErrCodeNo, nil)
		_ = s.conn.Close()
	})},
	{name: "HTTP/2 GOAWAY that includes the request", rule: lost(0, 1), fresh: true, https: true, connect: onHTTP2(func(s *http2Server, id uint32) {
		_ = s.framer.WriteGoAway(id, http2.ErrCodeNo, nil)
		_ = s.conn.Close()
	})},
	{name: "HTTP/2 stream reset with INTERNAL_ERROR", rule: lost(0, 1), fresh: true, https: true, connect: onHTTP2(func(s *http2Server, id uint32) {
		_ = s.framer.WriteRSTStream(id, http2.ErrCodeInternal)
	})},

	// Slow servers.
	{name: "no response header for 2 minutes", rule: lost(headerTimeout, 1), handle: func(_ http.ResponseWriter, r *http.Request) { wait(r, 2*time.Minute) }},
	{name: "response body in 10 parts, 30 s apart", rule: slowBody, handle: dripBody},
	{name: "response body that stops", rule: bodyLost(stallTimeout), handle: stopBody},
	{name: "100 Continue that never comes", rule: noContinue, expect: true, handle: withoutContinue},

	// Statuses.
	{name: "400", rule: status(400), handle: respond(400, "")},
	{name: "401", rule: status(401), handle: respond(401, "")},
	{name: "403", rule: status(403), handle: respond(403, "")},
	{name: "404", rule: status(404), handle: respond(404, "")},
	{name: "408", rule: status(408), handle: respond(408, "")},
	{name: "409", rule: status(409), handle: respond(409, "")},
	{name: "413", rule: status(413), handle: respond(413, "")},
	{name: "425", rule: status(425), handle: respond(425, "")},
	{name: "429", rule: status(429), handle: respond(429, "")},
	{name: "429, Retry-After: 7", rule: statusAfter(429, 7*time.Second), handle: respond(429, "7")},
	{name: "429, Retry-After: a date in 7 s", rule: statusAfter(429, 7*time.Second), handle: respondDate(7 * time.Second)},
	{name: "429, Retry-After: a date that has passed", rule: status(429), handle: respondDate(-time.Hour)},
	{name: "429, Retry-After: a date in 100 years", rule: statusAfter(429, tooLong), handle: respondDate(100 * 365 * 24 * time.Hour)},
	{name: "429, Retry-After: -5", rule: status(429), handle: respond(429, "-5")},
	{name: "429, Retry-After: 31", rule: statusAfter(429, 31*time.Second), handle: respond(429, "31")},
	{name: "429, Retry-After: 99999999999999999999", rule: statusAfter(429, tooLong), handle: respond(429, "99999999999999999999")},
	{name: "500", rule: status(500), handle: respond(500, "")},
	{name: "502 with an HTML page", rule: status(502), handle: respondHTML(502)},
	{name: "503", rule: status(503), handle: respond(503, "")},
	{name: "503, Retry-After: 7", rule: statusAfter(503, 7*time.Second), handle: respond(503, "7")},
	{name: "504", rule: status(504), handle: respond(504, "")},
	{name: "529", rule: status(529), handle: respond(529, "")},

	// Successful statuses with an unusable body.
	{name: "200 with an HTML page", rule: htmlPage, handle: respondHTML(200)},
	{name: "200 with truncated JSON", rule: unusable, handle: respondBody(`{"data":{"device_ser`)},
	{name: "200 with JSON of the wrong type", rule: unusable, handle: respondBody(`{"data":"text","paging":{}}`)},
	{name: "200 with null", rule: unusable, handle: respondBody(`null`)},
	{name: "200 with null as data", rule: unusable, handle: respondBody(`{"data":null}`)},
	{name: "200 without a body", rule: emptyBody, handle: respondBody(``)},
	{name: "200 with 65 MiB", rule: unusable, large: true, handle: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(65<<20))
		writeLarge(w)
	}},
	{name: "200 with 65 MiB in chunks", rule: unusable, large: true, handle: func(w http.ResponseWriter, _ *http.Request) { writeLarge(w) }},
	{name: "200 with a gzip bomb", rule: unusable, large: true, handle: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb())
	}},

	// Redirects.
	{name: "redirect loop", rule: redirectLoop, handle: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.String(), http.StatusFound)
	}},
	{name: "redirect to another host", rule: redirected, handle: redirectTo("http://" + elsewhere)},
	{name: "redirect to another port", rule: redirected, handle: redirectTo("http://" + home + ":8080")},
	{name: "redirect to a subdomain", rule: redirected, handle: redirectTo("http://sub." + home)},
	{name: "redirect from https to http", rule: redirectedToHTTP, https: true, handle: redirectTo("http://" + home)},
}

// Time limits of the package's transport.
const (
	dialTimeout     = 30 * time.Second
	tlsTimeout      = 10 * time.Second
	continueTimeout = time.Second
	pingTimeout     = 30 * time.Second // 15 s without a frame, and 15 s without a response to the ping
)

// goAwayDelay is how long a server has a request before it closes the connection with GOAWAY.
const goAwayDelay = 7 * time.Second

// Hosts of the network.
const (
	home      = "cloud.test"
	elsewhere = "other.test"
	proxyHost = "proxy.test:3128"
)

func resetFirst(c *cell, conn *conn) {
	c.take()
	_, _ = conn.Read(make([]byte, 1)) // the request has left the client
	conn.reset()
}

func failHandshake(c *cell, conn *conn) {
	c.take()
	defer conn.Close()
	config := certificates().home.Clone()
	config.MaxVersion = tls.VersionTLS11
	config.MinVersion = tls.VersionTLS10
	_ = tls.Server(conn, config).Handshake()
}

func stallHandshake(c *cell, conn *conn) {
	c.take()
	defer conn.Close()
	_, _ = io.Copy(io.Discard, conn)
}

func wrongCertificate(c *cell, conn *conn) {
	c.take()
	defer conn.Close()
	_ = tls.Server(conn, certificates().wrong).Handshake()
}

// onHTTP2 serves the connection in HTTP/2.
func onHTTP2(fail func(s *http2Server, stream uint32)) func(*cell, *conn) {
	return func(c *cell, conn *conn) {
		config := certificates().home.Clone()
		config.NextProtos = []string{"h2"}
		s := &http2Server{conn: tls.Server(conn, config), handler: http.HandlerFunc(c.serveHealthy)}
		s.fault = func(s *http2Server, id uint32) bool {
			if !c.take() {
				return false
			}
			c.see()
			fail(s, id)
			return true
		}
		s.serve()
	}
}

func closeIdle(c *cell) {
	c.network.eachServerSide(func(conn *conn) { _ = conn.Close() })
	synctest.Wait() // until the client has noticed
}

// forgetConnections makes all connections silent, as a NAT does that has forgotten them.
func forgetConnections(c *cell) { c.network.eachServerSide((*conn).forget) }

// hijack takes over the connection of a request, after its body was read.
func hijack(w http.ResponseWriter, r *http.Request) *conn {
	_, _ = io.Copy(io.Discard, r.Body)
	taken, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	return taken.(*conn)
}

func resetAfter(w http.ResponseWriter, r *http.Request) { hijack(w, r).reset() }

func resetInHeader(w http.ResponseWriter, r *http.Request) {
	c := hijack(w, r)
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: appli")
	c.reset()
}

// half writes the header and half of the body of a healthy response. A response without a
// body gets one.
func half(w http.ResponseWriter, r *http.Request) *conn {
	body := healthyBody(r)
	c := hijack(w, r)
	_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)/2])
	return c
}

func healthyBody(r *http.Request) []byte {
	recorded := httptest.NewRecorder()
	serveHealthy(recorded, r)
	if recorded.Body.Len() == 0 {
		return []byte(`{"data":{}}`)
	}
	return recorded.Body.Bytes()
}

func resetInBody(w http.ResponseWriter, r *http.Request) { half(w, r).reset() }

func stopBody(w http.ResponseWriter, r *http.Request) {
	c := half(w, r)
	defer c.Close()
	_, _ = io.Copy(io.Discard, c) // until the client closes the connection
}

// wait returns early if the client is gone.
func wait(r *http.Request, duration time.Duration) {
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-time.After(duration):
	case <-r.Context().Done():
	}
}

const (
	dripParts    = 10
	dripInterval = 30 * time.Second
)

func dripBody(w http.ResponseWriter, r *http.Request) {
	body := healthyBody(r)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	for i := range dripParts {
		if i > 0 {
			wait(r, dripInterval)
		}
		if _, err := w.Write(body[i*len(body)/dripParts : (i+1)*len(body)/dripParts]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// withoutContinue serves a request without the 100 Continue that a server of net/http sends
// when a handler reads the body.
func withoutContinue(w http.ResponseWriter, r *http.Request) {
	size, target := r.ContentLength, *r
	taken, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer taken.Close()
	body := make([]byte, max(size, 0))
	if _, err := io.ReadFull(buffered, body); err != nil {
		return
	}
	target.Body = io.NopCloser(bytes.NewReader(body))
	recorded := httptest.NewRecorder()
	serveHealthy(recorded, &target)
	response := recorded.Result()
	response.ContentLength, response.Close = int64(recorded.Body.Len()), true
	_ = response.Write(taken)
}

func respond(code int, retryAfter string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"fault","code":%d}}`, code)
	}
}

func respondDate(after time.Duration) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().UTC()
		w.Header().Set("Date", now.Format(http.TimeFormat))
		respond(http.StatusTooManyRequests, now.Add(after).Format(http.TimeFormat))(w, r)
	}
}

func respondHTML(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>sign in</body></html>")
	}
}

func respondBody(body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

// writeLarge writes JSON of 65 MiB.
func writeLarge(w io.Writer) {
	part := bytes.Repeat([]byte(" "), 1<<20)
	for range 65 {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// bomb is 256 MiB of spaces, compressed.
var bomb = sync.OnceValue(func() []byte {
	var member bytes.Buffer
	compressor := gzip.NewWriter(&member)
	_, err := compressor.Write(bytes.Repeat([]byte(" "), 1<<20))
	if err = errors.Join(err, compressor.Close()); err != nil {
		panic(err)
	}
	return bytes.Repeat(member.Bytes(), 256)
})

func redirectTo(base string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", base+r.URL.RequestURI())
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}
