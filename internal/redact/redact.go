// Package redact removes secrets from texts: values that the caller names, in whatever form a
// text contains them, and what URLs should not show, such as their queries.
//
// A value is found as it is, in base64, and escaped once or twice as in JSON, HTML or a URL.
// JSON remains valid JSON.
package redact

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Mark stands where something was removed.
const Mark = "[redacted]"

// Redactor removes secrets, and the queries and users of URLs, from texts. The zero value
// knows no secret. A Redactor is safe for concurrent use by multiple goroutines.
type Redactor struct{ secrets []string } // the longest first

// Text redacts a text, or a string that was decoded from JSON.
func (r Redactor) Text(text string) string { return URLs(r.values(text, false)) }

// Body redacts the body of a response, or its start. A body that is not JSON may end within a
// secret, and Body redacts that part too. Of such a body, it returns the redacted form of at
// most limit bytes.
func (r Redactor) Body(body []byte, limit int) []byte {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil
	case json.Valid(body):
		return r.JSON(body)
	default:
		return []byte(URLs(r.values(string(body[:min(len(body), limit)]), true)))
	}
}

// JSON redacts the strings and the numbers of a valid JSON text. It decodes each string, and
// encodes it again only if it was redacted, so that the text remains valid.
func (r Redactor) JSON(text []byte) []byte {
	shown := make([]byte, 0, len(text))
	for {
		start := bytes.IndexByte(text, '"')
		if start < 0 {
			return append(shown, r.values(string(text), false)...)
		}
		shown, text = append(shown, r.values(string(text[:start]), false)...), text[start:]
		literal := stringLiteral(text)
		var value string
		_ = json.Unmarshal(literal, &value) // the text is valid
		if shownValue := r.Text(value); shownValue != value {
			encoded, _ := json.Marshal(shownValue) // a string always has a JSON form
			shown = append(shown, encoded...)
		} else {
			shown = append(shown, literal...)
		}
		text = text[len(literal):]
	}
}

// stringLiteral returns the string literal with which a JSON text begins.
func stringLiteral(text []byte) []byte {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i+1]
		}
	}
	return text
}

// values replaces the secrets in a text, also where JSON, HTML or a URL in the text escapes
// them. cutOff reports that the text may end within a secret.
func (r Redactor) values(text string, cutOff bool) string {
	for _, forms := range escapeForms {
		view := newView(text, forms)
		replace := func(shown string) {
			if shown != text {
				text, view = shown, newView(shown, forms)
			}
		}
		for _, secret := range r.secrets {
			replace(view.redact(secret))
			if cutOff {
				replace(view.redactEnd(secret))
			}
		}
	}
	return text
}

// URLs replaces the rest of a word after a question mark, where a presigned URL has its
// signature. The URL need not have a scheme. URLs also replaces the user of a URL.
func URLs(text string) string {
	text = users(text)
	if queryStart(text) < 0 {
		return text
	}
	var b strings.Builder
	for text != "" {
		end := strings.IndexAny(text, " \t\r\n\"'`<>")
		if end < 0 {
			end = len(text)
		}
		word := text[:end]
		if query := queryStart(word); query >= 0 {
			word = word[:query] + "?" + Mark
		}
		b.WriteString(word)
		b.WriteString(text[end:min(end+1, len(text))])
		text = text[min(end+1, len(text)):]
	}
	return b.String()
}

// queryStart returns the index of the first question mark after which the word continues. The
// question mark can be escaped as in JSON. If there is none, queryStart returns -1.
func queryStart(text string) int {
	for i := range len(text) {
		after := ""
		switch {
		case text[i] == '?':
			after = text[i+1:]
		case text[i] == '\\' && len(text)-i >= len(`\u003f`) && strings.EqualFold(text[i:i+len(`\u003f`)], `\u003f`):
			after = text[i+len(`\u003f`):]
		}
		if after != "" && (isAlphanumeric(after[0]) || strings.IndexByte("%_-&=.~+", after[0]) >= 0 || strings.HasPrefix(after, `\u`)) {
			return i
		}
	}
	return -1
}

func isAlphanumeric(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
