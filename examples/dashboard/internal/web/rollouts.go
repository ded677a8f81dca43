package web

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"golang.org/x/mod/semver"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/chart"
	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// rollout is the active deployment of the highest version to a cohort, or a deployment that was
// aborted or pulled in the last days.
type rollout struct {
	memfault.Deployment
	Version        string
	Ended          bool // aborted or pulled
	Devices, Total int  // of the cohort; Devices run the version
	Comparison     comparison
	NewIssues      int // that only this version has
}

// Reached returns the share of the devices, in percent.
func (r rollout) Reached() float64 { return 100 * float64(r.Devices) / float64(max(1, r.Total)) }

// Target returns the share to which the version is offered, in percent.
func (r rollout) Target() int {
	switch {
	case r.Ended:
		return 0
	case r.Type == memfault.DeploymentTypeStagedRollout:
		return r.RolloutPercent
	}
	return 100
}

// EndedAt returns when the deployment was aborted or pulled.
func (r rollout) EndedAt() time.Time {
	if r.UpdatedDate.IsZero() {
		return r.DeployedDate.Time
	}
	return r.UpdatedDate.Time
}

// Level returns the color of the rollout.
func (r rollout) Level() level {
	if r.Ended {
		return red
	}
	return r.Comparison.Level
}

func (s *Server) loadRollouts(ctx context.Context, x *snapshot) (all []rollout, err error) {
	highest := map[string]rollout{}
	active := map[[2]string]bool{}
	ended := map[[2]string]rollout{}
	for _, d := range x.deployments {
		r := rollout{Deployment: d, Version: d.Release.Version, Ended: !d.Status.IsActive()}
		if d.Release.IsDelta() && d.Release.ToVersion != nil {
			r.Version = d.Release.ToVersion.Version
		}
		if r.Version == "" || x.scope.Cohort != "" && d.Cohort.Slug != x.scope.Cohort {
			continue
		}
		key := [2]string{d.Cohort.Slug, r.Version}
		if r.Ended {
			if last, ok := ended[key]; x.now.Sub(r.EndedAt()) <= compareDays*24*time.Hour && (!ok || r.EndedAt().After(last.EndedAt())) {
				ended[key] = r
			}
			continue
		}
		active[key] = true
		if best, ok := highest[d.Cohort.Slug]; !ok || compareVersions(r.Version, best.Version) > 0 {
			highest[d.Cohort.Slug] = r
		}
	}
	for _, r := range highest {
		all = append(all, r)
	}
	for key, r := range ended {
		if !active[key] {
			all = append(all, r)
		}
	}
	counts := x.counts
	if x.scope.Version != "" {
		if counts, err = s.counts(ctx, store.Filter{Cohort: x.scope.Cohort, Hardware: x.scope.Hardware}, x.now); err != nil {
			return nil, err
		}
	}
	for i := range all {
		r := &all[i]
		for _, c := range counts {
			if c.Cohort == r.Cohort.Slug {
				r.Total += c.Devices
				if c.Version == r.Version {
					r.Devices += c.Devices
				}
			}
		}
		if r.Comparison, err = s.compare(ctx, x, r.Version, []string{r.Cohort.Slug}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b rollout) int {
		return cmp.Or(compareBools(a.Ended, b.Ended), b.DeployedDate.Compare(a.DeployedDate.Time), cmp.Compare(a.Cohort.Slug, b.Cohort.Slug), cmp.Compare(a.Version, b.Version))
	})
	return all, nil
}

func compareBools(a, b bool) int {
	if a == b {
		return 0
	} else if a {
		return 1
	}
	return -1
}

type rolloutsView struct {
	Rollouts []rollout
	Since    time.Time // of the first sample
	Chart    *chart.Chart
	Table    table // of the chart
}

// rolloutsView draws the lines of the active rollouts.
func (s *Server) rolloutsView(ctx context.Context, x *snapshot) (any, error) {
	view := rolloutsView{Rollouts: x.rollouts}
	var lines []chart.Series
	var versions []string
	var all [][]store.Sample
	numbers, err := s.Store.VersionNumbers(ctx)
	if err != nil {
		return nil, err
	}
	colors := newColors(numbers)
	for _, r := range x.rollouts {
		if r.Ended || len(lines) == chartLines {
			continue
		}
		samples, err := s.Store.Samples(ctx, store.Filter{Cohort: r.Cohort.Slug, Hardware: x.scope.Hardware}, x.now.AddDate(0, 0, -reader.RebootDays))
		if err != nil {
			return nil, err
		}
		if len(samples) == 0 {
			continue
		}
		if view.Since.IsZero() || samples[0].Time.Before(view.Since) {
			view.Since = samples[0].Time
		}
		name := r.Version + " to " + r.Cohort.Slug
		lines = append(lines, chart.Series{Name: name, Color: colors.of(name), Target: float64(r.Target())})
		versions, all = append(versions, r.Version), append(all, samples)
	}
	if len(lines) == 0 || x.now.Sub(view.Since) < time.Minute {
		return view, nil
	}
	share := func(line int, at time.Time) float64 {
		if sample, ok := sampleAt(all[line], at); ok {
			return 100 * float64(sample.Devices[versions[line]]) / float64(max(1, sample.Total()))
		}
		return math.NaN()
	}
	times, labels := pointsInTime(view.Since, x.now)
	for i := range lines {
		for _, at := range times {
			lines[i].Values = append(lines[i].Values, share(i, at))
		}
	}
	view.Chart = &chart.Chart{
		Kind: chart.Lines, Text: "Lines of the share of each cohort that runs the deployed version, over time. The table below has the numbers.",
		Labels: labels, Series: lines, Unit: " %", Max: 100,
	}
	view.Table.Columns = []string{"Day"}
	for _, line := range lines {
		view.Table.Columns = append(view.Table.Columns, line.Name)
	}
	for _, at := range endsOfDays(view.Since, x.now, tableDays) {
		row := []string{dayText(at, x.now)}
		for i := range lines {
			row = append(row, percentOrUnknown(share(i, at)))
		}
		view.Table.Rows = append(view.Table.Rows, row)
	}
	return view, nil
}

func percentOrUnknown(v float64) string {
	if math.IsNaN(v) {
		return "not known"
	}
	return percent(v)
}

// compareVersions compares semantic versions. Any other version is lower than all of them.
func compareVersions(a, b string) int {
	return cmp.Or(semver.Compare("v"+a, "v"+b), cmp.Compare(a, b))
}

func isVersion(version string) bool { return semver.IsValid("v" + version) }
