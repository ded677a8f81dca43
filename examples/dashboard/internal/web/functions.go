package web

import (
	"encoding/json"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/memfault-go/memfault"
)

// functions returns the functions of the templates.
func (s *Server) functions() template.FuncMap {
	return template.FuncMap{
		"number":     number,
		"percent":    func(value float64) string { return strconv.FormatFloat(value, 'f', 1, 64) + " %" },
		"ago":        func(t time.Time) string { return ago(s.Now().Sub(t)) },
		"iso":        func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"duration":   shortDuration,
		"query":      url.QueryEscape,
		"path":       url.PathEscape,
		"orNone":     func(version string) string { return orText(version, "none") },
		"appProject": func() string { return memfault.AppURL(s.Project, memfault.AppPage{}) },
		"appDevice":  func(serial string) string { return memfault.AppURL(s.Project, memfault.AppDevice(serial)) },
		"appIssue":   func(id int64) string { return memfault.AppURL(s.Project, memfault.AppIssue(id)) },
		"appRelease": func(version string) string { return memfault.AppURL(s.Project, memfault.AppRelease(version)) },
		"appCohort":  func(slug string) string { return memfault.AppURL(s.Project, memfault.AppCohort(slug)) },
		"release":    releaseText,
		"picture":    s.picture,
		"attribute":  attributeText,
	}
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// attributeText returns the value of an attribute, a string without its quotation marks.
func attributeText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
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
	if d < -time.Minute {
		return "in " + shortDuration(-d)
	}
	return shortDuration(max(0, d)) + " ago"
}

// shortDuration returns a duration with its largest unit.
func shortDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + " ms"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strings.TrimSuffix(strconv.Itoa(int(d.Minutes()))+" min "+strconv.Itoa(int(d.Seconds())%60)+" s", " 0 s")
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	default:
		return strconv.Itoa(int(d.Hours()/24)) + " days"
	}
}
