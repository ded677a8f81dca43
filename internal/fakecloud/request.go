package fakecloud

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// request is a request whose operation, credential and project are settled.
type request struct {
	*http.Request
	op         *operation.Operation
	credential credential
	project    *project // of the path, or of the project key; nil for other paths
	body       []byte
}

// time returns the time of a query parameter that checkTimes let pass.
func (r *request) time(name string) time.Time {
	t, _ := time.Parse(time.RFC3339, r.URL.Query().Get(name)) // zero when absent
	return t
}

// within reports whether t is between the times of two query parameters.
func (r *request) within(t time.Time, since, until string) bool {
	from, to := r.time(since), r.time(until)
	return (from.IsZero() || !t.Before(from)) && (to.IsZero() || !t.After(to))
}

// wants reports whether a list parameter of the query names value, or is absent.
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

// decode reads the JSON body, and refuses any other.
func (r *request) decode(into any) (reply, bool) {
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	if err := decoder.Decode(into); err != nil {
		return invalid("_schema", "Invalid input: "+err.Error()), false
	}
	return reply{}, true
}
