package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/examples/verify/internal/shape"
)

// check sends a request of which the response is known, or of which the response settles a
// mark.
type check struct {
	name  string
	needs []string
	send  func(ctx context.Context, s *session, client *memfault.Client) error
	judge func(s *session, r *result, got *exchange, err error)
	mark  string // left open if the request could not be sent
}

func (c check) run(ctx context.Context, s *session) {
	r := result{Name: "check: " + c.name}
	defer func() { s.results = append(s.results, r) }()
	if need := s.missing(c.needs); need != "" {
		r.Outcome, r.Reason = skipped, noneHad+need
		s.leave(c.mark, r.Reason)
		return
	}
	s.recorder.take()
	err := c.send(ctx, s, s.client)
	got := s.recorder.take()
	switch {
	case isWrongCredential(err):
		r.Outcome, r.Reason = skipped, "the credential is not accepted"
	case got == nil:
		r.Outcome, r.Reason = unavailable, "no response"
	case err != nil && ctx.Err() != nil: // the response may be cut off
		r.Outcome, r.Reason = unavailable, "the run was interrupted"
	default:
		r.Status = got.status
		s.learn(got)
		unknownProject := c.mark == "unknown-slug-500" && s.agreed() // any status settles the mark
		switch status := got.status; {
		case status == http.StatusUnauthorized || status == http.StatusForbidden && !unknownProject:
			r.Outcome, r.Reason = forbidden, "the credential may not call the operation"
		case status == http.StatusTooManyRequests || status > 500 || status == 500 && !unknownProject:
			r.Outcome, r.Reason = unavailable, "Memfault could not serve the request"
		default:
			c.judge(s, &r, got, err)
			r.settle()
			return
		}
	}
	s.leave(c.mark, "the request was not served")
}

// devices sends a query to the list of devices that the client would not send.
func devices(query url.Values) func(context.Context, *session, *memfault.Client) error {
	return func(ctx context.Context, s *session, c *memfault.Client) error {
		request := memfault.Request{Path: s.path("devices"), Query: query}
		return c.Do(ctx, request, nil)
	}
}

// path returns the path of a list of the project.
func (s *session) path(list string) string {
	return "/api/v0/organizations/" + url.PathEscape(s.project.Organization) + "/projects/" + url.PathEscape(s.project.Project) + "/" + list
}

func checks() []check {
	return slices.Concat(errorChecks(), pageChecks(), filterChecks())
}

func errorChecks() []check {
	return []check{
		{
			name: "unknown device",
			send: func(ctx context.Context, s *session, c *memfault.Client) error {
				_, err := c.Devices.Get(ctx, s.project, unknownName)
				return err
			},
			judge: func(_ *session, r *result, got *exchange, err error) {
				if !wantStatus(r, got, http.StatusNotFound) {
					return
				}
				judgeError(r, got, wrongError)
				judgeRead(r, err, "NotFoundError", 1003)
			},
		},
		{
			name: "unknown project", mark: "unknown-slug-500",
			send: func(ctx context.Context, s *session, c *memfault.Client) error {
				_, err := c.Projects.Get(ctx, memfault.ProjectRef{Organization: s.project.Organization, Project: unknownName})
				return err
			},
			judge: func(s *session, r *result, got *exchange, _ error) {
				s.decide("unknown-slug-500", got.status == http.StatusInternalServerError, "the status is 500", "the status is "+strconv.Itoa(got.status))
				if got.status < 400 {
					r.Findings = append(r.Findings, finding{Kind: wrongStatus, Want: "an error", Got: strconv.Itoa(got.status)})
					return
				}
				as := wrongError
				if got.status >= 500 {
					as = otherwise // the client reads any 500
				}
				judgeError(r, got, as)
			},
		},
		{
			name: "time with an offset",
			send: devices(url.Values{"last_seen_since": {"2025-02-27T00:00:00+00:00"}, "per_page": {"1"}}),
			judge: func(_ *session, r *result, got *exchange, _ error) {
				if got.status < 300 { // the client sends no offsets
					r.Findings = append(r.Findings, finding{Kind: otherwise, Want: "400, as documented", Got: "an accepted time"})
				} else if wantStatus(r, got, http.StatusBadRequest) {
					judgeError(r, got, wrongError)
				}
			},
		},
	}
}

func pageChecks() []check {
	return []check{
		{
			name: "per_page above 100",
			send: devices(url.Values{"per_page": {"101"}}),
			judge: func(_ *session, r *result, got *exchange, _ error) {
				switch granted := pagingOf(got)["per_page"]; {
				case got.status >= 400:
					r.Reason = "Memfault rejects it"
				case granted == 101:
					r.Reason = "Memfault accepts it"
				default:
					r.Reason = "Memfault grants less"
				}
			},
		},
		{
			name: "page after the last",
			send: devices(url.Values{"page": {"100000"}, "per_page": {"100"}}),
			judge: func(_ *session, r *result, got *exchange, _ error) {
				if wantStatus(r, got, http.StatusOK) && len(itemsOf(got)) > 0 {
					r.Findings = append(r.Findings, finding{wrongPaging, "data", "an empty page", "items"})
				}
			},
		},
		{
			name: "descending sort", needs: []string{"second device"},
			send: func(ctx context.Context, s *session, c *memfault.Client) error {
				options := memfault.ListOptions{PerPage: pageSize, Sort: memfault.Descending(memfault.SortLastSeen)}
				_, err := c.Devices.List(s.project, memfault.DeviceListOptions{ListOptions: options}).Page(ctx)
				return err
			},
			judge: func(_ *session, r *result, got *exchange, _ error) {
				if wantStatus(r, got, http.StatusOK) && !descending(itemsOf(got), memfault.SortLastSeen) {
					r.Findings = append(r.Findings, finding{wrongOrder, "data[].last_seen", "the newest first", "another order"})
				}
			},
		},
	}
}

// wantStatus adds a finding if the status is another one.
func wantStatus(r *result, got *exchange, status int) bool {
	if got.status != status {
		r.Findings = append(r.Findings, finding{Kind: wrongStatus, Want: strconv.Itoa(status), Got: strconv.Itoa(got.status)})
	}
	return got.status == status
}

// pagingOf returns the numbers in the paging of a list.
func pagingOf(got *exchange) map[string]int {
	value, _ := shape.Decode(got.body) // nil if it is not JSON
	envelope, _ := value.(map[string]any)
	paging, _ := envelope["paging"].(map[string]any)
	numbers := map[string]int{}
	for name, value := range paging {
		if number, err := strconv.Atoi(numberText(value)); err == nil {
			numbers[name] = number
		}
	}
	return numbers
}
