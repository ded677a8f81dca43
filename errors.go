package memfault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Kinds of errors, for use with errors.Is. Every error of the package is of one of these
// kinds, or ends with the context's own error.
var (
	// ErrInvalidArgument is returned, before anything is sent, if an argument, an option or
	// a local file cannot be used.
	ErrInvalidArgument = errors.New("memfault: invalid argument")
	// ErrNoAnswer is returned if no complete response was received: the time limit of an
	// attempt passed, the connection broke or could not be established, or the context
	// ended. The error also contains the cause.
	ErrNoAnswer     = errors.New("memfault: no complete response")
	ErrBadRequest   = errors.New("memfault: bad request")         // 400
	ErrUnauthorized = errors.New("memfault: unauthorized")        // 401
	ErrForbidden    = errors.New("memfault: forbidden")           // 403: no access, or a quota
	ErrNotFound     = errors.New("memfault: not found")           // 404
	ErrConflict     = errors.New("memfault: conflict")            // 409: it exists already, or is in use
	ErrTooLarge     = errors.New("memfault: too large")           // 413, and 400 for an uploaded file that is too big
	ErrRateLimited  = errors.New("memfault: rate limited")        // 429, and a 204 that says so
	ErrUnavailable  = errors.New("memfault: service unavailable") // 502, 503, 504, 529
	// ErrWrongCredential: the operation does not take the client's credential.
	// Nothing was sent.
	ErrWrongCredential = errors.New("memfault: wrong kind of credential")
	// ErrNotReady: Memfault is still processing what was asked for.
	ErrNotReady = errors.New("memfault: not ready")
)

// invalid returns an error of the kind ErrInvalidArgument.
func invalid(format string, args ...any) error {
	return &invalidArgument{fmt.Errorf("memfault: "+format, args...)}
}

type invalidArgument struct{ error }

func (e *invalidArgument) Is(target error) bool { return target == ErrInvalidArgument }
func (e *invalidArgument) Unwrap() error        { return e.error }

// maxErrorBody is how much of an answer's body an Error keeps.
const maxErrorBody = 64 << 10

// Error is an answer of the API that is not the one asked for: a status of 300
// or above, a success whose body cannot be read as what the operation returns, or
// a 204 that hides a rate limit.
type Error struct {
	Operation  string // the API's short name, such as devices.update
	Method     string // the HTTP method
	StatusCode int
	Code       int             // the API's own code, such as 1003; 0 when it gave none
	Type       string          // the API's own type, such as NotFoundError; may be empty
	Message    string          // what the API says, or why the body cannot be read
	Details    json.RawMessage // the API's message when it is an object: field by field what was refused
	RequestID  string          // the API's X-Request-Id, to be named to Memfault's support
	RetryAfter time.Duration   // what Retry-After asked for; 0 when it was absent
	Body       []byte          // the start of the body, at most 64 KiB, without the client's credential and the queries of URLs

	cause error
}

// Error returns one line that names the operation, the status and what the API
// said. It never holds a query string, a credential or a presigned URL.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "memfault: %s: %d", e.Operation, e.StatusCode)
	if text := statusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	if e.Type != "" {
		b.WriteString(": " + e.Type)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (code %d)", e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	} else if len(e.Details) > 0 {
		b.WriteString(": " + shorten(string(e.Details), 512))
	}
	if e.RequestID != "" {
		b.WriteString(" [request " + e.RequestID + "]")
	}
	return withoutQueries(b.String())
}

// Format writes the same line for every verb, so that a printed value shows no
// more than Error does.
func (e Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// LogValue returns the parts of the error as a group, for log/slog.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("operation", e.Operation),
		slog.Int("status", e.StatusCode),
		slog.Int("code", e.Code),
		slog.String("type", e.Type),
		slog.String("message", e.Message),
		slog.String("request_id", e.RequestID),
	)
}

// Unwrap returns why a successful answer was not taken for one.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether the error is of the kind that target names.
func (e *Error) Is(target error) bool {
	switch e.StatusCode {
	case http.StatusBadRequest:
		return target == ErrBadRequest || target == ErrTooLarge && strings.Contains(e.Message, "file is too big")
	case http.StatusUnauthorized:
		return target == ErrUnauthorized
	case http.StatusForbidden:
		return target == ErrForbidden
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusConflict:
		return target == ErrConflict
	case http.StatusRequestEntityTooLarge:
		return target == ErrTooLarge
	case http.StatusTooManyRequests:
		return target == ErrRateLimited
	}
	return target == ErrUnavailable && unavailable(e.StatusCode)
}

// statusOverloaded is Memfault's own: the service is overloaded.
const statusOverloaded = 529

func unavailable(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, statusOverloaded:
		return true
	default:
		return false
	}
}

func statusText(status int) string {
	if status == statusOverloaded {
		return "Overloaded"
	}
	return http.StatusText(status)
}

// newError reads an answer's error envelope. Every member of it may be absent,
// the message may be an object, and the body may be empty or no JSON at all.
func newError(c *call, resp *http.Response, body []byte) *Error {
	e := bareError(c, resp, body)
	e.RetryAfter, _ = retryAfter(resp)
	var envelope struct {
		Error struct {
			Code    json.RawMessage `json:"code"`
			Type    json.RawMessage `json:"type"`
			Message json.RawMessage `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(e.Body, &envelope) != nil {
		e.Message = plainText(e.Body)
		return e
	}
	// A member of another type than the usual one stays empty.
	_ = json.Unmarshal(envelope.Error.Code, &e.Code)
	_ = json.Unmarshal(envelope.Error.Type, &e.Type)
	if message := envelope.Error.Message; len(message) > 0 && json.Unmarshal(message, &e.Message) != nil {
		e.Details = message
	}
	return e
}

// unreadable is the error of a success whose body is not what the operation
// returns.
func unreadable(c *call, resp *http.Response, body []byte, why string, cause error) *Error {
	e := bareError(c, resp, body)
	e.Message = why
	if cause != nil {
		e.Message += ": " + cause.Error()
	}
	e.cause = cause
	if start := shorten(string(e.Body), 200); start != "" {
		e.Message += fmt.Sprintf("; it begins %q", start)
	}
	return e
}

func bareError(c *call, resp *http.Response, body []byte) *Error {
	body = body[:min(len(body), maxErrorBody)]
	return &Error{
		Operation:  c.op.Name,
		Method:     c.op.Method,
		StatusCode: resp.StatusCode,
		RequestID:  resp.Header.Get(requestIDHeader),
		Body:       []byte(withoutQueries(c.redact(string(body)))),
	}
}

// plainText returns a short body that is text for people, and nothing for HTML
// pages of proxies and for binary data.
func plainText(body []byte) string {
	s := strings.TrimSpace(string(body))
	if len(s) > 300 || strings.HasPrefix(s, "<") || strings.ContainsFunc(s, isControl) {
		return ""
	}
	return s
}
