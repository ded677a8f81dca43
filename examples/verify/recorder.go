package main

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// maxRecorded is the number of bytes of a response body that a recorder keeps.
const maxRecorded = 1 << 20

// exchange is a response as it arrived.
type exchange struct {
	status int
	header http.Header
	body   []byte
	whole  bool // whether body is complete
}

// recorder is a transport that keeps the last response. While writes is false, it sends no
// request other than GET and HEAD, whatever the client does.
type recorder struct {
	next   http.RoundTripper
	mu     sync.Mutex
	writes bool
	last   *exchange
	sent   int
}

var errReadOnly = errors.New("verify sends only GET and HEAD without -write")

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	refused := !r.writes && req.Method != http.MethodGet && req.Method != http.MethodHead
	r.last = nil
	if !refused {
		r.sent++
	}
	r.mu.Unlock()
	if refused {
		return nil, errReadOnly
	}
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	kept := &exchange{status: resp.StatusCode, header: resp.Header}
	resp.Body = &recordedBody{ReadCloser: resp.Body, kept: kept}
	r.mu.Lock()
	r.last = kept
	r.mu.Unlock()
	return resp, nil
}

// take returns the last response, and forgets it. It returns nil if there was none.
func (r *recorder) take() *exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.last
	r.last = nil
	return kept
}

func (r *recorder) allowWrites() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = true
}

// recordedBody keeps the start of a body while the client reads it.
type recordedBody struct {
	io.ReadCloser
	kept *exchange
	size int
}

// Read implements io.Reader.
func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.size += n
	b.kept.body = append(b.kept.body, p[:min(n, maxRecorded-len(b.kept.body))]...)
	b.kept.whole = errors.Is(err, io.EOF) && b.size <= maxRecorded
	return n, err
}
