package faultmatrix

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/memfault-go/memfault"
)

// cell is one call under one fault.
type cell struct {
	kind      *kind
	fault     *fault
	once      bool
	network   network
	transport *http.Transport
	closeIdle func()

	mu       sync.Mutex
	requests int  // of the operation of the step at fault
	target   bool // the current request is the step at fault
	attempts int
	seen     int
	occurred bool
	bodies   int // response bodies that are open
	conns    map[net.Conn]bool
	problems []string // what must never happen, but did
}

// outcome is the result of a cell.
type outcome struct {
	attempts, seen int
	took           time.Duration
	err            error
	problems       []string
}

// run makes the call. It must be called in a bubble.
func (c *cell) run() outcome {
	running := goleak.IgnoreCurrent()
	c.conns = map[net.Conn]bool{}
	c.transport = &http.Transport{
		DialContext:         c.dial,
		TLSClientConfig:     &tls.Config{RootCAs: certificates().pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: tlsTimeout, ExpectContinueTimeout: continueTimeout, IdleConnTimeout: 90 * time.Second,
	}
	var servers []*http.Server
	for _, address := range []string{home + ":443", home + ":80", home + ":8080", "sub." + home + ":80", elsewhere + ":80"} {
		server := &http.Server{Handler: c, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Hour}
		servers = append(servers, server)
		var l net.Listener = &faultListener{c.network.listen(address), c}
		if address == home+":443" {
			server.TLSConfig = certificates().home.Clone()
			if c.fault.http2 {
				server.TLSConfig.NextProtos = []string{"h2"}
			}
			l = tls.NewListener(l, server.TLSConfig)
		}
		go func() { _ = server.Serve(l) }()
	}
	if c.fault.proxy {
		server := &http.Server{Handler: http.HandlerFunc(c.serveProxy), ReadHeaderTimeout: time.Hour}
		servers = append(servers, server)
		c.transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxyHost, User: url.UserPassword("jane", "s3cret")})
		l := c.network.listen(proxyHost)
		go func() { _ = server.Serve(l) }()
	}
	base, options := "http://"+home, []memfault.Option{memfault.WithInsecureHTTP()}
	if c.fault.https {
		base, options = "https://"+home, nil
	}
	options = append(options, memfault.WithBaseURL(base))
	if c.fault.own {
		kept := http.DefaultTransport
		defer func() { http.DefaultTransport = kept }()
		http.DefaultTransport = c.transport // the package clones it
		options = append(options, memfault.WithRateLimiter(beforeAttempt(c.prepare)))
	} else {
		options = append(options, memfault.WithHTTPClient(&http.Client{Transport: c}))
	}
	client, err := memfault.NewClient(c.kind.auth, options...)
	if err != nil {
		panic(err)
	}
	c.closeIdle = c.transport.CloseIdleConnections
	if c.fault.own {
		c.closeIdle = client.CloseIdleConnections
	}
	if c.fault.idle != nil {
		c.warmUp(client)
	}

	start := time.Now()
	err = c.kind.call(context.Background(), client)
	took := time.Since(start)

	synctest.Wait()
	c.mu.Lock()
	if c.bodies != 0 {
		c.problem("%d response bodies were not closed", c.bodies)
	}
	for conn, idle := range c.conns {
		if !idle && !closedConn(conn) {
			c.problem("a connection was neither put back nor closed")
		}
	}
	c.mu.Unlock()
	c.closeIdle()
	synctest.Wait()
	if open := c.network.open(); open != 0 {
		c.problem("%d connections are still in use", open)
	}
	for _, server := range servers {
		_ = server.Close()
	}
	c.network.eachServerSide(func(conn *conn) { _ = conn.Close() })
	synctest.Wait()
	if err := goleak.Find(running, goleak.IgnoreAnyFunction("github.com/memfault-go/memfault/internal/checks/faultmatrix.(*http2Server).serve")); err != nil {
		c.problem("%v", err)
	}
	time.Sleep(goAwayDelay) // until http2Server.serve has ended, too
	return outcome{c.attempts, c.seen, took, err, c.problems}
}

// problem records what must never happen.
func (c *cell) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// closedConn reports whether the client has closed a connection.
func closedConn(given net.Conn) bool {
	if secure, ok := given.(*tls.Conn); ok {
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			return true // CloseIdleConnections shows whether it is in use
		}
		given = secure.NetConn()
	}
	return given.(*conn).isClosed()
}

// warmUp leaves an idle connection.
func (c *cell) warmUp(client *memfault.Client) {
	if err := client.Do(context.Background(), memfault.Request{Path: "/warm"}, nil); !errors.Is(err, memfault.ErrNotFound) {
		panic(err)
	}
	synctest.Wait()
}

// see counts a request that a server has received.
func (c *cell) see() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.target {
		c.seen++
	}
}

// RoundTrip sends an attempt of the client.
func (c *cell) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Response == nil { // not the next hop of a redirect
		c.prepare(req.Context())
	}
	if req.Header.Get("Expect") != "" {
		c.problem("the package set Expect")
	}
	var got net.Conn
	req = req.Clone(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { got = info.Conn; c.setIdle(got, false) },
		PutIdleConn: func(err error) {
			if err == nil {
				c.setIdle(got, true)
			}
		},
	}))
	if c.target && c.fault.expect && req.Body != nil {
		req.Header.Set("Expect", "100-continue")
	}
	resp, err := c.transport.RoundTrip(req)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies++
		resp.Body = &body{ReadCloser: resp.Body, cell: c}
	}
	return resp, err
}

// beforeAttempt is a rate limiter, which the package calls before each attempt.
type beforeAttempt func(ctx context.Context)

func (f beforeAttempt) Wait(ctx context.Context) error { f(ctx); return nil }

// prepare does what precedes an attempt.
func (c *cell) prepare(ctx context.Context) {
	c.enter(ctx)
	if !c.target {
		return
	}
	if c.fault.fresh {
		c.closeIdle()
	}
	if c.fault.idle != nil && c.take() {
		c.fault.idle(c)
	}
}

// enter records to which step an attempt belongs.
func (c *cell) enter(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = memfault.OperationName(ctx) == c.kind.operation
	if c.target {
		c.requests++
		c.target = c.requests > c.kind.skip
	}
	if c.target {
		c.attempts++
	}
}

func (c *cell) setIdle(conn net.Conn, idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[conn] = idle
}

// body is a response body that must be closed.
type body struct {
	io.ReadCloser
	cell *cell
	once sync.Once
}

func (b *body) Close() error {
	b.once.Do(func() {
		b.cell.mu.Lock()
		defer b.cell.mu.Unlock()
		b.cell.bodies--
	})
	return b.ReadCloser.Close()
}

func (c *cell) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.fault.dial != nil && c.take() {
		return nil, c.fault.dial(ctx)
	}
	return c.network.dial(ctx, network, address)
}

// faultListener gives connections to the fault.
type faultListener struct {
	*listener
	cell *cell
}

func (l *faultListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.listener.Accept()
		if err != nil || l.cell.fault.connect == nil || !l.cell.pending() {
			return accepted, err
		}
		go l.cell.fault.connect(l.cell, accepted.(*conn))
	}
}

// pending reports whether the fault can still occur in the current step.
func (c *cell) pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.target && (!c.once || !c.occurred)
}

// take reports whether the fault occurs, and counts it.
func (c *cell) take() bool {
	occurs := c.pending()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.occurred = c.occurred || occurs
	return occurs
}

// ServeHTTP serves all hosts.
func (c *cell) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host != home && (r.Header.Get("Authorization") != "" || r.Header.Get("Memfault-Project-Key") != "") {
		c.problem("a credential was sent to %s", r.Host)
	}
	if c.fault.handle == nil || c.fault.proxy || r.Host != home || !c.take() {
		c.serveHealthy(w, r)
		return
	}
	c.see()
	c.fault.handle(w, r)
}

// serveProxy serves the requests to the proxy.
func (c *cell) serveProxy(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		c.problem("the proxy received a %s", r.Method)
	}
	if c.take() {
		c.fault.handle(w, r)
		return
	}
	target, err := c.network.dial(r.Context(), "", r.Host)
	if err != nil {
		panic(err)
	}
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	for _, ends := range [][2]net.Conn{{client, target}, {target, client}} {
		go func() {
			_, _ = io.Copy(ends[0], ends[1])
			_ = ends[0].Close()
			_ = ends[1].Close()
		}()
	}
}

func (c *cell) serveHealthy(w http.ResponseWriter, r *http.Request) {
	c.see()
	serveHealthy(w, r)
}

// certificates returns the certificates of the servers, which all cells share.
var certificates = sync.OnceValue(func() (c struct {
	pool        *x509.CertPool
	home, wrong *tls.Config
},
) {
	c.pool = x509.NewCertPool()
	config := func(names ...string) *tls.Config {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), DNSNames: names, IsCA: true, BasicConstraintsValid: true,
			NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), // bubbles begin in 2000
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		encoded, err2 := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		parsed, err3 := x509.ParseCertificate(encoded)
		if err := errors.Join(err, err2, err3); err != nil {
			panic(err)
		}
		c.pool.AddCert(parsed)
		return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{encoded}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	}
	c.home, c.wrong = config(home, "*."+home, elsewhere), config("wrong.test")
	return c
})
