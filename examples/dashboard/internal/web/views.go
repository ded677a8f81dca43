package web

import (
	"context"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	shownIssues      = 15
	shownDeployments = 12
	shownUnseen      = 12
)

type summaryView struct {
	Devices, SeenToday, Unseen, Rollouts, OpenIssues int
	UnseenAfter                                      time.Duration
	MoreIssues                                       bool // there may be more than were read
	// Each field reports whether its part was ever read. If not, its numbers would be shown as 0,
	// so they are hidden.
	WithDevices, WithDeployments, WithIssues bool
}

func (s *Server) loadSummary(ctx context.Context) (any, error) {
	view := summaryView{UnseenAfter: s.UnseenAfter, WithDevices: s.wasRead(reader.Devices), WithDeployments: s.wasRead(reader.Deployments), WithIssues: s.wasRead(reader.Issues)}
	now := s.Now()
	_, all, err := s.Store.Devices(ctx, store.Filter{}, false, 0, 0)
	if err != nil {
		return nil, err
	}
	_, notToday, err := s.Store.Devices(ctx, store.Filter{UnseenSince: now.Add(-24 * time.Hour)}, false, 0, 0)
	if err != nil {
		return nil, err
	}
	if _, view.Unseen, err = s.Store.Devices(ctx, store.Filter{UnseenSince: now.Add(-s.UnseenAfter)}, false, 0, 0); err != nil {
		return nil, err
	}
	view.Devices, view.SeenToday = all, all-notToday
	issues, err := store.Objects[memfault.Issue](ctx, s.Store, reader.Issues)
	if err != nil {
		return nil, err
	}
	for _, issue := range issues {
		if isOpen(issue) {
			view.OpenIssues++
		}
	}
	view.MoreIssues = len(issues) == reader.MaxIssues
	rollouts, err := s.rollouts(ctx)
	view.Rollouts = len(rollouts)
	return view, err
}

func (s *Server) wasRead(part string) bool { return !s.Reader.Status(part).Last.ReadAt.IsZero() }

func isOpen(issue memfault.Issue) bool {
	return issue.Status == memfault.IssueStatusOpen || issue.Status == memfault.IssueStatusUnresolved
}

type issuesView struct {
	Issues []memfault.Issue
	Read   int
}

// loadIssues returns the issues with the most traces, the open ones first.
func (s *Server) loadIssues(ctx context.Context) (any, error) {
	issues, err := store.Objects[memfault.Issue](ctx, s.Store, reader.Issues)
	if err != nil {
		return nil, err
	}
	var open, others []memfault.Issue
	for _, issue := range issues {
		if isOpen(issue) {
			open = append(open, issue)
		} else {
			others = append(others, issue)
		}
	}
	open = append(open, others...)
	return issuesView{Issues: open[:min(len(open), shownIssues)], Read: len(issues)}, nil
}

type deploymentsView struct {
	Deployments []memfault.Deployment
	Cohorts     []memfault.Cohort
	Read        int
}

func (s *Server) loadDeployments(ctx context.Context) (any, error) {
	deployments, err := store.Objects[memfault.Deployment](ctx, s.Store, reader.Deployments)
	if err != nil {
		return nil, err
	}
	cohorts, err := store.Objects[memfault.Cohort](ctx, s.Store, reader.Cohorts)
	return deploymentsView{Deployments: deployments[:min(len(deployments), shownDeployments)], Cohorts: cohorts, Read: len(deployments)}, err
}

type unseenView struct {
	Devices     []store.Device
	Total       int
	UnseenAfter time.Duration
}

func (s *Server) loadUnseen(ctx context.Context) (any, error) {
	devices, total, err := s.Store.Devices(ctx, store.Filter{UnseenSince: s.Now().Add(-s.UnseenAfter)}, true, shownUnseen, 0)
	return unseenView{Devices: devices, Total: total, UnseenAfter: s.UnseenAfter}, err
}

type sourcesView struct {
	Parts        []failedPart // with an empty Problem after a success
	Cost         reader.Cost
	Time         time.Duration // of a full refresh at the limit of the client
	PerSecond    float64
	Webhooks     webhookState
	WithWebhooks bool
}

func (s *Server) loadSources(ctx context.Context) (any, error) {
	view := sourcesView{PerSecond: s.RequestsPerSecond, Webhooks: s.webhooks.copy(), WithWebhooks: len(s.WebhookSecrets) > 0}
	for _, name := range s.Reader.Names() {
		status := s.Reader.Status(name)
		view.Parts = append(view.Parts, failedPart{status, s.explain(status.Err)})
	}
	var err error
	view.Cost, err = s.Reader.FullCost(ctx)
	view.Time = time.Duration(float64(view.Cost.Total()) / s.RequestsPerSecond * float64(time.Second))
	return view, err
}
