package main

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/memfault-go/memfault"
)

func afterDeployments(s *session, r *result, got *exchange) {
	newestFirst("deployed_date")(s, r, got)
	afterStatuses("deployment-statuses", "done", "in_progress", "pulled", "aborted")(s, r, got)
}

// afterStatuses settles whether the items have only statuses that the client knows.
func afterStatuses(name string, known ...string) func(*session, *result, *exchange) {
	return func(s *session, _ *result, got *exchange) {
		for _, item := range itemsOf(got) {
			status, ok := item["status"].(string)
			if ok {
				s.decide(name, slices.Contains(known, status), "the statuses on the page are known", "there is another status")
			}
		}
	}
}

func afterIssues(s *session, _ *result, got *exchange) {
	for _, item := range itemsOf(got) {
		_, ok := item["created_date"]
		s.decide("issue-created-date", ok, "the issues have it", "an issue lacks it")
	}
}

// eventsByCreation settles whether events can be sorted by their creation.
func eventsByCreation() check {
	const mark = "events-sort-created-date"
	return check{
		name: "events by creation", mark: mark, needs: []string{"event"},
		send: func(ctx context.Context, s *session, c *memfault.Client) error {
			options := memfault.ListOptions{PerPage: 1, Sort: memfault.SortCreatedDate}
			_, err := c.Events.List(s.project, memfault.EventListOptions{ListOptions: options}).Page(ctx)
			return err
		},
		judge: func(s *session, r *result, got *exchange, _ error) {
			r.Reason = "the sort key is accepted"
			if got.status != http.StatusOK {
				r.Reason = "the sort key is rejected with " + strconv.Itoa(got.status)
			}
			s.decide(mark, got.status == http.StatusOK, r.Reason, r.Reason)
		},
	}
}

// afterProcessingLog settles whether entries have more than created_date.
func afterProcessingLog(s *session, _ *result, got *exchange) {
	for _, item := range itemsOf(got) {
		_, dated := item["created_date"]
		s.decide("processing-log-fields", dated && len(item) == 1, "there are no others", "there are others; see the shape in the report")
	}
}
