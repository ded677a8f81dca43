package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/chart"
	"github.com/memfault-go/memfault/examples/dashboard/internal/poisson"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// functions returns the functions of the templates.
func (s *Server) functions() template.FuncMap {
	return template.FuncMap{
		"base":       func() string { return s.Base },
		"number":     number,
		"plural":     plural,
		"percent":    percent,
		"decimal":    decimal,
		"ago":        func(t time.Time) string { return ago(s.Now().Sub(t)) },
		"iso":        func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"duration":   shortDuration,
		"devices":    s.devicesAddress,
		"path":       url.PathEscape,
		"choices":    func(name, title, chosen string, all []string) filterView { return filterView{name, title, chosen, all} },
		"orNone":     orNone,
		"visible":    chart.Visible,
		"rate":       rateText,
		"per100":     per100,
		"bars":       verdictBars,
		"appProject": func() string { return memfault.AppURL(s.Project, memfault.AppPage{}) },
		"appDevice":  func(serial string) string { return memfault.AppURL(s.Project, memfault.AppDevice(serial)) },
		"appRelease": func(version string) string { return memfault.AppURL(s.Project, memfault.AppRelease(version)) },
		"appCohort":  func(slug string) string { return memfault.AppURL(s.Project, memfault.AppCohort(slug)) },
		"release":    releaseText,
		"attribute":  attributeText,
	}
}

// devicesAddress returns the address of the list of devices, with pairs of names and values of the
// query.
func (s *Server) devicesAddress(pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	return s.Base + "/devices?" + query.Encode()
}

// fleetAddress returns the address of the fleet with filters.
func (s *Server) fleetAddress(scope store.Filter, perHundred bool) string {
	query := url.Values{}
	for name, value := range map[string]string{"cohort": scope.Cohort, "hardware": scope.Hardware, "version": scope.Version} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if perHundred {
		query.Set("per", "100")
	}
	return s.Base + "/?" + query.Encode()
}

// filterView is what the template "filter" shows.
type filterView struct {
	Name, Title, Chosen string
	All                 []string
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

func percent(value float64) string { return strconv.FormatFloat(value, 'f', 1, 64) + " %" }

// attributeText returns the value of an attribute, a string without its quotation marks.
func attributeText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return chart.Visible(text)
	}
	return chart.Visible(string(value))
}

// releaseText returns the version of a deployed release, or both versions of a delta release.
func releaseText(r memfault.DeploymentRelease) string {
	if r.IsDelta() && r.FromVersion != nil && r.ToVersion != nil {
		return r.FromVersion.Version + " to " + r.ToVersion.Version
	}
	return r.Version
}

// number returns n with a thin space between groups of three digits.
func number(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "\u202f" + digits[at:]
	}
	return sign + digits
}

// ago describes how long ago something was, as the script of the page does.
func ago(d time.Duration) string {
	switch {
	case d < -time.Minute:
		return "in " + shortDuration(-d)
	case d < time.Minute:
		return "just now"
	}
	return shortDuration(d) + " ago"
}

// shortDuration returns a duration with its largest unit.
func shortDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + " ms"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	default:
		return strconv.Itoa(int(d.Hours()/24)) + " days"
	}
}

// verdictBars draws the rates of both versions, if both are known.
func verdictBars(c comparison) template.HTML {
	if c.New.DeviceDays <= 0 || c.Old.DeviceDays <= 0 {
		return ""
	}
	color := map[level]string{red: chart.Bad, amber: "warn", green: "good"}[c.Level]
	if color == "" {
		color = chart.Other
	}
	return chart.Bars("Unexpected reboots per 100 device-days by software version, with their intervals", "", []chart.Bar{
		rateBar(c.New, color), rateBar(c.Old, chart.Other),
	})
}

func rateBar(r store.Rate, color string) chart.Bar {
	_, in := poisson.Rate(r.Errors, r.DeviceDays)
	return chart.Bar{Color: color, Text: rateText(r), Value: per100(r), Low: 100 * in.Low, High: 100 * in.High}
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
