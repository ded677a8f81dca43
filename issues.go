package memfault

import (
	"context"

	"github.com/memfault-go/memfault/internal/operation"
)

// IssuesService manages issues, the groups of traces with the same cause.
type IssuesService struct{ client *Client }

// Issue is a group of traces with the same cause.
type Issue struct {
	ID                   int64               `json:"id"`
	Status               IssueStatus         `json:"status"`
	Title                string              `json:"title"`
	Message              string              `json:"message"`
	Reason               string              `json:"reason"`     // only in newer responses
	Signature            string              `json:"signature"`  // common to all traces of the issue
	Resolution           *IssueResolution    `json:"resolution"` // nil if the issue is not resolved
	Counts               []int               `json:"counts"`     // 24 numbers; UNCERTAIN(issue-counts): what they count
	DeviceCount          int                 `json:"device_count"`
	TraceCount           int                 `json:"trace_count"`
	Distribution         *IssueDistribution  `json:"distribution"`
	FirstSeen            Timestamp           `json:"first_seen"`
	LastSeen             Timestamp           `json:"last_seen"`
	FirstRelease         *ReleaseRef         `json:"first_release"`          // only in older responses
	LastRelease          *ReleaseRef         `json:"last_release"`           // only in older responses
	FirstSoftwareVersion *SoftwareVersionRef `json:"first_software_version"` // only in newer responses
	LastSoftwareVersion  *SoftwareVersionRef `json:"last_software_version"`  // only in newer responses
	LastTrace            *Trace              `json:"last_trace"`             // in lists, only in older responses
	CreatedDate          Timestamp           `json:"created_date"`
	UpdatedDate          Timestamp           `json:"updated_date"`
}

// IssueStatus is the state of an issue.
type IssueStatus string

// Statuses of issues. Memfault documents open and resolved. A program from 2026 filters by
// unresolved, muted, merged and resolved.
//
// UNCERTAIN(issue-update-status): which of them Memfault accepts in an update.
const (
	IssueStatusOpen       IssueStatus = "open"
	IssueStatusResolved   IssueStatus = "resolved"
	IssueStatusUnresolved IssueStatus = "unresolved"
	IssueStatusMuted      IssueStatus = "muted"
	IssueStatusMerged     IssueStatus = "merged"
)

// IssueResolution describes who resolved an issue, and when.
type IssueResolution struct {
	Actor     *UserRef  `json:"actor"` // may be nil
	Timestamp Timestamp `json:"timestamp"`
}

// IssueDistribution counts the traces of an issue by version.
type IssueDistribution struct {
	HardwareVersion []IssueVersion `json:"hardware_version"`
	SoftwareVersion []IssueVersion `json:"sw_version"`
}

// IssueVersion is the number of traces of an issue on one version.
type IssueVersion struct {
	Version string `json:"version"`
	Count   int    `json:"count"`
}

// IssueUpdate changes an issue.
type IssueUpdate struct {
	Status IssueStatus `json:"status"` // required
}

// Sort keys of issues, besides [SortLastSeen].
const (
	SortFirstSeen   = "first_seen"
	SortDeviceCount = "device_count"
	SortTraceCount  = "trace_count"
)

// IssueListOptions filters and sorts issues. The sort keys are [SortLastSeen],
// [SortFirstSeen], [SortDeviceCount] and [SortTraceCount].
//
// The times are those of the traces of an issue, by the clocks of their devices. An issue whose
// only traces are from devices with a wrong clock is not found by a recent time.
type IssueListOptions struct {
	ListOptions
	Status         []IssueStatus `url:"status,omitempty"`
	Title          string        `url:"title,omitempty"` // a pattern; * matches any characters
	LastSeenSince  Timestamp     `url:"last_seen_since,omitempty"`
	LastSeenUntil  Timestamp     `url:"last_seen_until,omitempty"`
	FirstSeenSince Timestamp     `url:"first_seen_since,omitempty"`
	FirstSeenUntil Timestamp     `url:"first_seen_until,omitempty"`
	MinDeviceCount int           `url:"min_device_count,omitempty"`
	MinCrashCount  int           `url:"min_crash_count,omitempty"` // number of traces
	Signature      []string      `url:"signature,omitempty"`
	// Cohort contains slugs. Memfault's general pages use this filter in examples, but its table
	// of issue filters does not list it. UNCERTAIN(issues-filter-cohort): whether Memfault honors
	// it.
	Cohort []string `url:"cohort,omitempty"`
}

// List returns the issues of a project.
//
// In the newer form of the response, issues in a list have no LastTrace; use
// [IssuesService.Get] to read it.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-issues
func (s *IssuesService) List(project ProjectRef, options IssueListOptions, opts ...CallOption) *Pager[Issue] {
	return list[Issue](clientOf(s), operation.IssuesList, project.path(), options, opts)
}

// Get returns an issue with its LastTrace. If the issue does not exist, Get fails with
// [ErrNotFound].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-issue
func (s *IssuesService) Get(ctx context.Context, project ProjectRef, issueID int64, opts ...CallOption) (*Issue, error) {
	return fetch[Issue](ctx, clientOf(s), operation.IssuesRetrieve, requestParams{path: project.path(pathID(issueID))}, opts)
}

// Update sets the status of an issue. The Resolution of a resolved issue contains the user who
// resolved it.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/update-an-issue
func (s *IssuesService) Update(ctx context.Context, project ProjectRef, issueID int64, update IssueUpdate, opts ...CallOption) (*Issue, error) {
	return fetch[Issue](ctx, clientOf(s), operation.IssuesUpdate, requestParams{path: project.path(pathID(issueID)), body: update}, opts)
}

// Delete removes an issue. If the issue does not exist, Delete fails with [ErrNotFound].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/issues
func (s *IssuesService) Delete(ctx context.Context, project ProjectRef, issueID int64, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.IssuesDelete, requestParams{path: project.path(pathID(issueID))}, opts)
}

// FirstTraceOptions determines which trace of an issue is its first.
type FirstTraceOptions struct {
	Sort string `url:"sort,omitempty"` // Descending(SortCreatedDate) was observed
}

// FirstTrace is a trace of an issue.
//
// Its threads were observed at the top level, not in Entries as in other traces.
// UNCERTAIN(first-trace-fields): which other fields Memfault sends.
type FirstTrace struct {
	Trace
	Threads []TraceThread `json:"threads"`
}

// FirstTrace returns the first trace of an issue, in the order that options determine.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in one program from 2026.
func (s *IssuesService) FirstTrace(ctx context.Context, project ProjectRef, issueID int64, options FirstTraceOptions, opts ...CallOption) (*FirstTrace, error) {
	return fetch[FirstTrace](ctx, clientOf(s), operation.IssuesFirstTrace, requestParams{path: project.path(pathID(issueID)), query: options}, opts)
}
