// Package chart draws charts as SVG elements of an HTML page.
//
// Positions along the horizontal axis are percentages, and text has the size that the style sheet
// gives it. So a chart is drawn by the browser for the width at which it is shown, and its text
// grows with that of the page. Colors are classes of the style sheet, for light, dark and printed
// pages; the page may use no inline styles.
package chart

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kind is a kind of chart.
type Kind int

// Kinds of charts.
const (
	Columns Kind = iota // stacked columns, one for each label
	Areas               // stacked areas over time
	Lines               // lines over time
)

// Classes of colors besides "s0" to "s5".
const (
	Other      = "other"
	Bad        = "bad"
	Fine       = "fine"
	MaxColors  = 6
	plotHeight = 200
	topMargin  = 12
	axisHeight = 26
	labelGap   = 18 // between direct labels
	timeLabels = 7
	maxColumn  = 12 // percent of the width
)

// Color returns the class of a color by its number.
func Color(n int) string { return "s" + strconv.Itoa(n%MaxColors) }

// Series is a part of a stack, or a line.
type Series struct {
	Name   string
	Color  string // a class
	Values []float64
	Target float64 // drawn as a dashed line if it is not 0
}

// Chart is what a chart shows.
type Chart struct {
	Kind   Kind
	Text   string   // describes the chart to those who cannot see it
	Labels []string // of the columns or points in time; one for each value
	Series []Series // in a stack, the first is at the bottom; NaN in a line is unknown
	Unit   string   // appended to the numbers of the axis
	Max    float64  // of the axis; from the values by default
	Whole  bool     // whether all values are whole numbers
	// Partial reports that the last column is of a time that is not over.
	Partial bool
}

// HTML returns the chart, with the names of its series at their ends.
func (c Chart) HTML() template.HTML {
	top := c.Max
	if top <= 0 {
		top = c.top()
	}
	ticks := Ticks(top, c.Whole)
	top = max(top, ticks[len(ticks)-1])
	d := drawing{chart: c, top: top}
	d.printf(`<div class="chart"><svg class="axis" width="56" height="%d" aria-hidden="true">`, plotHeight+topMargin+axisHeight)
	for _, tick := range ticks {
		d.printf(`<text x="50" y="%.1f" dy=".35em" text-anchor="end">%s</text>`, d.y(tick), escape(format(tick, ticks)+c.Unit))
	}
	d.printf(`</svg><svg class="plot" width="100%%" height="%d" role="img" aria-label="%s">`, plotHeight+topMargin+axisHeight, escape(c.Text))
	for _, tick := range ticks {
		d.printf(`<line class="rule" x1="0" x2="100%%" y1="%.1f" y2="%.1f"/>`, d.y(tick), d.y(tick))
	}
	var ends []end
	switch c.Kind {
	case Columns:
		d.columns()
	case Areas:
		ends = d.areas()
	default:
		ends = d.lines()
	}
	d.timeAxis()
	d.printf(`</svg>`)
	d.ends(ends)
	d.printf(`</div>`)
	d.legend()
	return template.HTML(d.out.String()) //nolint:gosec // all text is escaped
}

// drawing is a chart that is being drawn.
type drawing struct {
	out   bytes.Buffer
	chart Chart
	top   float64 // of the vertical axis
}

// end is the right end of a series, where its name stands.
type end struct {
	series Series
	y      float64
}

func (d *drawing) printf(text string, args ...any) { fmt.Fprintf(&d.out, text, args...) }

func (d *drawing) y(value float64) float64 { return topMargin + plotHeight*(1-value/d.top) }

// top returns the largest value, or stack of values.
func (c Chart) top() (top float64) {
	for i := range c.Labels {
		stack := 0.0
		for _, s := range c.Series {
			if v := s.Values[i]; c.Kind == Lines {
				top = max(top, s.Target)
				if v > top {
					top = v
				}
			} else {
				stack += v
			}
		}
		top = max(top, stack)
	}
	return cmp.Or(top, 1)
}

func (d *drawing) columns() {
	slot := 100 / float64(max(1, len(d.chart.Labels)))
	width := min(0.8*slot, maxColumn)
	for i, label := range d.chart.Labels {
		class := ""
		if d.chart.Partial && i == len(d.chart.Labels)-1 {
			class = " partial"
		}
		bottom, stack := d.y(0), 0.0
		for _, s := range d.chart.Series {
			if !(s.Values[i] > 0) {
				continue
			}
			stack += s.Values[i]
			y := d.y(stack)
			height := bottom - y
			if height > 3 {
				height -= 1.5 // a gap between the parts
			}
			d.printf(`<rect class="%s%s" x="%.3f%%" y="%.1f" width="%.3f%%" height="%.1f"><title>%s</title></rect>`, s.Color, class,
				(float64(i)+0.5)*slot-width/2, y, width, height, escape(fmt.Sprintf("%s, %s: %s%s", label, s.Name, number(s.Values[i]), d.chart.Unit)))
			bottom = y
		}
	}
}

// x returns the place of a point in a box of the width 1000.
func (d *drawing) x(i int) float64 { return 1000 * float64(i) / float64(max(1, len(d.chart.Labels)-1)) }

// openBox begins an element that is stretched to the width of the chart, for paths, which cannot
// have percentages.
func (d *drawing) openBox() {
	d.printf(`<svg x="0" y="0" width="100%%" height="%d" viewBox="0 0 1000 %d" preserveAspectRatio="none">`, plotHeight+topMargin, plotHeight+topMargin)
}

func (d *drawing) areas() (ends []end) {
	d.openBox()
	below := make([]float64, len(d.chart.Labels))
	for _, s := range d.chart.Series {
		var path strings.Builder
		for i := range below {
			fmt.Fprintf(&path, "%s%.1f %.1f", cmp.Or(map[bool]string{true: "M"}[i == 0], "L"), d.x(i), d.y(below[i]+s.Values[i]))
		}
		for i := len(below) - 1; i >= 0; i-- {
			fmt.Fprintf(&path, "L%.1f %.1f", d.x(i), d.y(below[i]))
		}
		d.printf(`<path class="%s area" d="%sZ"><title>%s</title></path>`, s.Color, path.String(), escape(s.Name))
		for i := range below {
			below[i] += s.Values[i]
		}
		if n := len(below) - 1; n >= 0 && s.Values[n] > 0 {
			ends = append(ends, end{s, d.y(below[n] - s.Values[n]/2)})
		}
	}
	d.printf(`</svg>`)
	return ends
}

func (d *drawing) lines() (ends []end) {
	d.openBox()
	for _, s := range d.chart.Series {
		if s.Target > 0 {
			d.printf(`<path class="%s target" d="M0 %.1fL1000 %.1f"><title>%s</title></path>`, s.Color, d.y(s.Target), d.y(s.Target),
				escape(fmt.Sprintf("Target of %s: %s%s", s.Name, number(s.Target), d.chart.Unit)))
		}
		var path strings.Builder
		command, last := "M", math.NaN()
		for i, v := range s.Values {
			if math.IsNaN(v) {
				command = "M"
				continue
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", command, d.x(i), d.y(v))
			command, last = "L", v
		}
		if path.Len() == 0 {
			continue
		}
		d.printf(`<path class="%s line" d="%s"><title>%s</title></path>`, s.Color, path.String(), escape(s.Name))
		ends = append(ends, end{s, d.y(last)})
	}
	d.printf(`</svg>`)
	return ends
}

// timeAxis writes some of the labels below the plot; on a narrow screen, the style sheet hides every
// other one.
func (d *drawing) timeAxis() {
	n := len(d.chart.Labels)
	last := ""
	for k := range timeLabels {
		at := int(math.Round(float64(k) * float64(n-1) / (timeLabels - 1)))
		if n == 0 || d.chart.Labels[at] == last {
			continue
		}
		last = d.chart.Labels[at]
		x := d.x(at) / 10
		if d.chart.Kind == Columns {
			x = (float64(at) + 0.5) * 100 / float64(n)
		}
		anchor, class := "middle", ""
		switch {
		case x < 4:
			anchor, x = "start", 0
		case x > 96:
			anchor, x = "end", 100
		}
		if k%3 != 0 {
			class = ` class="detail"`
		}
		d.printf(`<text%s x="%.2f%%" y="%d" text-anchor="%s">%s</text>`, class, x, plotHeight+topMargin+18, anchor, escape(d.chart.Labels[at]))
	}
}

// ends writes the names of the series at their right ends, without overlap.
func (d *drawing) ends(ends []end) {
	if len(ends) == 0 {
		return
	}
	slices.SortFunc(ends, func(a, b end) int { return cmp.Compare(a.y, b.y) })
	limit := float64(topMargin + plotHeight)
	for i := len(ends) - 1; i >= 0; i-- {
		ends[i].y = min(ends[i].y, limit)
		limit = ends[i].y - labelGap
	}
	if shift := topMargin/2 - ends[0].y; shift > 0 { // they do not fit: from the top, then
		at := ends[0].y + shift
		for i := range ends {
			ends[i].y = max(ends[i].y, at)
			at = ends[i].y + labelGap
		}
	}
	d.printf(`<svg class="ends" width="180" height="%d" aria-hidden="true">`, plotHeight+topMargin+axisHeight)
	for _, e := range ends {
		d.printf(`<rect class="%s" x="6" y="%.1f" width="10" height="10"/><text x="22" y="%.1f" dy=".35em">%s</text>`,
			e.series.Color, e.y-5, e.y, escape(Shorten(e.series.Name, 18)))
	}
	d.printf(`</svg>`)
}

// legend lists the series. If there are names at the ends, the style sheet shows the legend only on
// a narrow screen.
func (d *drawing) legend() {
	class := "legend"
	if d.chart.Kind != Columns {
		class += " narrow"
	}
	d.printf(`<ul class="%s" aria-hidden="true">`, class)
	for _, s := range slices.Backward(d.chart.Series) {
		d.printf(`<li><svg width="12" height="12"><rect class="%s" width="12" height="12"/></svg> <bdi>%s</bdi></li>`, s.Color, escape(s.Name))
	}
	d.printf(`</ul>`)
}

// Bar is a row of [Bars].
type Bar struct {
	Color     string
	Text      string // describes the bar; shown above it
	Value     float64
	Low, High float64 // of the interval; it is not drawn if both are 0
}

// Bars returns horizontal bars below their texts, with intervals.
func Bars(text, unit string, bars []Bar) template.HTML {
	top := 0.0
	for _, b := range bars {
		top = max(top, b.Value*1.1, min(b.High, 3*b.Value))
	}
	ticks := Ticks(cmp.Or(top, 1), false)
	top = max(top, ticks[len(ticks)-1])
	d := drawing{top: top}
	const row = 24
	x := func(value float64) float64 { return min(100, 96*value/top) }
	open := func(height int) {
		d.printf(`<svg width="100%%" height="%d" aria-hidden="true">`, height)
	}
	d.printf(`<div class="bars" role="img" aria-label="%s">`, escape(text))
	for _, b := range bars {
		d.printf(`<p class="name">%s</p>`, escape(b.Text))
		open(row)
		for _, tick := range ticks {
			d.printf(`<line class="rule" x1="%.2f%%" x2="%.2f%%" y1="0" y2="%d"/>`, x(tick), x(tick), row)
		}
		d.printf(`<rect class="%s" x="0" y="2" width="%.2f%%" height="16"/>`, b.Color, x(b.Value))
		if b.Low > 0 || b.High > 0 {
			d.printf(`<line class="interval" x1="%.2f%%" x2="%.2f%%" y1="10" y2="10"/>`, x(b.Low), x(b.High))
			for _, limit := range []float64{b.Low, b.High} {
				if x(limit) < 100 {
					d.printf(`<line class="interval" x1="%.2f%%" x2="%.2f%%" y1="5" y2="15"/>`, x(limit), x(limit))
				}
			}
		}
		d.printf(`</svg>`)
	}
	open(axisHeight)
	for _, tick := range ticks {
		d.printf(`<text x="%.2f%%" y="14" text-anchor="%s">%s</text>`, x(tick), map[bool]string{true: "start", false: "middle"}[tick == 0], escape(format(tick, ticks)+unit))
	}
	d.printf(`</svg></div>`)
	return template.HTML(d.out.String()) //nolint:gosec // all text is escaped
}

// Ticks returns at most six round numbers from 0 to top or a little above it.
func Ticks(top float64, whole bool) []float64 {
	step := math.Pow(10, math.Floor(math.Log10(top)))
	for _, factor := range []float64{0.2, 0.5, 1, 2, 5} {
		if top/(step*factor) <= 5 {
			step *= factor
			break
		}
	}
	if whole {
		step = max(1, math.Round(step))
	}
	ticks := []float64{0}
	for i := 1; ticks[len(ticks)-1] < top*(1-1e-9); i++ {
		ticks = append(ticks, float64(i)*step)
	}
	return ticks
}

// format returns a number of an axis with as many decimals as the axis needs.
func format(tick float64, ticks []float64) string {
	decimals := max(0, int(-math.Floor(math.Log10(ticks[1])+1e-9)))
	return strconv.FormatFloat(tick, 'f', decimals, 64)
}

// number returns a value with at most two decimals.
func number(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 2, 64), "0"), ".")
}

// Shorten cuts the middle out of a text of more than n characters, because both ends of a
// version matter.
func Shorten(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n/2]) + "…" + string(runes[len(runes)-n/2+1:])
	}
	return text
}

// escape escapes a text for HTML and for XML, which cannot contain control characters.
func escape(text string) string {
	return template.HTMLEscapeString(Visible(text))
}

// Visible shows control characters, and characters that change the direction of text.
func Visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ':
			return '\u2400' + r // the picture of the character
		case r == '\x7f':
			return '\u2421'
		case r >= 0x80 && r < 0xa0, r >= '\u200b' && r <= '\u200f', r >= '\u2028' && r <= '\u202e', r >= '\u2060' && r <= '\u206f', r == '\ufeff', r == '\ufffe', r == '\uffff':
			return '\ufffd'
		}
		return r
	}, text)
}
