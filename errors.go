package memfault

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/redact"
)

// Kinds of errors, for use with [errors.Is]. Every error of a call is of one of these
// kinds; see [Error] for how statuses map to them.
var (
	// ErrInvalidArgument is returned, before anything is sent, if an argument or an option
	// cannot be used. It is also returned if a local file cannot be read, or changes while
	// it is uploaded, and if the function of [OrganizationTokenFunc] or [ProjectKeyFunc]
	// returns a text that cannot be sent.
	ErrInvalidArgument = errors.New("memfault: invalid argument")
	// ErrNoAnswer is returned if no complete response was received: the time limit of an
	// attempt passed, the connection broke or was not established, an [Authenticator] or a
	// [RateLimiter] failed, or the context ended first. The error also contains the cause; if
	// that is a time limit, it is a net.Error whose Timeout method returns true. An HTML page
	// instead of a successful response, such as that of a captive portal, is not a response of
	// Memfault and is of this kind too.
	ErrNoAnswer = errors.New("memfault: no complete response")
	// ErrUnexpectedResponse is returned if a response is of no other kind: a successful one
	// whose body is not what the operation returns, or a status without a kind of its own,
	// such as 500.
	ErrUnexpectedResponse = errors.New("memfault: unexpected response")

	ErrBadRequest   = errors.New("memfault: bad request")         // 400
	ErrUnauthorized = errors.New("memfault: unauthorized")        // 401
	ErrForbidden    = errors.New("memfault: forbidden")           // 403: no access, or a quota
	ErrNotFound     = errors.New("memfault: not found")           // 404, no deployment of a selection, or no update to verify
	ErrConflict     = errors.New("memfault: conflict")            // 409: already exists, or in use; or another deployment or offer than expected
	ErrTooLarge     = errors.New("memfault: too large")           // 413, 400 for an uploaded file that is too big, or a chunk above MaxPendingBytes
	ErrRateLimited  = errors.New("memfault: rate limited")        // 429, or a 204 with the reason rate-limited
	ErrUnavailable  = errors.New("memfault: service unavailable") // 502, 503, 504, 529

	// ErrWrongCredential is returned, before anything is sent, if the operation does not
	// accept the client's kind of credential.
	ErrWrongCredential = errors.New("memfault: wrong kind of credential")
	// ErrNoBuildID is returned if an ELF file has neither a GNU build ID nor a Memfault build
	// ID, or if the Memfault build ID was not written. Such an error is also of the kind
	// [ErrInvalidArgument]; see [BuildID].
	ErrNoBuildID = errors.New("memfault: no build ID")
	// ErrNotReady is returned if Memfault is still processing the requested file.
	ErrNotReady = errors.New("memfault: not ready")

	// ErrTemporary is a kind beside the others, of each error after which the same call may
	// succeed later: [ErrNoAnswer], unless the context of the call ended; [ErrRateLimited],
	// [ErrUnavailable] and [ErrNotReady]; and a 500. The client has already retried what is
	// safe to retry, so a program should wait longer before it calls again; [Error.RetryAfter]
	// can contain the least wait. A call that may have been carried out can be a duplicate.
	ErrTemporary = errors.New("memfault: temporary failure")
)

// isTemporary reports whether an error of one of the kinds is temporary.
func isTemporary(kind error) bool {
	return kind == ErrNoAnswer || kind == ErrRateLimited || kind == ErrUnavailable || kind == ErrNotReady //nolint:errorlint // the variables themselves
}

// earlierError is an error that happened before the one that ended a call. It is of the same
// kinds, but not of the kind ErrTemporary: what ended the call decides that.
type earlierError struct{ cause error }

func (e *earlierError) Error() string { return e.cause.Error() }

// Format writes the same line for every verb.
func (e *earlierError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

func (e *earlierError) Is(target error) bool {
	return target != ErrTemporary && errors.Is(e.cause, target)
}

func (e *earlierError) As(target any) bool { return errors.As(e.cause, target) }

// kindError is an error of the package itself, of one of the kinds.
type kindError struct {
	error
	kind error
}

// newKindError adds the package's prefix to the text, once.
func newKindError(kind error, format string, args ...any) error {
	return &kindError{fmt.Errorf("memfault: "+format, args...), kind}
}

func (e *kindError) Error() string { return strings.ReplaceAll(e.error.Error(), ": memfault: ", ": ") }
func (e *kindError) Unwrap() error { return e.error }

func (e *kindError) Is(target error) bool {
	if target == ErrTemporary {
		return isTemporary(e.kind) && !isContextError(e.error)
	}
	return target == e.kind
}

// invalid returns an error of the kind ErrInvalidArgument.
func invalid(format string, args ...any) error {
	return newKindError(ErrInvalidArgument, format, args...)
}

const (
	maxErrorBody  = 64 << 10 // bytes of a response body that an Error keeps
	maxErrorRead  = 1 << 20  // bytes of a failed response that are read and parsed
	maxErrorField = 800      // bytes of a field in the text of an Error
)

// Error describes a response of the API that is not the requested result: a status of 300 or
// above, a success whose body is not what the operation returns, or a 204 that hides a rate
// limit. Use [errors.As] to get it. [errors.Is] reports its kind: [ErrBadRequest] and the other
// Err variables list their statuses.
//
// Other types carry more about some failures: [*ChecksumError], [*ChunkExportError],
// [*DeploymentMismatchError], [*DeploymentSelectionError], [*OfferError], [*TaskError] and
// [*VersionWaitError]. Texts of errors and logs are one line each and contain no credentials,
// query strings or presigned URLs.
type Error struct {
	Operation  string // the API's short name, such as devices.update
	Method     string // the HTTP method
	StatusCode int
	Code       int             // the API's own code, such as 1003; 0 if there is none
	Type       string          // the API's own type, such as NotFoundError; can be empty
	Message    string          // the API's message, or why the body is unusable
	Details    json.RawMessage // the API's message if it is an object; see ItemErrors
	RequestID  string          // the API's X-Request-Id, for Memfault's support
	RetryAfter time.Duration   // the wait in Retry-After; 0 if there is none
	// Body is the start of the response body, at most 64 KiB, without the client's
	// credential and without the queries of URLs. After a request for a new key it can
	// contain that key.
	Body []byte

	kind   error // overrides the kind that the status stands for
	cause  error
	hint   string // what may be the reason, for the text
	noSlug bool   // whether the path of the request contained no slug that can be wrong
}

// Error returns one line of about 1 KiB at most: the operation, the status and the API's
// message, with control characters replaced. It never contains a query string, a
// credential or a presigned URL. The fields of the Error contain the complete values.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "memfault: %s: %d", e.Operation, e.StatusCode)
	if text := statusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	if e.Type != "" {
		b.WriteString(": " + oneLine(e.Type, 80))
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (code %d)", e.Code)
	}
	if text := e.message(); text != "" {
		b.WriteString(": " + text)
	}
	if e.StatusCode == http.StatusInternalServerError && !e.noSlug {
		// UNCERTAIN(unknown-slug-500): seen by one author only.
		b.WriteString(" (Memfault may also respond with 500 if the organization or project slug does not exist)")
	}
	if e.hint != "" {
		b.WriteString(" (" + e.hint + ")")
	}
	if e.RequestID != "" {
		b.WriteString(" [request " + oneLine(e.RequestID, 80) + "]")
	}
	return redact.URLs(b.String())
}

// message returns the API's message as a part of a line.
func (e *Error) message() string {
	if e.Message == "" {
		return oneLine(string(e.Details), maxErrorField)
	}
	return oneLine(e.Message, maxErrorField)
}

// Format writes the result of Error for every verb, so that a printed value shows no more.
func (e Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// LogValue returns the parts of the error's text as a group, for [log/slog].
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("operation", e.Operation),
		slog.Int("status", e.StatusCode),
		slog.Int("code", e.Code),
		slog.String("type", oneLine(e.Type, 80)),
		slog.String("message", redact.URLs(e.message())),
		slog.String("request_id", oneLine(e.RequestID, 80)),
	)
}

// Unwrap returns why a successful response is unusable, or why no other credential could be
// tried after the first was rejected; otherwise nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether the error is of the kind target.
func (e *Error) Is(target error) bool {
	if target == ErrTemporary {
		return e.temporary()
	}
	if e.kind != nil {
		return target == e.kind
	}
	switch e.StatusCode {
	case http.StatusBadRequest:
		tooLarge := strings.Contains(e.Message, "file is too big") || e.Type == "EntityTooLarge"
		return target == ErrBadRequest || target == ErrTooLarge && tooLarge
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
	if unavailable(e.StatusCode) {
		return target == ErrUnavailable
	}
	return target == ErrUnexpectedResponse
}

func (e *Error) temporary() bool {
	if e.kind != nil {
		return isTemporary(e.kind)
	}
	return e.StatusCode == http.StatusTooManyRequests || e.StatusCode == http.StatusInternalServerError || unavailable(e.StatusCode)
}

// statusOverloaded is Memfault's own status: the service is overloaded.
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

// ItemError describes why the API rejected one item of a list in the request.
type ItemError struct {
	Index    int    // of the item; -1 if the API named none
	Field    string // path, such as event_info.metrics.uptime_s.value; can be empty
	Problems []string
}

// ItemErrors returns the problems in Details, sorted by item and field. It is empty if the
// API's message is not an object.
func (e *Error) ItemErrors() []ItemError {
	var details any
	if json.Unmarshal(e.Details, &details) != nil {
		return nil
	}
	var found itemErrors
	members, ok := details.(map[string]any)
	if !ok {
		found.collect(-1, "", details)
	}
	for key, value := range members {
		if index, err := strconv.Atoi(key); err == nil && strconv.Itoa(max(index, 0)) == key {
			found.collect(index, "", value)
		} else {
			found.collect(-1, key, value)
		}
	}
	slices.SortFunc(found, func(a, b ItemError) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Field, b.Field), slices.Compare(a.Problems, b.Problems))
	})
	return found
}

type itemErrors []ItemError

// collect adds the texts of a value as the problems of its field, and descends into objects.
func (found *itemErrors) collect(index int, field string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			found.collect(index, below(field, key), inner)
		}
	case []any:
		var problems []string
		for i, inner := range value {
			switch inner := inner.(type) {
			case map[string]any, []any:
				found.collect(index, below(field, strconv.Itoa(i)), inner)
			default:
				problems = append(problems, problem(inner))
			}
		}
		if problems != nil {
			*found = append(*found, ItemError{index, field, problems})
		}
	default:
		*found = append(*found, ItemError{index, field, []string{problem(value)}})
	}
}

func below(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

func problem(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, _ := json.Marshal(value) // was read from JSON
	return string(text)
}

// maxPartsShown is how many errors the text of a partsError contains.
const maxPartsShown = 100

// partError is why one part of the work of a call failed, such as one device of several.
type partError struct {
	part  string
	cause error
}

// inPart adds the name of a part to the text of an error, such as device "ABCD1234".
func inPart(kind, name string, cause error) error {
	if cause == nil {
		return nil
	}
	return &partError{fmt.Sprintf("%s %q", kind, name), cause}
}

func (e *partError) Error() string { return "memfault: " + e.part + ": " + withoutPrefix(e.cause) }
func (e *partError) Unwrap() error { return e.cause }

// partsError joins the errors of all parts that failed, in one line.
type partsError struct {
	text  string
	parts []error
}

// joinParts returns nil if no part failed.
func joinParts(parts []error, format string, args ...any) error {
	if len(parts) == 0 {
		return nil
	}
	return &partsError{fmt.Sprintf(format, args...), parts}
}

func (e *partsError) Error() string {
	var b strings.Builder
	b.WriteString("memfault: " + e.text)
	separator := ": "
	for _, part := range e.parts[:min(len(e.parts), maxPartsShown)] {
		b.WriteString(separator + withoutPrefix(part))
		separator = "; "
	}
	if more := len(e.parts) - maxPartsShown; more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

func (e *partsError) Unwrap() []error { return e.parts }

func withoutPrefix(err error) string { return strings.TrimPrefix(err.Error(), "memfault: ") }

// mayExist reports whether the object that a request should create may exist after it failed
// with err: Memfault has such an object, or the response was lost.
func mayExist(err error) bool { return errors.Is(err, ErrConflict) || isLost(err) }

// isLost reports whether a request that failed with err may have been carried out.
func isLost(err error) bool { return errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrUnavailable) }
