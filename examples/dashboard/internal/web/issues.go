package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// issueRow is an issue with what changed.
type issueRow struct {
	memfault.Issue
	Address  string    // of its page in Memfault
	Since    time.Time // when Memfault created it, otherwise when it was first seen
	New      bool      // since the new version was deployed
	Only     bool      // whether only one version, the new one, is known to have it
	Complete bool      // whether Versions is complete, as far as is known
	Versions []string  // of its traces, the most frequent first; otherwise the first and the last
	Recent   int       // traces that arrived in 24 hours
	Mean     float64   // traces a day before that
	// WithRecent and WithMean report whether Recent and Mean are known.
	WithRecent, WithMean bool
	Share                float64 // of the devices, in percent
	WithShare            bool
}

func isOpen(issue memfault.Issue) bool {
	return issue.Status == memfault.IssueStatusOpen || issue.Status == memfault.IssueStatusUnresolved
}

// Change returns the factor by which the traces of 24 hours exceed the daily mean; at least 1
// trace a day counts as the mean, so that rare issues do not come first.
func (r issueRow) Change() float64 { return float64(r.Recent) / max(1, r.Mean) }

// loadIssueRows returns the issues, sorted by what changed: new ones, then those with more traces
// than usual, then those that are not open.
func (s *Server) loadIssueRows(ctx context.Context, x *snapshot, version string, since time.Time) ([]issueRow, error) {
	issues, err := store.Objects[memfault.Issue](ctx, s.Store, reader.Issues)
	if err != nil {
		return nil, err
	}
	counts, err := s.Store.TraceCounts(ctx, x.scope, x.now.Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	first, err := s.Store.FirstTrace(ctx)
	if err != nil {
		return nil, err
	}
	byIssue := map[int64][]store.TraceCount{}
	for _, c := range counts {
		byIssue[c.Issue] = append(byIssue[c.Issue], c)
	}
	scoped := scopeKey(x.scope) != [3]string{}
	days := x.now.Sub(first).Hours()/24 - 1
	var rows []issueRow
	for _, issue := range issues {
		traces := byIssue[issue.ID]
		if scoped && len(traces) == 0 {
			continue // none of the selected devices is known to have it
		}
		row := issueRow{Issue: issue, Address: memfault.AppURL(s.Project, memfault.AppIssue(issue.ID)), Since: cmp.Or(issue.CreatedDate.Time, issue.FirstSeen.Time)}
		row.New = !since.IsZero() && !row.Since.Before(since)
		stored := 0
		for _, c := range traces {
			stored += c.Traces
			row.Recent += c.Recent
			if c.Version != "" {
				row.Versions = append(row.Versions, c.Version)
			}
		}
		row.WithRecent = !first.IsZero() && s.wasRead(reader.Traces)
		if row.WithMean = row.WithRecent && days >= 1; row.WithMean {
			row.Mean = float64(stored-row.Recent) / days
		}
		row.Complete = stored >= issue.TraceCount && stored > 0
		if len(row.Versions) == 0 {
			row.Versions = issueVersions(issue)
			row.Complete = len(row.Versions) > 0
		}
		row.Only = row.Complete && version != "" && len(row.Versions) == 1 && row.Versions[0] == version
		if row.WithShare = x.all.Devices > 0 && !scoped; row.WithShare {
			row.Share = min(100, 100*float64(issue.DeviceCount)/float64(x.all.Devices))
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b issueRow) int {
		return cmp.Or(
			compareBools(!isOpen(a.Issue), !isOpen(b.Issue)), compareBools(!a.New, !b.New), cmp.Compare(b.Change(), a.Change()),
			cmp.Compare(b.TraceCount, a.TraceCount), b.Since.Compare(a.Since),
		)
	})
	return rows, nil
}

// issueVersions returns the first and the last version of an issue, as far as Memfault sends them.
func issueVersions(issue memfault.Issue) (versions []string) {
	for _, v := range []*memfault.SoftwareVersionRef{issue.LastSoftwareVersion, issue.FirstSoftwareVersion} {
		if v != nil && v.Version != "" && !slices.Contains(versions, v.Version) {
			versions = append(versions, v.Version)
		}
	}
	return versions
}

// countOnly counts the open issues that only a version is known to have.
func countOnly(rows []issueRow, version string) (n int) {
	for _, row := range rows {
		if isOpen(row.Issue) && row.Complete && len(row.Versions) == 1 && row.Versions[0] == version {
			n++
		}
	}
	return n
}

const shownIssues = 15

type issuesView struct {
	Issues []issueRow
	All    int
}

func (s *Server) issuesView(_ context.Context, x *snapshot) (any, error) {
	return issuesView{Issues: x.issues[:min(len(x.issues), shownIssues)], All: len(x.issues)}, nil
}
