package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/memfault-go/memfault/examples/verify/internal/shape"
)

// Identifiers that no account has.
const (
	unknownName    = "memfault-go-verify-no-such-name"
	unknownUUID    = "00000000-0000-4000-8000-000000000000"
	unknownBuildID = "0000000000000000000000000000000000000000"
)

// itemsOf returns the items in data, or the object in data as the only one.
func itemsOf(got *exchange) []map[string]any {
	value, _ := shape.Decode(got.body) // nil if it is not JSON
	envelope, _ := value.(map[string]any)
	var items []map[string]any
	switch data := envelope["data"].(type) {
	case map[string]any:
		items = append(items, data)
	case []any:
		for _, item := range data {
			if object, ok := item.(map[string]any); ok {
				items = append(items, object)
			}
		}
	}
	return items
}

func afterMe(s *session, r *result, _ *exchange) {
	const name = "auth-me-organization-token"
	switch {
	case !s.organizationToken:
		s.leave(name, "the credential is not an organization token")
	case r.Outcome == agrees || r.Outcome == contradicts || r.Outcome == forbidden:
		s.decide(name, r.Status == http.StatusOK, "the status is 200", "the status is "+strconv.Itoa(r.Status))
	}
}

func afterUserKey(s *session, r *result, got *exchange) {
	const name = "no-user-api-key"
	items := itemsOf(got)
	if r.Status == http.StatusOK && len(items) == 1 && shape.Kind(items[0]["api_key"]) == "string" && items[0]["api_key"] != "" {
		s.leave(name, "the user has an API key")
		return
	}
	if r.Status < 500 && r.Outcome != forbidden {
		s.decide(name, r.Status == http.StatusNotFound, "the status is 404", "the status is "+strconv.Itoa(r.Status)+", without a key")
	}
	if r.Status == http.StatusNotFound {
		r.Outcome, r.Findings, r.Reason = empty, nil, "the user has no API key"
	}
}

// afterForm settles whether a response has the usual form.
func afterForm(name string) func(*session, *result, *exchange) {
	return func(s *session, r *result, _ *exchange) {
		if r.Outcome == agrees || r.Outcome == empty || r.Outcome == contradicts {
			s.decide(name, !r.otherForm(), "the form is the usual one", "the form is another; see the findings of "+r.Name)
		}
	}
}

// afterExistence settles whether an operation exists.
func afterExistence(s *session, r *result, got *exchange) {
	name := probeOf(r.Name).mark
	switch r.Outcome {
	case absent:
		s.decide(name, false, "", "the status is "+strconv.Itoa(r.Status))
	case agrees, empty, contradicts:
		s.decide(name, got.status < 300, "the operation exists", "the status is "+strconv.Itoa(r.Status))
	}
	if r.otherForm() && name == "artifacts-list-path" {
		s.decide(name, false, "", "the form is another; see the findings of "+r.Name)
	}
}

// afterFields settles whether a model has all fields. needed is a path that must be there.
func afterFields(name string, needed ...string) func(*session, *result, *exchange) {
	return func(s *session, r *result, _ *exchange) {
		if r.Outcome != agrees && r.Outcome != contradicts || r.Status >= 300 {
			return
		}
		others := slices.ContainsFunc(r.Findings, func(f finding) bool { return f.Kind == unknownField })
		lacks := slices.ContainsFunc(needed, func(path string) bool { return r.Shape[path] == "" })
		s.decide(name, !others && !lacks, "there are no other fields", "the fields differ; see the findings of "+r.Name)
	}
}

func afterDeltas(s *session, r *result, got *exchange) {
	afterFields("delta-release-fields")(s, r, got)
	if r.Outcome != agrees && r.Outcome != contradicts || r.Status >= 300 {
		return
	}
	files := slices.ContainsFunc(r.Findings, func(f finding) bool {
		return f.Kind == unknownField && (strings.Contains(f.Path, "artifact") || strings.Contains(f.Path, "file"))
	})
	s.decide("delta-release-files", !files, "there is no field about files", "there is a field about files; see the findings of "+r.Name)
}

func afterDevices(s *session, _ *result, got *exchange) {
	s.settleKind("fleet-sampling-configuration", got, "fleet_sampling_configuration", func(value any) bool {
		object, ok := value.(map[string]any)
		return shape.Kind(value) == "integer" || ok && shape.Kind(object["id"]) == "integer"
	})
}

func afterRecordings(s *session, _ *result, got *exchange) {
	s.settleKind("recording-id", got, "id", func(value any) bool {
		return shape.Kind(value) == "integer" || shape.Kind(value) == "string"
	})
}

// settleKind settles a mark about the kind of a field of the items.
func (s *session) settleKind(name string, got *exchange, field string, decodes func(any) bool) {
	for _, item := range itemsOf(got) {
		if value := item[field]; value != nil {
			s.decide(name, decodes(value), "the kind is "+shape.Kind(value), "the kind is "+shape.Kind(value))
			return
		}
	}
}

func afterTask(s *session, r *result, got *exchange) {
	if r.Status == http.StatusNotFound {
		r.Outcome, r.Reason = empty, "only an unknown task was requested, and the status is 404"
		r.Findings = slices.DeleteFunc(r.Findings, func(f finding) bool { return f.Kind == wrongStatus })
		r.settle()
		s.leave("task-statuses", "no task is known without a write")
		return
	}
	members, _ := shape.Decode(got.body) // nil if it is not JSON
	task, _ := members.(map[string]any)
	if status, ok := task["status"].(string); ok && r.Status == http.StatusOK {
		known := slices.Contains([]string{"SUCCESS", "FAILURE", "REVOKED", "ERROR", "PENDING", "STARTED", "RETRY"}, status)
		s.decide("task-statuses", known, "an unknown task has a status of common job queues", "an unknown task has another status")
	}
}

// newestFirst adds a finding if the items of a list are not sorted by a time, the newest first.
func newestFirst(field string) func(*session, *result, *exchange) {
	return func(_ *session, r *result, got *exchange) {
		if !descending(itemsOf(got), field) {
			r.Findings = append(r.Findings, finding{wrongOrder, "data[]." + field, "the newest first", "another order"})
			r.settle()
		}
	}
}

// descending reports whether a time of the items never grows. Items without it are ignored.
func descending(items []map[string]any, field string) bool {
	var last time.Time
	for _, item := range items {
		text, _ := item[field].(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			continue
		}
		if !last.IsZero() && at.After(last) {
			return false
		}
		last = at
	}
	return true
}
