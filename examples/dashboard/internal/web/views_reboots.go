package web

import (
	"context"
	"time"

	"github.com/memfault-go/memfault"

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
	Chart   *chart
}

func (v rebootsView) chart() *chart { return v.Chart }

func (s *Server) loadReboots(ctx context.Context) (any, error) {
	today := s.Now().UTC().Truncate(24 * time.Hour)
	since := today.AddDate(0, 0, 1-reader.RebootDays)
	counts, err := s.Store.RebootCounts(ctx, since)
	if err != nil {
		return nil, err
	}
	view := newRebootsView(counts, since, today)
	view.Read, view.Devices, err = s.Store.RebootCoverage(ctx, since)
	return view, err
}

func newRebootsView(counts []store.RebootCount, since, today time.Time) rebootsView {
	view := rebootsView{Days: int(today.Sub(since).Hours()/24) + 1}
	total, now := map[memfault.RebootReason]int{}, map[memfault.RebootReason]int{}
	for _, c := range counts {
		total[c.Reason] += c.Reboots
		view.Total += c.Reboots
		if c.Day.Equal(today) {
			now[c.Reason] += c.Reboots
		}
	}
	reasons := largest(total)
	for _, reason := range reasons {
		view.Reasons = append(view.Reasons, reasonRow{reason, total[reason], now[reason]})
	}
	if view.Total == 0 {
		return view
	}
	c := &chart{kind: barsUp}
	index := map[memfault.RebootReason]int{}
	for i, reason := range reasons {
		index[reason] = min(i, chartSeries)
		if i <= chartSeries {
			c.series = append(c.series, series{name: reason.String(), values: make([]float64, view.Days)})
		}
	}
	if len(reasons) > chartSeries {
		c.series[chartSeries].name = other
	}
	for n := range view.Days {
		c.labels = append(c.labels, since.AddDate(0, 0, n).Format("Jan 2"))
	}
	for _, counted := range counts {
		if at := int(counted.Day.Sub(since).Hours() / 24); at >= 0 && at < view.Days {
			c.series[index[counted.Reason]].values[at] += float64(counted.Reboots)
		}
	}
	view.Chart = c
	return view
}
