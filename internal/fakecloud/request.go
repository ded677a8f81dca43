package fakecloud

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// request is a request with its operation, credential and project.
type request struct {
	*http.Request
	op         *operation.Operation
	credential credential
	project    *project // from the path or the project key; nil if there is neither
	body       []byte
	query      url.Values
	times      map[string]time.Time // from the query; set by checkTimes
}

func newRequest(r *http.Request, op *operation.Operation, body []byte) *request {
	return &request{Request: r, op: op, body: body, query: r.URL.Query()}
}

// base returns the address at which the client has reached the server, possibly through a proxy
// that ends TLS.
func (r *request) base() string {
	scheme := "http"
	forwarded, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	if r.TLS != nil || strings.EqualFold(strings.TrimSpace(forwarded), "https") {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// within reports whether t is between the times of two query parameters. Both limits are
// included, and an absent parameter sets no limit.
func (r *request) within(t time.Time, since, until string) bool {
	from, to := r.times[since], r.times[until]
	return (from.IsZero() || !t.Before(from)) && (to.IsZero() || !t.After(to))
}

// wants reports whether a list parameter of the query contains value, or is absent.
func (r *request) wants(name, value string) bool {
	asked, ok := r.query[name]
	return !ok || slices.Contains(asked, value)
}

// hasAny reports whether the query contains one of the parameters.
func (r *request) hasAny(names ...string) bool { return slices.ContainsFunc(names, r.query.Has) }

// decode decodes the JSON body. It returns a response with 400 if that fails.
func (r *request) decode(into any) (reply, bool) {
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	if err := decoder.Decode(into); err != nil {
		return invalid("_schema", "Invalid input: "+err.Error()), false
	}
	return reply{}, true
}

// timeParameters lists the query parameters that contain a time.
var timeParameters = []string{
	"since", "until", "start", "end", "start_time", "end_time",
	"last_seen_since", "last_seen_until", "first_seen_since", "first_seen_until",
}

// checkTimes rejects a query parameter with a time that is not in UTC with a Z.
func checkTimes(r *request) (reply, bool) {
	for _, name := range timeParameters {
		for i, text := range r.query[name] {
			t, err := time.Parse("2006-01-02T15:04:05.999999Z", text)
			if err != nil {
				return invalid(name, "Not a valid datetime"), false
			}
			if r.times == nil {
				r.times = map[string]time.Time{}
			}
			if i == 0 {
				r.times[name] = t
			}
		}
	}
	return reply{}, true
}
