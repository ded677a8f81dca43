package memfault_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// everyEscape returns a text with each character escaped.
func everyEscape(text, format string) string {
	var b strings.Builder
	for _, r := range text {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

// escapedForms are forms of a secret that only an unusual server sends.
var escapedForms = map[string]func(secret string) string{
	"JSON, each character":      func(s string) string { return everyEscape(s, `\u%04x`) },
	"JSON, each, upper case":    func(s string) string { return everyEscape(s, `\u%04X`) },
	"JSON in a string of JSON":  func(s string) string { return everyEscape(s, `\\u%04x`) },
	"JSON, one character":       func(s string) string { return fmt.Sprintf(`%s\u%04x%s`, s[:3], s[3], s[4:]) },
	"JSON, escaped slash":       func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
	"URL, each character":       func(s string) string { return everyEscape(s, "%%%02x") },
	"URL, each, upper case":     func(s string) string { return everyEscape(s, "%%%02X") },
	"URL, one character":        func(s string) string { return fmt.Sprintf("%s%%%02x%s", s[:3], s[3], s[4:]) },
	"HTML, each character":      func(s string) string { return everyEscape(s, "&#%d;") },
	"HTML, each, hexadecimal":   func(s string) string { return everyEscape(s, "&#x%x;") },
	"base64":                    func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64, URL":               func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
	"base64, not at the start":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("a" + s + "bc")) },
	"base64, not at the start2": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("ab" + s + "c")) },
}

// decodings are all that a reader can make of a text.
func decodings(text string) string {
	all := text
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n\"'<>{}:,[]", r) }) {
		if unescaped, err := url.QueryUnescape(word); err == nil {
			all += "\n" + unescaped
		}
		var decoded string
		for inner := word; json.Unmarshal([]byte(`"`+inner+`"`), &decoded) == nil && decoded != inner; inner = decoded {
			all += "\n" + decoded
		}
		for cut := range min(len(word), 4) {
			for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				plain, _ := encoding.DecodeString(strings.TrimRight(word[cut:], "="))
				all += "\n" + string(plain)
			}
		}
	}
	return all
}

func TestSecrets_EscapedEcho(t *testing.T) {
	const secret = "k/s3cret-Key~42"
	bodies := map[string]func(string) string{
		"text":    func(s string) string { return "no " + s + " here" },
		"HTML":    func(s string) string { return `<p class="x">` + s + `</p><script>f("` + s + `")</script>` },
		"message": func(s string) string { return `{"error":{"message":"no ` + s + `","type":"` + s + `"}}` },
		"details": func(s string) string { return `{"error":{"message":{"` + s + `":["` + s + `"]}}}` },
		"XML":     func(s string) string { return `<Error><Code>` + s + `</Code><Message>no ` + s + `</Message></Error>` },
	}
	for form, escape := range escapedForms {
		for place, body := range bodies {
			for _, status := range []int{http.StatusBadRequest, http.StatusOK} {
				if status == http.StatusOK && (place == "message" || place == "details") {
					continue // any object of JSON is a success
				}
				_, texts := errorWith(t, memfault.BasicPassword("jane@acme.example", secret), status, body(escape(secret)))
				assert.NotContains(t, decodings(texts), secret, "%s in %s (%d)", form, place, status)
			}
		}
	}
}

func TestSecrets_EchoCutOffAtLimit(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	auth := memfault.BasicPassword("jane@acme.example", "s3cret-password")
	for _, start := range []string{"no ", `{"error":{"message":"`, `{"x":"`} {
		for cut := 6; cut <= len("s3cret-password"); cut++ {
			body := start + strings.Repeat("x", limit-len(start)-cut) + "s3cret-password" + strings.Repeat("y", 200)
			for _, status := range []int{http.StatusBadRequest, http.StatusOK} {
				got, texts := errorWith(t, auth, status, body)
				assert.NotContains(t, texts, "s3cret", "%d bytes before the limit", cut)
				assert.LessOrEqual(t, len(got.Body), limit)
			}
		}
	}
}

func TestSecrets_EchoCutOffInErrorText(t *testing.T) {
	for length := 770; length < 810; length++ {
		var observed error
		client := newClient(t, memfault.OrganizationToken("oat_s3cret_token"), quickRetries, memfault.WithHTTPClient(&http.Client{
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				return nil, errors.New(strings.Repeat("x", length) + r.Header.Get("Authorization"))
			}),
		}), memfault.WithObserver(func(_ context.Context, attempt memfault.Attempt) { observed = attempt.Err }))
		requireNoSecret(t, get(t.Context(), client).Error()+observed.Error())
	}
}

func TestSecrets_EchoInHeader(t *testing.T) {
	var logged bytes.Buffer
	for name, auth := range everyCredential() {
		client := newClient(t, auth, memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			echo := r.Header.Get("Authorization") + r.Header.Get("Memfault-Project-Key") + r.Header.Get("X-Acme-Token")
			return newResponse(http.StatusTooManyRequests, "{}", "X-Request-Id", echo, "Retry-After", echo)
		})}), memfault.WithLogger(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))),
			memfault.WithObserver(func(_ context.Context, a memfault.Attempt) { logged.WriteString(printAll(a)) }))
		var response memfault.Response
		err := client.Do(t.Context(), memfault.Request{Path: "/x"}, nil, memfault.WithoutRetry(), memfault.WithResponse(&response))
		got := requireError(t, err, http.StatusTooManyRequests)
		assert.Zero(t, got.RetryAfter)
		assert.NotEmpty(t, got.RequestID, name)
		requireNoSecret(t, got.RequestID+response.RequestID+printAll(err)+printAll(*got)+
			fmt.Sprintf("%v %+v %#v %s %v %+v", response, &response, response, []any{response}, struct{ R any }{response}, &response))
	}
	requireNoSecret(t, logged.String())
}

// A program can print each cause of an error.
func TestSecrets_NotInCauses(t *testing.T) {
	cause := &url.Error{Op: "Get", URL: "https://bucket.example/a?X-Signature=s3cret", Err: io.ErrUnexpectedEOF}
	for _, attempt := range []func(r *http.Request) (*http.Response, error){
		func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("custom transport: %s: %w", r.Header.Get("Authorization"), cause)
		},
		func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("custom transport: %w", cause) },
		func(*http.Request) (*http.Response, error) {
			return newResponse(http.StatusFound, "", "Location", "https://bucket.example:x/a?X-Signature=s3cret")
		},
		func(*http.Request) (*http.Response, error) {
			return newResponse(http.StatusOK, `{"data":{"created_date":"https://bucket.example/a?X-Signature=s3cret"}}`)
		},
	} {
		client := newClient(t, memfault.OrganizationToken("oat_s3cret"), quickRetries, memfault.WithHTTPClient(&http.Client{Transport: roundTripper(attempt)}))
		_, err := client.Projects.Get(t.Context(), sink)
		require.Error(t, err)
		requireNoSecretInTree(t, err)
	}
	client := newClient(t, memfault.OrganizationToken("oat_s3cret"), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, cause })}))
	err := client.Do(t.Context(), memfault.Request{Method: http.MethodPost, Path: "/x"}, nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "errors.Is must see the cause")
}

func requireNoSecretInTree(t *testing.T, err error) {
	t.Helper()
	requireNoSecret(t, printAll(err))
	switch err := err.(type) { //nolint:errorlint // visits each error
	case interface{ Unwrap() error }:
		if cause := err.Unwrap(); cause != nil {
			requireNoSecretInTree(t, cause)
		}
	case interface{ Unwrap() []error }:
		for _, cause := range err.Unwrap() {
			requireNoSecretInTree(t, cause)
		}
	}
}

func TestSecrets_PasswordOfProxyNotInErrors(t *testing.T) {
	for _, proxy := range []string{"http://jane:s3cret@127.0.0.1:1", "socks5://jane:s3cret@127.0.0.1:1", "http://jane:s3cret@ho st"} {
		transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
			u, err := url.Parse(proxy)
			if err != nil {
				return nil, fmt.Errorf("invalid proxy address %q: %w", proxy, err)
			}
			return u, nil
		}}
		client := newClient(t, memfault.OrganizationToken("oat_s3cret"), quickRetries, memfault.WithHTTPClient(&http.Client{Transport: transport}))
		err := client.Do(t.Context(), memfault.Request{Path: "/x"}, nil)
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		requireNoSecretInTree(t, err)
	}
}
