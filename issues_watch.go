package memfault

import (
	"context"
	"iter"
)

// Watch polls the issues of a project, and yields each new one. The state of the issue is that
// at the time of the poll. See [WatchOptions] for the rules of all watches. If the watch cannot
// continue, or ctx ends, the iterator yields the error once and stops.
//
// An issue is new once in its life, when it is created. A later change of its status is not
// yielded, because the API offers no list of changes; see [NewWebhookHandler] for events such
// as [WebhookTypeIssueResolved]. The times of an issue are those of its traces, by the clocks of
// devices: Lookback is the age up to which the last trace of a new issue may be.
//
// UNCERTAIN: whether newer responses contain the created_date, from which Watch takes the order
// of issues. Otherwise it takes first_seen; then an issue is found only if it appears within an
// hour of newer ones.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-issues
func (s *IssuesService) Watch(ctx context.Context, project ProjectRef, options WatchOptions, opts ...CallOption) iter.Seq2[WatchItem[Issue], error] {
	return watchList(ctx, watchSource[Issue]{
		name: "Issues.Watch", path: project.path(), key: (*Issue).watchKey, time: (*Issue).watchTime,
		list: func(since Timestamp, opts []CallOption) *Pager[Issue] {
			return s.List(project, IssueListOptions{ListOptions: ListOptions{Sort: Descending(SortFirstSeen)}, LastSeenSince: since}, opts...)
		},
	}, options, opts)
}

func (i *Issue) watchKey() uint64 { return uint64(i.ID) } //nolint:gosec // any number identifies it

func (i *Issue) watchTime() Timestamp { return firstTime(i.CreatedDate, i.FirstSeen) }

// firstTime returns the first timestamp that is set.
func firstTime(times ...Timestamp) Timestamp {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return Timestamp{}
}
