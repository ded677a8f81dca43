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
	response      *Response
	extraResponse *Response // for the method's own use
	headers       [][2]string
	progress      func(sent, total int64)
	withoutRetry  bool
	credential    *string // for the method's own use; see call.credential
	err           error
}

func newCallOptions(opts []CallOption) callOptions {
	if len(opts) == 0 {
		return callOptions{} // without options it stays on the stack, because no func gets it
	}
	var o callOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	if o.response != nil {
		*o.response = Response{} // remains if the call fails before anything is sent
	}
	return o
}

// Response describes the HTTP response of a call; see [WithResponse].
type Response struct {
	StatusCode int // of the last response; 0 if there was none
	Header     http.Header
	RequestID  string // the API's X-Request-Id
	// Attempts is the number of requests that the package sent. It does not count those
	// that net/http repeats by itself: a request of which nothing was written because a
	// kept connection was closed, a GET or HEAD whose kept connection broke before the
	// response, and on HTTP/2 a request that the server reset or left behind when it closed
	// the connection. The last kind includes a POST without a body; a POST with a body is
	// not repeated after it was written whole.
	Attempts int
}

// TaskID returns the ID of the task that a job accepted with 202 became, for
// [TasksService.Get]. It is empty if the Location header contains none.
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

// WithResponse fills response when the call ends, even if it fails. With a [Pager], it does
// so before each page is yielded. Concurrent calls, and concurrent loops over one Pager,
// need separate Responses. [CohortsService.MoveDevices], [UploadsService.SymbolsDir] and
// [CoredumpsService.DownloadIssue] ignore it, because they make many calls.
func WithResponse(response *Response) CallOption {
	return func(o *callOptions) { o.response = response }
}

// WithHeader sets a header of the request. The call fails with [ErrInvalidArgument] for
// headers that contain credentials, that net/http or this package sets, that change the
// connection or the encoding of the body, and for Idempotency-Key, which makes net/http repeat
// a POST. The header is not sent with requests to presigned and artifact URLs. Downloads also
// reject Range and If-Range.
func WithHeader(name, value string) CallOption {
	return func(o *callOptions) {
		switch http.CanonicalHeaderKey(name) {
		case "Authorization", "Proxy-Authorization", "Cookie", projectKeyHeader:
			o.err = fmt.Errorf("WithHeader: %s must be set by the Authenticator", name)
			return
		case "Host", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Proxy-Connection",
			"Keep-Alive", "Upgrade", "Te", "Trailer", "Expect", "Accept-Encoding", "Idempotency-Key", "X-Idempotency-Key":
			o.err = fmt.Errorf("WithHeader: %s cannot be set by the caller", name)
			return
		}
		if name == "" || strings.ContainsFunc(name, notInToken) || strings.ContainsFunc(value, isControl) {
			o.err = fmt.Errorf("WithHeader: invalid header name %q, or a control character in its value", name)
			return
		}
		o.headers = append(o.headers, [2]string{name, value})
	}
}

// notInToken reports whether a header name cannot contain r (RFC 9110, 5.6.2).
func notInToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// WithoutRetry makes the call send its request once, whatever the outcome. It does not
// change what net/http repeats by itself; see [Response.Attempts].
func WithoutRetry() CallOption { return func(o *callOptions) { o.withoutRetry = true } }

// WithProgress calls progress while a file is uploaded, with the bytes sent so far and the
// file's size. If the upload is retried, the count restarts at 0. A progress that blocks delays
// the upload, up to the time limit of the attempt; one that panics fails the upload. Methods that
// do not upload a file ignore the option, as does [UploadsService.SymbolsDir], which uploads many.
func WithProgress(progress func(sent, total int64)) CallOption {
	return func(o *callOptions) { o.progress = progress }
}

// report fills the Responses of a call.
func (o *callOptions) report(c *call) {
	if o.credential != nil {
		*o.credential = c.credential
	}
	for _, response := range []*Response{o.response, o.extraResponse} {
		if response == nil {
			continue
		}
		*response = Response{Attempts: c.attempts}
		if c.lastResponse != nil {
			response.StatusCode = c.lastResponse.StatusCode
			response.Header = c.lastResponse.Header
			response.RequestID = c.requestID(c.lastResponse)
		}
	}
}

// withExtraResponse returns opts with one more Response to fill, in addition to that of the
// caller.
func withExtraResponse(opts []CallOption, response *Response) []CallOption {
	return append(opts[:len(opts):len(opts)], func(o *callOptions) { o.extraResponse = response })
}
