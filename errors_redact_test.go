package memfault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// echoForms are the forms in which servers include a credential in a response.
var echoForms = map[string]func(secret string) string{
	"text":                    func(s string) string { return "no " + s },
	"text like a list":        func(s string) string { return "[error] no " + s },
	"text like an object":     func(s string) string { return "{no " + s + "}" },
	"text like a string":      func(s string) string { return `"no ` + s },
	"text with JSON":          func(s string) string { return "502: " + asciiOnly(jsonText(errorMessage("no "+s))) },
	"text, cut off":           func(s string) string { return "no " + s[:8] },
	"JSON":                    func(s string) string { return jsonText(errorMessage("no " + s)) },
	"JSON in ASCII":           func(s string) string { return asciiOnly(jsonText(errorMessage("no " + s))) },
	"JSON with HTML escapes":  func(s string) string { return htmlEscaped(jsonText(errorMessage("no " + s))) },
	"JSON, cut off":           func(s string) string { return `{"error":{"message":"no ` + jsonText(s[:8])[1:9] },
	"JSON, invalid":           func(s string) string { return `{"error":{"message":"\x ` + htmlEscaped(jsonText(s))[1:] + `}}` },
	"JSON, other fields":      func(s string) string { return jsonText(map[string]any{"x": "no " + s}) },
	"JSON object":             func(s string) string { return jsonText(errorMessage(map[string]any{"f": []any{"no " + s}})) },
	"JSON object in ASCII":    func(s string) string { return asciiOnly(jsonText(errorMessage(map[string]any{"no " + s: 1}))) },
	"JSON list":               func(s string) string { return asciiOnly(jsonText([]any{"no " + s})) },
	"JSON string":             func(s string) string { return asciiOnly(jsonText("no " + s)) },
	"HTML":                    func(s string) string { return "<p>" + html.EscapeString(s) + "</p>" },
	"query":                   func(s string) string { return "bad login=" + url.QueryEscape(s) },
	"query, lowercase":        func(s string) string { return "bad login=" + strings.ToLower(url.QueryEscape(s)) },
	"path":                    func(s string) string { return "/login/" + url.PathEscape(s) },
	"path, lowercase escapes": func(s string) string { return "/login/" + strings.ToLower(url.PathEscape(s)) },
}

func errorMessage(message any) any {
	return map[string]any{"error": map[string]any{"message": message}}
}

// jsonText returns the JSON of a value as most servers write it: without escapes for HTML.
func jsonText(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return strings.TrimSpace(b.String())
}

func htmlEscaped(text string) string {
	var b bytes.Buffer
	json.HTMLEscape(&b, []byte(text))
	return b.String()
}

func asciiOnly(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r <= '~' {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// errorWith returns the error of a call with the given credential and response, and all texts
// that the error contains. Strings in JSON are also decoded.
func errorWith(t *testing.T, auth memfault.Authenticator, status int, body string) (got *memfault.Error, texts string) {
	t.Helper()
	client := newClient(t, auth, memfault.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) { return newResponse(status, body) }),
	}))
	err := client.Do(t.Context(), memfault.Request{Path: "/x"}, new(memfault.Project), memfault.WithoutRetry())
	got = requireError(t, err, status)
	texts = fmt.Sprint(err, got.Message, got.Type, string(got.Details), string(got.Body))
	for _, text := range [][]byte{got.Details, got.Body} {
		var value any
		if json.Unmarshal(text, &value) == nil {
			texts += fmt.Sprint(value)
		}
	}
	return got, texts
}

func TestError_RedactsEchoedPassword(t *testing.T) {
	for _, secret := range []string{`pä"ss&wörd<1>`, `back\slash"s3cret`, "plain-s3cret-1", "a%2fb?s3cret=1&x"} {
		for name, form := range echoForms {
			t.Run(name+" "+secret, func(t *testing.T) {
				got, texts := errorWith(t, memfault.BasicPassword("jane@acme.example", secret), http.StatusBadRequest, form(secret))
				for _, shown := range []string{secret, secret[:8], html.EscapeString(secret), url.QueryEscape(secret)} {
					assert.NotContains(t, texts, shown)
				}
				assert.Contains(t, string(got.Body), "[redacted]")
			})
		}
	}
}

// A response can be cut off within a credential, and within an escape of JSON. A start of fewer
// than 6 bytes may remain.
func TestError_RedactsCutOffPassword(t *testing.T) {
	secret := `s3cret-pä"ss\wörd`
	auth := memfault.BasicPassword("jane@acme.example", secret)
	for _, text := range []string{"no " + secret, jsonText(errorMessage(secret)), asciiOnly(jsonText(errorMessage(secret)))} {
		start := strings.Index(text, "s3cret")
		for end := start + 6; end < len(text); end++ {
			if !utf8.ValidString(text[:end]) {
				continue
			}
			_, texts := errorWith(t, auth, http.StatusBadRequest, text[:end])
			assert.NotContains(t, texts, "s3cret", text[:end])
		}
	}
}

func TestError_RedactsEchoedCredential(t *testing.T) {
	for name, auth := range everyCredential() {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		require.NoError(t, auth.Authenticate(req))
		for _, values := range req.Header {
			for _, echoed := range []string{values[0], values[0][strings.LastIndex(values[0], " ")+1:]} {
				got, texts := errorWith(t, auth, http.StatusBadRequest, "no "+echoed+" here")
				assert.NotContains(t, texts, echoed, name)
				assert.Equal(t, "no [redacted] here", got.Message, name)
			}
		}
	}
	_, texts := errorWith(t, memfault.BasicPassword("jane@acme.example", "abc"), http.StatusBadRequest, "no jane@acme.example:abc")
	assert.NotContains(t, texts, ":abc", "a password that is too short to be redacted alone")
	got, _ := errorWith(t, memfault.BasicPassword("jane@acme.example", "the"), http.StatusNotFound, "the device is not there")
	assert.Equal(t, "the device is not there", got.Message, "a short password must not destroy a text")
}

func TestDecodeError_RedactsQuotedValue(t *testing.T) {
	auth := memfault.BasicPassword("jane@acme.example", "plain-s3cret-1")
	for _, value := range []string{"plain-s3cret-1", "https://bucket.example/a?X-Signature=s3cret"} {
		got, texts := errorWith(t, auth, http.StatusOK, `{"data":{"created_date":"`+value+`"}}`)
		require.ErrorContains(t, got, "invalid RFC 3339 timestamp")
		requireNoSecret(t, texts+printAll(error(got)))
	}
}

func TestError_RedactsCauseOfNoResponse(t *testing.T) {
	var observed error
	client := newClient(t, memfault.OrganizationToken("oat_s3cret"), quickRetries, memfault.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("proxy error for %s: https://proxy.example/x?s3cret", r.Header.Get("Authorization"))
		}),
	}), memfault.WithObserver(func(_ context.Context, attempt memfault.Attempt) { observed = attempt.Err }))
	err := get(t.Context(), client)
	for _, err := range []error{err, observed} {
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		require.ErrorContains(t, err, "proxy error for [redacted]: https://proxy.example/x?[redacted]")
		requireNoSecret(t, printAll(err))
	}
}

func TestError_RedactionKeepsFields(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"message":"\"https://bucket.example/a?X-Signature=s3cret\" is gone","code":1003,"type":"NotFoundError"}}`)
	})
	got := requireError(t, get(t.Context(), client), http.StatusNotFound)
	assert.Equal(t, 1003, got.Code)
	assert.Equal(t, "NotFoundError", got.Type)
	assert.Equal(t, `"https://bucket.example/a?[redacted]" is gone`, got.Message)
	assert.True(t, json.Valid(got.Body), "%s", got.Body)
	requireNoSecret(t, string(got.Body))
}

func TestError_RedactsEveryQuery(t *testing.T) {
	for _, text := range []string{
		"HTTPS://bucket.example/a?X-Signature=s3cret", "bucket.example/a?X-Signature=s3cret", "//bucket.example/a?s3cret",
		`a\u003fX-Signature=s3cret`, `a\u003FX-Signature=s3cret`, "a?%73s3cret", "a?_s3cret", "see a?x=1&s3cret=1 and b?s3cret",
		"a?b=1&X-Signature=s3cret", "(https://bucket.example/a?%73=s3cret)", "Get \"https://bucket.example/a?x=s3cret\": EOF",
	} {
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": text}})
		})
		got := requireError(t, get(t.Context(), client), http.StatusBadRequest)
		requireNoSecret(t, printAll(got)+got.Message+string(got.Body))
		assert.Contains(t, got.Message, "?[redacted]")
	}
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"Is it new? Then create it (or is it?)."}}`)
	})
	assert.Equal(t, "Is it new? Then create it (or is it?).", requireError(t, get(t.Context(), client), http.StatusBadRequest).Message)
}

func TestError_TextOfGivenFieldsHasNoQuery(t *testing.T) {
	const signed = "https://bucket.example/a?X-Signature=s3cret"
	given := &memfault.Error{StatusCode: 400, Operation: signed, Type: signed, Message: signed, RequestID: signed}
	requireNoSecret(t, given.Error()+fmt.Sprintf("%+v %#v", given, *given))
}
