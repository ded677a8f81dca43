package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/redact"
)

// escapes are the forms in which a text can contain a secret.
var escapes = map[string]func(string) string{
	"plain":             func(s string) string { return s },
	"JSON":              func(s string) string { return strings.Trim(quoted(s), `"`) },
	"JSON twice":        func(s string) string { return strings.Trim(quoted(strings.Trim(quoted(s), `"`)), `"`) },
	"HTML":              html.EscapeString,
	"path":              url.PathEscape,
	"query":             url.QueryEscape,
	"query in JSON":     func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%", `\u0025`) },
	"base64":            func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 after text": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("jane:" + s)) },
	"base64 of a URL":   func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("ab" + s + "~~")) },
}

func quoted(text string) string {
	encoded, _ := json.Marshal(text)
	return string(encoded)
}

func TestRedactor_Text(t *testing.T) {
	for _, secret := range []string{"plain-s3cret-1", `pä"ss&wörd<1>`, `back\slash"s3cret`, "a%2fb s3cret&x"} {
		for name, escape := range escapes {
			shown := redact.New([]string{secret}).Text("before " + escape(secret) + " after")
			assert.True(t, strings.HasPrefix(shown, "before "), "%s: %s", name, shown)
			assert.True(t, strings.HasSuffix(shown, " after"), "%s: %s", name, shown)
			assert.Contains(t, shown, redact.Mark, "%s of %s: %s", name, secret, shown)
			assert.NotContains(t, shown, escape(secret), name)
		}
	}
	assert.Equal(t, "the device is not there", redact.New([]string{"the"}).Text("the device is not there"), "too short")
	assert.Equal(t, "no secret", redact.Redactor{}.Text("no secret"))
}

// New also redacts the parts of a credential.
func TestNew_PartsOfCredentials(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("jane@acme.example:s3cret-word"))
	r := redact.New([]string{basic, "Bearer oat_12345"})
	for _, text := range []string{basic, "s3cret-word", "jane@acme.example:s3cret-word", "oat_12345", "Bearer oat_12345"} {
		assert.Equal(t, "no [redacted]!", r.Text("no "+text+"!"))
	}
}

func TestRedactor_Body(t *testing.T) {
	const secret = `s3cret-pä"ss`
	r := redact.New([]string{secret})
	object := `{"message": ` + quoted("no "+secret) + `, "list": [1, ` + quoted(secret) + `], "other": "kept"}`
	shown := r.Body([]byte(object), len(object))
	assert.JSONEq(t, `{"message": "no [redacted]", "list": [1, "[redacted]"], "other": "kept"}`, string(shown))
	assert.Empty(t, r.Body([]byte(" \n"), 10))
	text := "no " + secret
	for end := len("no ") + 6; end < len(text); end++ {
		assert.Equal(t, "no [redacted]", string(r.Body([]byte(text[:end]), len(text))), "cut off")
		assert.Equal(t, "no [redacted]", string(r.Body([]byte(text), end)), "above the limit")
	}
}

func TestRedactor_Cause(t *testing.T) {
	r := redact.New([]string{"s3cret-1"})
	never := func(error) bool { return false }
	inner := fmt.Errorf("dial s3cret-1: %w", io.EOF)
	for _, err := range []error{inner, fmt.Errorf("outer: %w", inner), errors.Join(io.ErrClosedPipe, inner)} {
		hidden := r.Cause(err, never)
		require.ErrorIs(t, hidden, io.EOF)
		require.NoError(t, errors.Unwrap(hidden))
		for _, shown := range []string{hidden.Error(), fmt.Sprintf("%+v %#v %s %q", hidden, hidden, hidden, hidden)} {
			assert.NotContains(t, shown, "s3cret-1")
		}
		assert.Equal(t, hidden, r.Cause(hidden, never), "hidden already")
	}
	require.NoError(t, r.Cause(nil, never))
	assert.Equal(t, io.EOF, r.Cause(io.EOF, never), "contains no secret")
	clean := func(err error) bool { return errors.Is(err, inner) }
	assert.Equal(t, inner, r.Cause(inner, clean), "known to be clean")
}

func TestURLs(t *testing.T) {
	for text, want := range map[string]string{
		"https://bucket.example/a?X-Signature=s3cret":   "https://bucket.example/a?[redacted]",
		"see a?x=1&s3cret=1 and b?s3cret":               "see a?[redacted] and b?[redacted]",
		`a\u003fX-Signature=s3cret`:                     "a?[redacted]",
		"Is it new? Then create it (or is it?).":        "Is it new? Then create it (or is it?).",
		"proxyconnect http://jane:s3cret@proxy.example": "proxyconnect http://[redacted]@proxy.example",
		"http://jane:s3/cr@et@proxy.example/x and more": "http://[redacted]@proxy.example/x and more",
	} {
		assert.Equal(t, want, redact.URLs(text))
	}
}

// FuzzRedactor checks that no form of a secret remains in a text, and that JSON stays JSON.
func FuzzRedactor(f *testing.F) {
	f.Add(`pä"ss&wörd<1>`, "before ", " after")
	f.Add("plain", `{"error":{"message":"`, `"}}`)
	f.Fuzz(func(t *testing.T, tail, before, after string) {
		const start = "Zq7~start" // not in any other text
		if len(tail) > 100 || strings.Contains(strings.ToLower(before+after), "q7") {
			return
		}
		secret := start + tail
		r := redact.New([]string{secret})
		for name, escape := range escapes {
			if strings.HasPrefix(name, "base64") {
				continue // the text beside it can change its digits
			}
			text := before + escape(secret) + after
			if name != "plain" && json.Unmarshal([]byte(quoted(secret)), new(string)) == nil && strings.ToValidUTF8(secret, "") != secret {
				continue // the escape changed the secret
			}
			if shown := r.Text(text); strings.Contains(shown, start) {
				t.Fatalf("%s: %q contains the secret %q", name, shown, secret)
			}
			body := r.Body([]byte(text), len(text))
			if json.Valid([]byte(text)) && len(body) > 0 && !json.Valid(body) {
				t.Fatalf("%s: %q became %q", name, text, body)
			}
		}
	})
}
