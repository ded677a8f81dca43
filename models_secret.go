package memfault

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/memfault-go/memfault/internal/redact"
)

// The models in this file contain a credential or a presigned URL. Packages fmt and, at the top
// level, [log/slog] print the models without it; JSON contains it.

// Format writes the project without its project key.
func (p Project) Format(f fmt.State, verb rune) { formatPlain(f, verb, p.shown()) }

// LogValue returns the project without its project key.
func (p Project) LogValue() slog.Value { return slog.AnyValue(p.shown()) }

func (p Project) shown() any {
	type project Project // without methods
	p.APIKey = hideValue(p.APIKey)
	return project(p)
}

// Format writes the data route without its token.
func (r DataRoute) Format(f fmt.State, verb rune) { formatPlain(f, verb, r.shown()) }

// LogValue returns the data route without its token.
func (r DataRoute) LogValue() slog.Value { return slog.AnyValue(r.shown()) }

func (r DataRoute) shown() any {
	type dataRoute DataRoute
	return dataRoute{Token: hideValue(r.Token)}
}

// Format writes the artifact without the query of its URL.
func (a Artifact) Format(f fmt.State, verb rune) { formatPlain(f, verb, a.shown()) }

// LogValue returns the artifact without the query of its URL.
func (a Artifact) LogValue() slog.Value { return slog.AnyValue(a.shown()) }

func (a Artifact) shown() any {
	type artifact Artifact
	a.URL = redact.URLs(a.URL)
	return artifact(a)
}

// Format writes the release without the query of its URL.
func (r LatestReleaseURL) Format(f fmt.State, verb rune) { formatPlain(f, verb, r.shown()) }

// LogValue returns the release without the query of its URL.
func (r LatestReleaseURL) LogValue() slog.Value { return slog.AnyValue(r.shown()) }

func (r LatestReleaseURL) shown() any {
	type latestReleaseURL LatestReleaseURL
	r.URL = redact.URLs(r.URL)
	return latestReleaseURL(r)
}

// Format writes the response with the names of its header fields, but without their values,
// which can be cookies and presigned URLs.
func (r Response) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "memfault.Response{StatusCode: %d, Header: [%s], RequestID: %q, Attempts: %d}",
		r.StatusCode, strings.Join(slices.Sorted(maps.Keys(r.Header)), " "), redact.URLs(r.RequestID), r.Attempts)
}

// LogValue returns the same text as Format.
func (r Response) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// formatPlain writes a value with the verb and the flags of f.
func formatPlain(f fmt.State, verb rune, value any) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), value)
}

func hideValue(secret string) string {
	if secret == "" {
		return ""
	}
	return redact.Mark
}
