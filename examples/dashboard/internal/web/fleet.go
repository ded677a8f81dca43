package web

import (
	"context"
	"slices"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	shownDeployments = 12
	shownUnseen      = 12
	tableRows        = 30
)

type summaryView struct {
	Devices, SeenToday, Unseen, Rollouts, OpenIssues int
	UnseenAfter                                      time.Duration
	MoreIssues                                       bool // there may be more than were read
	// Each field reports whether its part was ever read. If not, its numbers would be shown as 0,
	// so they are hidden.
	WithDevices, WithDeployments, WithIssues bool
}

func (s *Server) summaryView(_ context.Context, x *snapshot) (any, error) {
	view := summaryView{
		Devices: x.all.Devices, SeenToday: x.all.Seen, Unseen: x.all.Unseen, UnseenAfter: s.UnseenAfter,
		WithDevices: s.wasRead(reader.Devices), WithDeployments: s.wasRead(reader.Deployments), WithIssues: s.wasRead(reader.Issues),
		MoreIssues: len(x.issues) >= reader.MaxIssues,
	}
	for _, issue := range x.issues {
		if isOpen(issue.Issue) {
			view.OpenIssues++
		}
	}
	for _, r := range x.rollouts {
		if !r.Ended {
			view.Rollouts++
		}
	}
	return view, nil
}

func (s *Server) wasRead(part string) bool { return !s.Reader.Status(part).Last.ReadAt.IsZero() }

// versionRow is a software version with its devices by cohort.
type versionRow struct {
	Version  string // empty if the devices never reported one
	Devices  int
	ByCohort []int // in the order of versionsView.Cohorts
}

type versionsView struct {
	Cohorts []string // slugs, the largest first
	Rows    []versionRow
	Total   int
	Hidden  int // versions that are not in Rows
}

func (s *Server) versionsView(_ context.Context, x *snapshot) (any, error) {
	return newVersionsView(x.counts), nil
}

func newVersionsView(counts []store.Count) versionsView {
	byCohort, byVersion := map[string]int{}, map[string]int{}
	for _, c := range counts {
		byCohort[c.Cohort] += c.Devices
		byVersion[c.Version] += c.Devices
	}
	view := versionsView{Cohorts: largest(byCohort)}
	column := map[string]int{}
	for i, cohort := range view.Cohorts {
		column[cohort] = i
	}
	rows := map[string]*versionRow{}
	for _, c := range counts {
		row := rows[c.Version]
		if row == nil {
			row = &versionRow{Version: c.Version, ByCohort: make([]int, len(view.Cohorts))}
			rows[c.Version] = row
		}
		row.Devices += c.Devices
		row.ByCohort[column[c.Cohort]] += c.Devices
		view.Total += c.Devices
	}
	for _, version := range largest(byVersion) {
		view.Rows = append(view.Rows, *rows[version])
	}
	view.Hidden = max(0, len(view.Rows)-tableRows)
	view.Rows = view.Rows[:len(view.Rows)-view.Hidden]
	slices.SortFunc(view.Rows, func(a, b versionRow) int { return compareVersions(b.Version, a.Version) })
	return view
}

type deploymentsView struct {
	Deployments []memfault.Deployment
}

func (s *Server) deploymentsView(_ context.Context, x *snapshot) (any, error) {
	var view deploymentsView
	for _, d := range x.deployments {
		if (x.scope.Cohort == "" || x.scope.Cohort == d.Cohort.Slug) && len(view.Deployments) < shownDeployments {
			view.Deployments = append(view.Deployments, d)
		}
	}
	return view, nil
}

type unseenView struct {
	Devices     []store.Device
	Total       int
	UnseenAfter time.Duration
}

func (s *Server) unseenView(ctx context.Context, x *snapshot) (any, error) {
	filter := x.scope
	filter.UnseenSince = x.now.Add(-s.UnseenAfter)
	devices, total, err := s.Store.Devices(ctx, filter, true, shownUnseen, 0)
	return unseenView{Devices: devices, Total: total, UnseenAfter: s.UnseenAfter}, err
}

type sourcesView struct {
	Parts        []failedPart
	Cost         reader.Cost
	Time         time.Duration // of a full refresh at the limit of the client
	PerSecond    float64
	Webhooks     webhookState
	WithWebhooks bool
}

func (s *Server) sourcesView(ctx context.Context, _ *snapshot) (any, error) {
	view := sourcesView{PerSecond: s.RequestsPerSecond, Webhooks: s.webhooks.copy(s.Now()), WithWebhooks: len(s.WebhookSecrets) > 0}
	_, single := s.failures()
	for _, name := range s.Reader.Names() {
		// The page says at the top what several parts have in common.
		view.Parts = append(view.Parts, failedPart{s.Reader.Status(name), single[name]})
	}
	fleet, err := s.snapshot(ctx, store.Filter{}) // the filters of the page change no cost
	if err != nil {
		return nil, err
	}
	view.Cost = s.Reader.FullCost(fleet.all.Devices, fleet.all.Kept)
	view.Time = time.Duration(float64(view.Cost.Total()) / s.RequestsPerSecond * float64(time.Second))
	return view, nil
}
