package web

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-analyze/charts"
)

// chart is what a chart shows, independent of its colors and size.
type chart struct {
	kind   chartKind
	labels []string // of the categories or the points in time
	series []series
	unit   string // appended to the values on the axis
	max    float64
}

type chartKind int

const (
	barsAcross chartKind = iota // horizontal stacked bars, a row for each label
	barsUp                      // vertical stacked bars, a column for each label
	lines
)

type series struct {
	name   string
	values []float64 // one for each label; charts.GetNullValue() if unknown
}

// size is a size of a chart in CSS pixels. Each size is drawn separately instead of scaled, so
// that text has the same size everywhere.
type size struct{ width, height int }

var sizes = map[string]size{"full": {1200, 340}, "half": {600, 340}, "phone": {340, 340}}

// themes are the colors by the name of a theme. Their contrast against the background is at least
// 3:1, and that of text at least 4.5:1.
var themes = map[string]charts.ColorPalette{
	"light": charts.MakeTheme(charts.ThemeOption{
		BackgroundColor: charts.ColorTransparent, TextColor: color("#334155"), AxisStrokeColor: color("#64748b"), AxisSplitLineColor: color("#e2e8f0"),
		SeriesColors: []charts.Color{color("#2563eb"), color("#c2410c"), color("#047857"), color("#a21caf"), color("#b45309"), color("#0e7490"), color("#64748b")},
	}),
	"dark": charts.MakeTheme(charts.ThemeOption{
		IsDarkMode: true, BackgroundColor: charts.ColorTransparent, TextColor: color("#cbd5e1"), AxisStrokeColor: color("#94a3b8"), AxisSplitLineColor: color("#334155"),
		SeriesColors: []charts.Color{color("#60a5fa"), color("#fb923c"), color("#34d399"), color("#e879f9"), color("#fbbf24"), color("#22d3ee"), color("#94a3b8")},
	}),
}

func color(hex string) charts.Color { return charts.ColorFromHex(hex) }

// draw returns the chart as SVG.
func (c chart) draw(theme, sizeName string) ([]byte, error) {
	palette, at := themes[theme], sizes[sizeName]
	if palette == nil || at.width == 0 {
		return nil, fmt.Errorf("unknown theme %q or size %q", theme, sizeName)
	}
	if c.kind == barsAcross {
		at.height = 90 + 34*len(c.labels)
	}
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: at.width, Height: at.height, Theme: palette})
	if err := c.paint(painter, at); err != nil {
		return nil, err
	}
	svg, err := painter.Bytes()
	return bytes.TrimSpace(svg), err
}

func (c chart) paint(painter *charts.Painter, at size) error {
	names, values := make([]string, len(c.series)), make([][]float64, len(c.series))
	for i, s := range c.series {
		names[i], values[i] = s.name, s.values
	}
	font := charts.NewFontStyleWithSize(9)
	legend := charts.LegendOption{SeriesNames: names, FontStyle: font}
	padding := charts.NewBoxEqual(8)
	padding.Right = 24
	axis := charts.CategoryAxisOption{LabelFontStyle: font}
	value := charts.ValueAxisOption{LabelFontStyle: font, Min: charts.Ptr(0.0), ValueFormatter: c.format}
	if c.max > 0 {
		value.Max = charts.Ptr(c.max)
	}
	if c.kind == barsAcross {
		axis.Labels = make([]string, len(c.labels))
		for i, label := range c.labels {
			axis.Labels[i] = shorten(label, at.width/24)
		}
	} else {
		axis.Labels = thin(c.labels, at.width/110)
		axis.LabelCount = len(c.labels)
	}
	if c.kind == lines {
		axis.BoundaryGap = charts.Ptr(false)
		value.LabelCount = 6
		return painter.LineChart(charts.LineChartOption{
			SeriesList: charts.NewSeriesListLine(values, charts.LineSeriesOption{Names: names}), XAxis: axis, YAxis: []charts.ValueAxisOption{value},
			Legend: legend, Padding: padding, LineStrokeWidth: 2, Symbol: charts.Symbol{Shape: charts.SymbolNone},
		})
	}
	return painter.BarChart(charts.BarChartOption{
		Horizontal: c.kind == barsAcross, StackSeries: charts.Ptr(true), CategoryAxis: axis, ValueAxis: []charts.ValueAxisOption{value},
		SeriesList: charts.NewSeriesListBar(values, charts.BarSeriesOption{Names: names}), Legend: legend, Padding: padding,
	})
}

// shorten cuts the middle out of a text of more than n characters, because both ends of a
// version matter.
func shorten(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n/2]) + "…" + string(runes[len(runes)-n/2+1:])
	}
	return text
}

// thin keeps at most n labels, at equal distances and not at the ends, and empties the others.
func thin(labels []string, n int) []string {
	step := (len(labels) + n - 1) / n
	thinned := make([]string, len(labels))
	for i := len(labels) - 1 - step/2; i >= 0; i -= step {
		thinned[i] = labels[i]
	}
	return thinned
}

func (c chart) format(value float64) string {
	return strconv.FormatFloat(value, 'f', -1, 64) + c.unit
}
