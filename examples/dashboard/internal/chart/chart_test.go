package chart_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/examples/dashboard/internal/chart"
)

func TestTicks_RoundNumbers(t *testing.T) {
	for _, test := range []struct {
		top   float64
		whole bool
		want  []float64
	}{
		{1, true, []float64{0, 1}},
		{2, true, []float64{0, 1, 2}},
		{5, true, []float64{0, 1, 2, 3, 4, 5}},
		{7, true, []float64{0, 2, 4, 6, 8}},
		{1, false, []float64{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}},
		{100, false, []float64{0, 20, 40, 60, 80, 100}},
		{40_000, true, []float64{0, 10_000, 20_000, 30_000, 40_000}},
		{0.3, true, []float64{0, 1}},
	} {
		assert.InDeltaSlice(t, test.want, chart.Ticks(test.top, test.whole), 1e-9, "%v", test.top)
	}
}

func axis(t *testing.T, html string) (numbers []string) {
	t.Helper()
	_, after, found := strings.Cut(html, `<svg class="axis"`)
	require.True(t, found)
	inner, _, _ := strings.Cut(after, "</svg>")
	for _, match := range regexp.MustCompile(`>([^<]+)</text>`).FindAllStringSubmatch(inner, -1) {
		numbers = append(numbers, match[1])
	}
	return numbers
}

// The axis of a fleet with few devices has no 0.4 devices, and no 0.6000000000000001.
func TestChart_AxisOfSmallNumbers(t *testing.T) {
	c := chart.Chart{Labels: []string{"a", "b"}, Series: []chart.Series{{Name: "x", Color: "s0", Values: []float64{1, 2}}}, Whole: true}
	assert.Equal(t, []string{"0", "1", "2"}, axis(t, string(c.HTML())))
	c.Whole, c.Series[0].Values = false, []float64{0.3, 0.9}
	assert.Equal(t, []string{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}, axis(t, string(c.HTML())))
	c.Max, c.Unit = 100, " %"
	assert.Equal(t, []string{"0 %", "20 %", "40 %", "60 %", "80 %", "100 %"}, axis(t, string(c.HTML())))
}

// A last column that is not over looks different, and the parts of a stack do not touch.
func TestChart_Columns(t *testing.T) {
	c := chart.Chart{
		Labels: []string{"a", "b"}, Partial: true,
		Series: []chart.Series{{Name: "x", Color: "s0", Values: []float64{50, 50}}, {Name: "y", Color: "s1", Values: []float64{50, 0}}},
	}
	html := string(c.HTML())
	assert.Equal(t, 1, strings.Count(html, `class="s0 partial"`))
	assert.NotContains(t, html, `class="s1 partial"`, "its value is 0")
	assert.Contains(t, html, `<rect class="s0" x="19.000%" y="112.0" width="12.000%" height="98.5">`)
	assert.Contains(t, html, `<rect class="s1" x="19.000%" y="12.0" width="12.000%" height="98.5">`)
}

// Points in a short time have the same label. It is written once.
func TestChart_EachLabelOnce(t *testing.T) {
	c := chart.Chart{Kind: chart.Lines, Labels: []string{"22:50", "22:50", "22:50", "22:50", "22:50", "22:51", "22:51"}, Series: []chart.Series{{Name: "x", Color: "s0", Values: make([]float64, 7)}}}
	html := string(c.HTML())
	assert.Equal(t, 1, strings.Count(html, ">22:50</text>"))
	assert.Equal(t, 1, strings.Count(html, ">22:51</text>"))
}

func TestChart_LinesBreakWhereUnknown(t *testing.T) {
	c := chart.Chart{Kind: chart.Lines, Max: 100, Labels: make([]string, 5), Series: []chart.Series{
		{Name: "x", Color: "s0", Values: []float64{0, 100, math.NaN(), 50, 50}, Target: 50}, {Name: "none", Color: "s1", Values: []float64{math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()}},
	}}
	html := string(c.HTML())
	assert.Contains(t, html, `d="M0.0 212.0L250.0 12.0M750.0 112.0L1000.0 112.0"`)
	assert.Contains(t, html, `<path class="s0 target" d="M0 112.0L1000 112.0">`)
	assert.NotContains(t, html, `class="s1 line"`)
}

// Names at the ends of the series keep their distance.
func TestChart_EndsDoNotOverlap(t *testing.T) {
	c := chart.Chart{Kind: chart.Areas, Labels: []string{"a", "b"}}
	for range 7 {
		c.Series = append(c.Series, chart.Series{Name: "x", Color: "s0", Values: []float64{1, 0.001}})
	}
	c.Series[6].Values[1] = 100
	_, ends, _ := strings.Cut(string(c.HTML()), `<svg class="ends"`)
	places := regexp.MustCompile(`<text x="22" y="([0-9.]+)"`).FindAllStringSubmatch(ends, -1)
	require.Len(t, places, 7)
	last := -100.0
	for _, place := range places {
		var y float64
		require.NoError(t, xml.Unmarshal([]byte("<y>"+place[1]+"</y>"), &y))
		assert.GreaterOrEqual(t, y-last, 17.9)
		last = y
	}
	assert.LessOrEqual(t, last, 212.0)
}

// Each chart is well-formed, whatever the names contain.
func TestHTML_WellFormed(t *testing.T) {
	odd := `<script>"&'` + "\x00\x1b\u202e" + strings.Repeat("long", 50)
	var pages []string
	for _, kind := range []chart.Kind{chart.Columns, chart.Areas, chart.Lines} {
		c := chart.Chart{Kind: kind, Text: odd, Unit: odd, Labels: []string{"1", odd}, Series: []chart.Series{{Name: odd, Color: "s0", Values: []float64{1, 2}}, {Name: "b", Color: "s1", Values: []float64{0, 0}}}}
		pages = append(pages, string(c.HTML()), string(chart.Chart{Kind: kind}.HTML()))
	}
	pages = append(pages, string(chart.Bars(odd, "", []chart.Bar{{Color: "bad", Text: odd, Value: 3, Low: 1, High: math.Inf(1)}, {Color: "fine", Value: 0}})))
	for _, page := range pages {
		decoder := xml.NewDecoder(strings.NewReader("<div>" + page + "</div>"))
		var err error
		for err == nil {
			_, err = decoder.Token()
		}
		if !errors.Is(err, io.EOF) {
			require.NoError(t, err, page)
		}
		assert.NotContains(t, page, "<script>")
		assert.NotContains(t, page, "NaN")
		assert.NotContains(t, page, "Inf")
	}
}

func TestShorten_KeepsBothEnds(t *testing.T) {
	assert.Equal(t, "abcd…xyz", chart.Shorten("abcdefghijklmnopqrstuvwxyz", 8))
	assert.Equal(t, "abcdefgh", chart.Shorten("abcdefgh", 8))
}

func TestVisible_ControlCharacters(t *testing.T) {
	assert.Equal(t, "a␛[31m␀\ufffdé日", chart.Visible("a\x1b[31m\x00\u202eé日"))
}
