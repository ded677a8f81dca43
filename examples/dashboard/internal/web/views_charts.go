package web

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/mod/semver"

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

// largest returns the keys, sorted by their values, the largest first.
func largest[K cmp.Ordered](values map[K]int) (keys []K) {
	for key := range values {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b K) int { return cmp.Or(values[b]-values[a], cmp.Compare(a, b)) })
	return keys
}

// compareVersions compares semantic versions. Any other version is lower than all of them.
func compareVersions(a, b string) int {
	return cmp.Or(semver.Compare("v"+a, "v"+b), cmp.Compare(a, b))
}
