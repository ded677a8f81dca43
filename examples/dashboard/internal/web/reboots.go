package web

import (
	"context"
	"strconv"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/chart"
	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// reasonRow is a reason of reboots.
type reasonRow struct {
	Reason  memfault.RebootReason
	Reboots int // in all days
	Today   int
}

type rebootsView struct {
	Reasons []reasonRow
	Total   int
	Days    int
	Read    int // devices whose reboots were read
	Devices int // devices that were seen in these days
	WasRead bool
	// PerHundred reports whether the chart shows reboots for 100 devices. WithSeen reports whether
	// that is possible.
	PerHundred, WithSeen bool
	Switch               string // the address with the other chart
	Chart                *chart.Chart
	Table                table
}

func (s *Server) rebootsView(ctx context.Context, x *snapshot) (any, error) {
	today := x.now.UTC().Truncate(24 * time.Hour)
	since := reader.RebootsSince(x.now)
	counts, err := s.Store.RebootCounts(ctx, x.scope, since)
	if err != nil {
		return nil, err
	}
	seen := map[time.Time]int{} // devices by day
	for _, at := range endsOfDays(since, x.now, reader.RebootDays) {
		if sample, ok := sampleAt(x.samples, at); ok && at.Sub(sample.Time) <= lastSample {
			seen[at.UTC().Truncate(24*time.Hour)] = sample.Seen
		}
	}
	view := newRebootsView(counts, seen, since, today)
	if x.perHundred {
		view = view.perHundred(seen, since)
	}
	view.PerHundred, view.WithSeen = x.perHundred, len(seen) > 1
	view.Switch = s.fleetAddress(x.scope, !x.perHundred) + "#reboots"
	view.WasRead = s.wasRead(reader.Reboots)
	view.Read, view.Devices = x.all.KeptRead, x.all.Kept
	return view, nil
}

// newRebootsView counts the reboots of each day since a day. seen is the number of devices that were
// seen on a day, if that is known.
func newRebootsView(counts []store.RebootCount, seen map[time.Time]int, since, today time.Time) rebootsView {
	view := rebootsView{Days: int(today.Sub(since).Hours()/24) + 1}
	total, now := map[memfault.RebootReason]int{}, map[memfault.RebootReason]int{}
	expected, unexpected := make([]float64, view.Days), make([]float64, view.Days)
	for _, c := range counts {
		total[c.Reason] += c.Reboots
		view.Total += c.Reboots
		if c.Day.Equal(today) {
			now[c.Reason] += c.Reboots
		}
		if at := int(c.Day.Sub(since).Hours() / 24); at >= 0 && at < view.Days {
			if c.Reason.IsError() {
				unexpected[at] += float64(c.Reboots)
			} else {
				expected[at] += float64(c.Reboots)
			}
		}
	}
	for _, reason := range largest(total) {
		view.Reasons = append(view.Reasons, reasonRow{reason, total[reason], now[reason]})
	}
	if view.Total == 0 {
		return view
	}
	c := &chart.Chart{
		Kind: chart.Columns, Whole: true, Partial: true,
		Text:   "Columns of the number of reboots of each of the last 30 days in UTC, unexpected ones below and expected ones above. Today is not over. The table below has the numbers.",
		Series: []chart.Series{{Name: "unexpected", Color: chart.Bad, Values: unexpected}, {Name: "expected", Color: chart.Fine, Values: expected}},
	}
	view.Table.Columns = []string{"Day, UTC", "Unexpected", "Expected", "Devices seen", "Unexpected per 100 devices"}
	for n := range view.Days {
		day := since.AddDate(0, 0, n)
		label := day.Format("Jan 2")
		if day.Equal(today) {
			label = "today, so far"
		}
		c.Labels = append(c.Labels, label)
		devices, per := "not known", "not known"
		if n := seen[day]; n > 0 {
			devices = number(n)
			per = decimal(100 * unexpected[int(day.Sub(since).Hours()/24)] / float64(n))
		}
		view.Table.Rows = append([][]string{{label, strconv.Itoa(int(unexpected[n])), strconv.Itoa(int(expected[n])), devices, per}}, view.Table.Rows...)
	}
	view.Chart = c
	return view
}

// perHundred returns the view with a chart of reboots for 100 devices that were seen. Days on which
// their number is not known are left out.
func (v rebootsView) perHundred(seen map[time.Time]int, since time.Time) rebootsView {
	if v.Chart == nil {
		return v
	}
	per := *v.Chart
	per.Whole, per.Series, per.Labels = false, nil, nil
	for _, part := range v.Chart.Series {
		scaled := chart.Series{Name: part.Name, Color: part.Color}
		for n, value := range part.Values {
			if devices := seen[since.AddDate(0, 0, n)]; devices > 0 {
				scaled.Values = append(scaled.Values, 100*value/float64(devices))
			}
		}
		per.Series = append(per.Series, scaled)
	}
	for n, label := range v.Chart.Labels {
		if seen[since.AddDate(0, 0, n)] > 0 {
			per.Labels = append(per.Labels, label)
		}
	}
	if len(per.Labels) == 0 {
		return v
	}
	per.Text = "Columns of the number of reboots of each day in UTC for 100 devices that were seen. Today is not over. The table below has the numbers."
	v.Chart = &per
	return v
}
