package memfault

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
)

// writes describes how much of an attempt was written, as far as the transport reports it.
type writes struct{ known, header, whole, http2 atomic.Bool }

// unsent reports whether nothing of the last attempt was written.
func (c *call) unsent() bool {
	return c.writes != nil && c.writes.known.Load() && !c.writes.header.Load()
}

var errSentWhole = errors.New("the connection broke after the whole request was sent")

// traceWrites records what is written of an attempt. If a retry is not safe, it also prevents
// that net/http repeats the attempt by itself. On HTTP/2, net/http repeats a request of any
// method after some errors of its stream, if it can open the body again. On HTTP/1 it does so
// only if nothing was written, which its trace does not report: there, whole means written to
// a buffer.
func (c *call) traceWrites(req *http.Request) *http.Request {
	wrote := new(writes)
	c.writes = wrote
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { wrote.known.Store(true) },
		WroteHeaders: func() { wrote.header.Store(true) },
	}
	if open := req.GetBody; open != nil && !c.idempotent() {
		trace.WroteHeaderField = func(name string, _ []string) {
			if strings.HasPrefix(name, ":") { // a pseudo-header
				wrote.http2.Store(true)
			}
		}
		trace.WroteRequest = func(info httptrace.WroteRequestInfo) { wrote.whole.Store(info.Err == nil) }
		req.GetBody = func() (io.ReadCloser, error) {
			if wrote.http2.Load() && wrote.whole.Load() {
				return nil, errSentWhole
			}
			return open()
		}
	}
	return req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
}
