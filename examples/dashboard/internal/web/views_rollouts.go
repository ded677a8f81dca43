package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/go-analyze/charts"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// rollout is the active deployment of the highest version to a cohort.
type rollout struct {
	memfault.Deployment
	Version        string
	Devices, Total int // of the cohort; Devices run the version
}

// Reached returns the share of the devices, in percent.
func (r rollout) Reached() float64 { return 100 * float64(r.Devices) / float64(max(1, r.Total)) }

// Target returns the share to which the version is offered, in percent.
func (r rollout) Target() int {
	if r.Type == memfault.DeploymentTypeStagedRollout {
		return r.RolloutPercent
	}
	return 100
}

func (s *Server) rollouts(ctx context.Context) ([]rollout, error) {
	deployments, err := store.Objects[memfault.Deployment](ctx, s.Store, reader.Deployments)
	if err != nil {
		return nil, err
	}
	counts, err := s.Store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	highest := map[string]rollout{}
	for _, d := range deployments {
		version := d.Release.Version
		if d.Release.IsDelta() && d.Release.ToVersion != nil {
			version = d.Release.ToVersion.Version
		}
		best, ok := highest[d.Cohort.Slug]
		if !d.Status.IsActive() || version == "" || ok && compareVersions(version, best.Version) <= 0 {
			continue
		}
		r := rollout{Deployment: d, Version: version}
		for _, c := range counts {
			if c.Cohort == d.Cohort.Slug {
				r.Total += c.Devices
				if c.Version == version {
					r.Devices += c.Devices
				}
			}
		}
		highest[d.Cohort.Slug] = r
	}
	var all []rollout
	for _, r := range highest {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b rollout) int {
		return cmp.Or(b.DeployedDate.Compare(a.DeployedDate.Time), cmp.Compare(a.Cohort.Slug, b.Cohort.Slug))
	})
	return all, nil
}

type rolloutsView struct {
	Rollouts []rollout
	Since    time.Time // of the first sample
	Chart    *chart
}

func (v rolloutsView) chart() *chart { return v.Chart }

func (s *Server) loadRollouts(ctx context.Context) (any, error) {
	view := rolloutsView{}
	var err error
	if view.Rollouts, err = s.rollouts(ctx); err != nil {
		return nil, err
	}
	now := s.Now()
	var shares [][]store.Share
	var names []string
	for _, r := range view.Rollouts[:min(len(view.Rollouts), chartSeries)] {
		points, err := s.Store.Shares(ctx, r.Cohort.Slug, r.Version, now.AddDate(0, 0, -reader.RebootDays))
		if err != nil {
			return nil, err
		}
		if len(points) == 0 {
			continue
		}
		if view.Since.IsZero() || points[0].Time.Before(view.Since) {
			view.Since = points[0].Time
		}
		shares, names = append(shares, points), append(names, r.Version+" to "+r.Cohort.Slug)
	}
	if len(shares) > 0 && now.Sub(view.Since) > time.Minute {
		view.Chart = rolloutChart(names, shares, view.Since, now)
	}
	return view, nil
}

// rolloutChart draws the shares at equal distances of time. Between two samples, the share
// is that of the earlier one.
func rolloutChart(names []string, shares [][]store.Share, from, to time.Time) *chart {
	c := &chart{kind: lines, unit: " %", max: 100}
	format := "Jan 2"
	if to.Sub(from) < 10*24*time.Hour {
		format = "Jan 2 15:04"
	}
	step := to.Sub(from) / (chartPoints - 1)
	for i, points := range shares {
		line := series{name: names[i]}
		at := 0
		for n := range chartPoints {
			moment := from.Add(step * time.Duration(n))
			for at < len(points) && !points[at].Time.After(moment) {
				at++
			}
			if at == 0 {
				line.values = append(line.values, charts.GetNullValue())
			} else {
				line.values = append(line.values, 100*points[at-1].Share)
			}
			if i == 0 {
				c.labels = append(c.labels, moment.UTC().Format(format))
			}
		}
		c.series = append(c.series, line)
	}
	return c
}
