package web

import (
	"cmp"
	"context"
	"fmt"
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

const (
	chartPoints = 60 // points in time
	chartLines  = 6  // lines, and parts of a stack besides "other"
	tableDays   = 14
	// lastSample is how long before the end of a day its last sample can be. If it is older, the
	// dashboard did not run.
	lastSample = 7 * time.Hour
)

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
		lines = append(lines, chart.Series{Name: r.Version + " to " + r.Cohort.Slug, Color: colors.of(r.Version + " to " + r.Cohort.Slug), Target: float64(r.Target())})
		all = append(all, samples)
	}
	if len(lines) == 0 || x.now.Sub(view.Since) < time.Minute {
		return view, nil
	}
	share := func(line int, at time.Time) float64 {
		if sample, ok := sampleAt(all[line], at); ok {
			return 100 * float64(sample.Devices[rolloutOf(x.rollouts, lines[line].Name).Version]) / float64(max(1, sample.Total()))
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

func rolloutOf(rollouts []rollout, name string) rollout {
	for _, r := range rollouts {
		if !r.Ended && r.Version+" to "+r.Cohort.Slug == name {
			return r
		}
	}
	return rollout{}
}

func percentOrUnknown(v float64) string {
	if math.IsNaN(v) {
		return "not known"
	}
	return percent(v)
}

// sampleAt returns the last sample up to a time.
func sampleAt(samples []store.Sample, at time.Time) (store.Sample, bool) {
	i, _ := slices.BinarySearchFunc(samples, at, func(s store.Sample, at time.Time) int {
		if s.Time.After(at) {
			return 1
		}
		return -1
	})
	if i == 0 {
		return store.Sample{}, false
	}
	return samples[i-1], true
}

// pointsInTime returns points at equal distances, and their labels.
func pointsInTime(from, to time.Time) (times []time.Time, labels []string) {
	format := "Jan 2"
	switch span := to.Sub(from); {
	case span < 36*time.Hour:
		format = "15:04"
	case span < 7*24*time.Hour:
		format = "Mon 15:04"
	}
	step := to.Sub(from) / (chartPoints - 1)
	for n := range chartPoints {
		at := from.Add(step * time.Duration(n))
		if n == chartPoints-1 {
			at = to
		}
		times, labels = append(times, at), append(labels, at.UTC().Format(format))
	}
	return times, labels
}

// endsOfDays returns the ends of at most limit days in UTC, the last day first; of today, now.
func endsOfDays(from, now time.Time, limit int) (times []time.Time) {
	times = append(times, now)
	for at := now.UTC().Truncate(24 * time.Hour).Add(-time.Second); at.After(from) && len(times) < limit; at = at.AddDate(0, 0, -1) {
		times = append(times, at)
	}
	return times
}

func dayText(at, now time.Time) string {
	if at.Equal(now) {
		return "now"
	}
	return at.UTC().Format("Jan 2")
}

// compareVersions compares semantic versions. Any other version is lower than all of them.
func compareVersions(a, b string) int {
	return cmp.Or(semver.Compare("v"+a, "v"+b), cmp.Compare(a, b))
}

func isVersion(version string) bool { return semver.IsValid("v" + version) }

// colors gives each name the color of its number. If another name has that color on the same chart,
// the name gets the next free one.
type colors struct {
	numbers map[string]int
	used    map[string]string // color by name
}

func newColors(numbers map[string]int) *colors { return &colors{numbers, map[string]string{}} }

func (c *colors) of(name string) string {
	number, ok := c.numbers[name]
	if !ok {
		number = len(c.used)
	}
	if color := c.used[name]; color != "" {
		return color
	}
	for range chart.MaxColors {
		free := true
		for _, other := range c.used {
			free = free && other != chart.Color(number)
		}
		if free {
			break
		}
		number++
	}
	c.used[name] = chart.Color(number)
	return c.used[name]
}

// table contains the numbers of a chart.
type table struct {
	Columns []string
	Rows    [][]string
}

// adoptionView is the devices by software version over time.
type adoptionView struct {
	Since time.Time
	Chart *chart.Chart
	Table table
}

func (s *Server) adoptionView(ctx context.Context, x *snapshot) (any, error) {
	view := adoptionView{}
	if len(x.samples) == 0 || x.now.Sub(x.samples[0].Time) < time.Minute {
		return view, nil
	}
	view.Since = x.samples[0].Time
	numbers, err := s.Store.VersionNumbers(ctx)
	if err != nil {
		return nil, err
	}
	most := map[string]int{}
	for _, sample := range x.samples {
		for version, n := range sample.Devices {
			most[version] = max(most[version], n)
		}
	}
	names := largest(most)
	shown := names[:min(len(names), chartLines)]
	slices.SortFunc(shown, compareVersions) // the newest on top
	colors := newColors(numbers)
	c := &chart.Chart{
		Kind: chart.Areas, Text: "Areas of the number of devices by software version over time. The table below has the numbers.", Whole: true,
	}
	var times []time.Time
	times, c.Labels = pointsInTime(view.Since, x.now)
	devices := func(name string, at time.Time) (n int) {
		sample, _ := sampleAt(x.samples, at)
		for version, count := range sample.Devices {
			if version == name || name == chart.Other && !slices.Contains(shown, version) {
				n += count
			}
		}
		return n
	}
	parts := shown
	if len(names) > len(shown) {
		parts = append([]string{chart.Other}, shown...)
	}
	view.Table.Columns = []string{"Day"}
	for _, name := range parts {
		part := chart.Series{Name: orNone(name), Color: chart.Other}
		if name != chart.Other {
			part.Color = colors.of(name)
		}
		for _, at := range times {
			part.Values = append(part.Values, float64(devices(name, at)))
		}
		c.Series = append(c.Series, part)
		view.Table.Columns = append(view.Table.Columns, part.Name)
	}
	for _, at := range endsOfDays(view.Since, x.now, tableDays) {
		row := []string{dayText(at, x.now)}
		for _, name := range parts {
			row = append(row, number(devices(name, at)))
		}
		view.Table.Rows = append(view.Table.Rows, row)
	}
	view.Chart = c
	return view, nil
}

// activeView is the number of devices that were seen in 24 hours, at the ends of days.
type activeView struct {
	Chart *chart.Chart
	Table table
}

func (s *Server) activeView(_ context.Context, x *snapshot) (any, error) {
	view := activeView{Table: table{Columns: []string{"24 h up to the end of", "Devices seen"}}}
	if len(x.samples) == 0 {
		return view, nil
	}
	c := &chart.Chart{
		Kind: chart.Columns, Whole: true,
		Text: "Columns of the number of devices that were seen in the 24 hours before the end of each day in UTC, the last one in the 24 hours before now. The table below has the numbers.",
	}
	active := chart.Series{Name: "devices seen in 24 h", Color: chart.Fine}
	for _, at := range slices.Backward(endsOfDays(x.samples[0].Time, x.now, reader.RebootDays)) {
		sample, ok := sampleAt(x.samples, at)
		seen := sample.Seen
		if at.Equal(x.now) {
			seen, ok = x.all.Seen, true
		} else if at.Sub(sample.Time) > lastSample {
			ok = false
		}
		c.Labels = append(c.Labels, dayText(at, x.now))
		text := "not known"
		if ok {
			text = number(seen)
			active.Values = append(active.Values, float64(seen))
		} else {
			active.Values = append(active.Values, 0)
		}
		view.Table.Rows = append(view.Table.Rows, []string{dayText(at, x.now), text})
	}
	slices.Reverse(view.Table.Rows)
	c.Series = []chart.Series{active}
	view.Chart = c
	return view, nil
}

// largest returns the keys, sorted by their values, the largest first.
func largest[K cmp.Ordered](values map[K]int) (keys []K) {
	for key := range values {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b K) int { return cmp.Or(values[b]-values[a], cmp.Compare(a, b)) })
	return keys
}

// plural returns a number with a noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", number(n), noun)
}
