package memfault

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// writes is how much of an attempt was written, as far as the transport says.
type writes struct{ known, header, whole atomic.Bool }

// unsent reports whether nothing of the last attempt was written.
func (c *call) unsent() bool {
	return c.writes != nil && c.writes.known.Load() && !c.writes.header.Load()
}

var errSentWhole = errors.New("the connection broke after the whole request was sent")

// traceWrites notes what is written of an attempt. If repeating the request is not safe, it
// keeps net/http from doing so: on HTTP/2 that sends a request of any method again after
// some errors of the stream if it can open the body again. A request that was not written
// whole may be repeated.
func (c *call) traceWrites(req *http.Request) *http.Request {
	wrote := new(writes)
	c.writes = wrote
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn:      func(string) { wrote.known.Store(true) },
		WroteHeaders: func() { wrote.header.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) { wrote.whole.Store(info.Err == nil) },
	}))
	if open := req.GetBody; open != nil && !c.idempotent() {
		req.GetBody = func() (io.ReadCloser, error) {
			if wrote.whole.Load() {
				return nil, errSentWhole
			}
			return open()
		}
	}
	return req
}
