package fakecloud

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/memfault-go/memfault/internal/operation"
)

// Hosts contains the base URL of each host.
type Hosts struct{ API, Chunks, Ingress, Files, Device, NRFCloud string }

// Server serves a [Cloud] on loopback. It must be closed.
type Server struct {
	URL   string // base URL of all hosts; empty if they differ
	Hosts Hosts
	stop  []func()
}

// Serve starts a server for all hosts at one address.
func (c *Cloud) Serve() *Server {
	server := &Server{}
	server.URL = server.start(c.Handler())
	server.Hosts = Hosts{server.URL, server.URL, server.URL, server.URL, server.URL, server.URL}
	return server
}

// ServeHosts starts a server for each host, at separate addresses. Each serves only the
// operations that the real host is known to serve.
func (c *Cloud) ServeHosts() *Server {
	server := &Server{}
	serve := func(role operation.Host) string { return server.start(c.Handler(role)) }
	server.Hosts = Hosts{
		API: serve(operation.API), Chunks: serve(operation.Chunks), Ingress: serve(operation.Ingress),
		Files: serve(operation.Files), Device: serve(operation.Device), NRFCloud: serve(operation.NRFCloud),
	}
	return server
}

// closingKey is the key of a channel in the context of a request that closes when the server
// does.
type closingKey struct{}

// start starts a server at a new address.
func (s *Server) start(handler http.Handler) (url string) {
	closing := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), closingKey{}, closing)))
	}))
	s.stop = append(s.stop, sync.OnceFunc(func() { close(closing) }), server.Close)
	return server.URL
}

// Close stops the servers. It ends the requests that a fault delays immediately, and waits until
// all others have a response.
func (s *Server) Close() {
	for _, stop := range s.stop {
		stop()
	}
}
