package memfault

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// CallOption configures one call.
type CallOption func(*callOptions)

type callOptions struct {
	response     *Response
	also         *Response // one that a method needs itself
	headers      [][2]string
	progress     func(sent, total int64)
	withoutRetry bool
	err          error
}

func newCallOptions(opts []CallOption) callOptions {
	if len(opts) == 0 {
		return callOptions{} // one that no func is given stays on the stack
	}
	var o callOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	if o.response != nil {
		*o.response = Response{} // of a call that fails before anything is sent
	}
	return o
}

// Response tells what came back from a call besides its result.
type Response struct {
	StatusCode int // of the last answer; 0 when none came
	Header     http.Header
	RequestID  string // the API's X-Request-Id
	Attempts   int    // how often the request was sent
}

// TaskID returns the id of the task that a job accepted with 202 became, for
// Client.Tasks; empty when the Location header names none.
func (r *Response) TaskID() string {
	location, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		return ""
	}
	_, segment, _ := strings.Cut(location.EscapedPath(), "/api/v0/queue/")
	segment = strings.TrimSuffix(segment, "/")
	id, err := url.PathUnescape(segment)
	if err != nil || strings.Contains(segment, "/") {
		return ""
	}
	return id
}

// WithResponse fills response when the call ends, whether it failed or not; with
// a Pager, before each page is handed out. Calls that run at the same time, and
// loops over one Pager that do, need a Response each.
func WithResponse(response *Response) CallOption {
	return func(o *callOptions) { o.response = response }
}

// WithHeader sets a header of the request. Those that hold credentials or that
// net/http sets itself are refused.
func WithHeader(name, value string) CallOption {
	return func(o *callOptions) {
		switch http.CanonicalHeaderKey(name) {
		case "Authorization", "Proxy-Authorization", "Cookie", projectKeyHeader:
			o.err = fmt.Errorf("WithHeader: %s is for the Authenticator to set", name)
			return
		case "Host", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection":
			o.err = fmt.Errorf("WithHeader: %s is not for the caller to set", name)
			return
		}
		if name == "" || strings.ContainsFunc(name, notInToken) || strings.ContainsFunc(value, isControl) {
			o.err = fmt.Errorf("WithHeader: %q is no header name, or its value holds a control character", name)
			return
		}
		o.headers = append(o.headers, [2]string{name, value})
	}
}

// notInToken reports whether a header name cannot hold r (RFC 9110, 5.6.2).
func notInToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// WithoutRetry sends the request once, whatever comes back.
func WithoutRetry() CallOption { return func(o *callOptions) { o.withoutRetry = true } }

// WithProgress calls progress while a file goes out, with the bytes sent so far and
// the file's size. An attempt that is repeated begins again with 0. Calls of methods
// that send no file ignore it.
func WithProgress(progress func(sent, total int64)) CallOption {
	return func(o *callOptions) { o.progress = progress }
}

// report fills the Responses that were asked for.
func (o *callOptions) report(c *call) {
	for _, response := range []*Response{o.response, o.also} {
		if response == nil {
			continue
		}
		*response = Response{Attempts: c.attempts}
		if c.last != nil {
			response.StatusCode = c.last.StatusCode
			response.Header = c.last.Header
			response.RequestID = c.last.Header.Get(requestIDHeader)
		}
	}
}

// withResponseToo returns opts with one more Response to fill, whatever the caller
// asked for.
func withResponseToo(opts []CallOption, response *Response) []CallOption {
	return append(opts[:len(opts):len(opts)], func(o *callOptions) { o.also = response })
}
