package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/go-analyze/charts"
	"golang.org/x/mod/semver"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	chartRows   = 8  // versions in a chart
	chartSeries = 6  // besides "other"; there are seven colors
	chartPoints = 60 // points in time
	tableRows   = 30
	other       = "other"
)

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
	Chart   *chart
}

func (v versionsView) chart() *chart { return v.Chart }

func (s *Server) loadVersions(ctx context.Context) (any, error) {
	counts, err := s.Store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	return newVersionsView(counts), nil
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
	view.Chart = view.newChart(byVersion)
	return view
}

func (v versionsView) newChart(byVersion map[string]int) *chart {
	if v.Total == 0 {
		return nil
	}
	shown := largest(byVersion)
	shown = shown[:min(len(shown), chartRows)]
	c := &chart{kind: barsAcross}
	cohorts := v.Cohorts[:min(len(v.Cohorts), chartSeries)]
	for _, name := range cohorts {
		c.series = append(c.series, series{name: name})
	}
	if len(v.Cohorts) > len(cohorts) {
		c.series = append(c.series, series{name: other})
	}
	rest := versionRow{ByCohort: make([]int, len(v.Cohorts))}
	add := func(label string, row versionRow) {
		c.labels = append(c.labels, label)
		for i := range c.series {
			c.series[i].values = append(c.series[i].values, 0)
		}
		for i, n := range row.ByCohort {
			c.series[min(i, len(c.series)-1)].values[len(c.labels)-1] += float64(n)
		}
	}
	for _, row := range v.Rows {
		if !slices.Contains(shown, row.Version) {
			for i, n := range row.ByCohort {
				rest.ByCohort[i] += n
				rest.Devices += n
			}
			continue
		}
		add(cmp.Or(row.Version, "none"), row)
	}
	if rest.Devices > 0 {
		add(other, rest)
	}
	// The library draws the first row at the bottom.
	slices.Reverse(c.labels)
	for _, s := range c.series {
		slices.Reverse(s.values)
	}
	return c
}

// largest returns the keys, those with the largest values first.
func largest[K cmp.Ordered](values map[K]int) (keys []K) {
	for key := range values {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b K) int { return cmp.Or(values[b]-values[a], cmp.Compare(a, b)) })
	return keys
}

// compareVersions compares semantic versions; others come before all of them.
func compareVersions(a, b string) int {
	return cmp.Or(semver.Compare("v"+a, "v"+b), cmp.Compare(a, b))
}

// rollout is the active deployment of the highest version to a cohort.
type rollout struct {
	memfault.Deployment
	Version        string
	Devices, Total int // of the cohort: with the version, and all
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

// rolloutChart draws each share at points of the same distance. Between two samples the share
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
