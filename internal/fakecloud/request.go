package fakecloud

import (
	"bytes"
	"encoding/json"
	"net/http"
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
}

// time returns a time from the query. checkTimes has already checked its format.
func (r *request) time(name string) time.Time {
	t, _ := time.Parse(time.RFC3339, r.URL.Query().Get(name)) // zero if absent
	return t
}

// within reports whether t is between the times of two query parameters. Both limits are
// included, and an absent parameter sets no limit.
func (r *request) within(t time.Time, since, until string) bool {
	from, to := r.time(since), r.time(until)
	return (from.IsZero() || !t.Before(from)) && (to.IsZero() || !t.After(to))
}

// wants reports whether a list parameter of the query contains value, or is absent.
func (r *request) wants(name, value string) bool {
	asked, ok := r.URL.Query()[name]
	if !ok {
		return true
	}
	for _, a := range asked {
		if a == value {
			return true
		}
	}
	return false
}

// decode decodes the JSON body. It returns a response with 400 if that fails.
func (r *request) decode(into any) (reply, bool) {
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	if err := decoder.Decode(into); err != nil {
		return invalid("_schema", "Invalid input: "+err.Error()), false
	}
	return reply{}, true
}
