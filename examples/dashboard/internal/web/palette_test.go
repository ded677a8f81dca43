package web

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type rgb [3]float64 // linear, from 0 to 1

// sights are what people see, as matrices of linear colors: after Machado, Oliveira and Fernandes
// (2009), for a complete deficiency.
var sights = map[string][3]rgb{
	"usual":        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
}

func parseColor(t *testing.T, hex string) (c rgb) {
	t.Helper()
	for i := range c {
		v, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		require.NoError(t, err)
		if s := float64(v) / 255; s <= 0.04045 {
			c[i] = s / 12.92
		} else {
			c[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return c
}

func seen(c rgb, by [3]rgb) (as rgb) {
	for i, row := range by {
		as[i] = min(1, max(0, row[0]*c[0]+row[1]*c[1]+row[2]*c[2]))
	}
	return as
}

func (c rgb) luminance() float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }

// contrast is that of WCAG 2.
func contrast(a, b rgb) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// difference is that of CIE 1976.
func difference(a, b rgb) float64 {
	lab := func(c rgb) [3]float64 {
		f := func(v float64) float64 {
			if v > 0.008856 {
				return math.Cbrt(v)
			}
			return 7.787*v + 16.0/116
		}
		x, y, z := f((0.4124*c[0]+0.3576*c[1]+0.1805*c[2])/0.95047), f(c.luminance()), f((0.0193*c[0]+0.1192*c[1]+0.9505*c[2])/1.08883)
		return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
	}
	p, q := lab(a), lab(b)
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}

// themeColors returns the variables of the style sheet for light and dark pages.
func themeColors(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := files.ReadFile("static/style.css")
	require.NoError(t, err)
	blocks := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 2)
	themes := map[string]map[string]string{}
	for i, name := range []string{"light", "dark"} {
		themes[name] = map[string]string{}
		if i == 1 {
			maps.Copy(themes[name], themes["light"])
		}
		for _, match := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(blocks[i][1], -1) {
			themes[name][match[1]] = match[2]
		}
	}
	return themes
}

// Everyone can see each color of a chart on its card, and tell the colors of the same chart apart.
func TestPalette_ForEverySight(t *testing.T) {
	groups := [][]string{{"s0", "s1", "s2", "s3", "s4", "s5"}, {"chart-bad", "chart-fine"}, {"chart-bad", "other"}, {"chart-good", "other"}}
	for theme, colors := range themeColors(t) {
		card := parseColor(t, colors["card"])
		for sight, by := range sights {
			for _, group := range groups {
				for i, name := range group {
					color := parseColor(t, colors[name])
					assert.GreaterOrEqual(t, contrast(seen(color, by), seen(card, by)), 3.0, "%s, %s: %s on the card", theme, sight, name)
					for _, other := range group[:i] {
						assert.GreaterOrEqual(t, difference(seen(color, by), seen(parseColor(t, colors[other]), by)), 14.0, "%s, %s: %s and %s", theme, sight, name, other)
					}
				}
			}
			for _, pair := range [][2]string{{"text", "card"}, {"muted", "card"}, {"link", "card"}, {"bad", "bad-back"}, {"warn", "warn-back"}, {"good", "good-back"}, {"card", "bad"}} {
				assert.GreaterOrEqual(t, contrast(seen(parseColor(t, colors[pair[0]]), by), seen(parseColor(t, colors[pair[1]]), by)), 4.5, "%s, %s: %s", theme, sight, fmt.Sprint(pair))
			}
		}
	}
}

// A color that is equal to another for one sight is found.
func TestPalette_FindsEqualColors(t *testing.T) {
	a, b := parseColor(t, "#d55e00"), parseColor(t, "#9a7400")
	assert.Less(t, difference(seen(a, sights["protanopia"]), seen(b, sights["protanopia"])), 5.0)
	assert.InDelta(t, 21, contrast(parseColor(t, "#ffffff"), parseColor(t, "#000000")), 0.01)
}
