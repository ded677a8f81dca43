package web

import (
	"context"
	"slices"
	"time"

	"github.com/memfault-go/memfault/examples/dashboard/internal/chart"
	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	chartPoints = 60 // points in time
	chartLines  = 6  // lines, and parts of a stack besides "other"
	tableDays   = 14
	// lastSample is how long before the end of a day its last sample can be. If it is older, the
	// dashboard did not run.
	lastSample = 7 * time.Hour
)

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
