package web

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-analyze/charts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// sum returns the sum of all values of a chart.
func sum(c *chart) (total float64) {
	for _, s := range c.series {
		for _, v := range s.values {
			total += v
		}
	}
	return total
}

func TestVersions_ManyVersionsAndCohorts(t *testing.T) {
	var counts []store.Count
	total := 0
	for cohort := range 12 {
		for version := range 40 {
			n := 1 + cohort*version
			counts = append(counts, store.Count{Cohort: fmt.Sprint("c", cohort), Version: fmt.Sprintf("1.%d.0", version), Devices: n})
			total += n
		}
	}
	view := newVersionsView(counts)
	assert.Equal(t, total, view.Total)
	assert.Len(t, view.Rows, tableRows)
	assert.Equal(t, 10, view.Hidden)
	assert.Equal(t, "1.39.0", view.Rows[0].Version, "the newest first, not by text")
	assert.Len(t, view.Chart.labels, chartRows+1)
	assert.Equal(t, other, view.Chart.labels[0], "the library draws the first at the bottom")
	assert.Len(t, view.Chart.series, chartSeries+1)
	// The chart contains all devices except those of the hidden versions.
	hidden := 0
	for version := range 10 {
		for cohort := range 12 {
			hidden += 1 + cohort*version
		}
	}
	assert.InDelta(t, total-hidden, sum(view.Chart), 0.5)
}

func TestVersions_EmptyFleet(t *testing.T) {
	assert.Nil(t, newVersionsView(nil).chart())
}

func TestReboots_ManyReasons(t *testing.T) {
	today := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	since := today.AddDate(0, 0, -29)
	var counts []store.RebootCount
	for day := range 30 {
		for reason := range 10 {
			counts = append(counts, store.RebootCount{Day: since.AddDate(0, 0, day), Reason: memfault.RebootReason(reason), Reboots: 1 + reason})
		}
	}
	view := newRebootsView(counts, since, today)
	assert.Equal(t, 30*55, view.Total)
	assert.InDelta(t, 30*55, sum(view.Chart), 0.5)
	assert.Len(t, view.Chart.series, chartSeries+1)
	assert.Equal(t, other, view.Chart.series[chartSeries].name)
	assert.Equal(t, reasonRow{9, 300, 10}, view.Reasons[0])
}

func TestRolloutChart_StepsBetweenSamples(t *testing.T) {
	from := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	c := rolloutChart([]string{"a", "b"}, [][]store.Share{
		{{Time: from, Share: 0.1}, {Time: from.Add(30 * time.Hour), Share: 0.5}},
		{{Time: from.Add(59 * time.Hour), Share: 1}},
	}, from, from.Add(59*time.Hour))
	require.Len(t, c.labels, chartPoints)
	assert.InDelta(t, 10, c.series[0].values[29], 0.01)
	assert.InDelta(t, 50, c.series[0].values[30], 0.01)
	assert.InDelta(t, 50, c.series[0].values[59], 0.01)
	assert.InDelta(t, charts.GetNullValue(), c.series[1].values[58], 0)
	assert.InDelta(t, 100, c.series[1].values[59], 0.01)
}

// Each chart is well-formed XML in all themes and sizes, whatever the names contain.
func TestDraw_WellFormed(t *testing.T) {
	odd := `<script>"&'` + "\x00\u202e" + strings.Repeat("long", 50)
	for _, kind := range []chartKind{barsAcross, barsUp, lines} {
		for theme := range themes {
			for size := range sizes {
				c := chart{kind: kind, labels: []string{"1", odd}, series: []series{{odd, []float64{1, 2}}, {"b", []float64{0, charts.GetNullValue()}}}}
				svg, err := c.draw(theme, size)
				require.NoError(t, err)
				decoder := xml.NewDecoder(strings.NewReader(string(svg)))
				for err == nil {
					_, err = decoder.Token()
				}
				require.ErrorIs(t, err, io.EOF)
				assert.NotContains(t, string(svg), "<script>")
			}
		}
	}
}

func TestFunctions_Texts(t *testing.T) {
	assert.Equal(t, "1\u202f234\u202f567", number(1234567))
	assert.Equal(t, "-1\u202f000", number(-1000))
	assert.Equal(t, "999", number(999))
	for d, want := range map[time.Duration]string{
		0: "0 ms ago", 90 * time.Second: "1 min 30 s ago", 2 * time.Minute: "2 min ago", -time.Hour: "in 1 h", -time.Second: "0 ms ago", 50 * time.Hour: "2 days ago",
	} {
		assert.Equal(t, want, ago(d))
	}
	assert.Equal(t, "abcd…xyz", shorten("abcdefghijklmnopqrstuvwxyz", 8))
	assert.Equal(t, "abcdefgh", shorten("abcdefgh", 8))
	assert.Equal(t, "258", strings.Join(thin(strings.Split("123456789", ""), 3), ""))
}

func TestExplain_EachKind(t *testing.T) {
	s := &Server{Options: Options{Project: memfault.ProjectRef{Organization: "acme", Project: "sink"}}}
	assert.Empty(t, s.explain(nil))
	for want, err := range map[string]error{
		"cannot be reached": memfault.ErrNoAnswer, "does not permit": memfault.ErrForbidden, "lower -rate": memfault.ErrRateLimited, `slugs "acme" and "sink"`: memfault.ErrNotFound,
		"wrong slug": &memfault.Error{StatusCode: 500}, "disk full": errors.New("disk full"),
	} {
		assert.Contains(t, s.explain(err), want)
	}
}
