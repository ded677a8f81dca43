package memfault

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

const redacted = "[redacted]"

// redactor replaces the credential of a call, and the queries of URLs, in texts that a
// server sent or an error contains.
type redactor struct{ secrets []string } // the longest first

func (c *call) redactor() redactor {
	return newRedactor(append(addedValues(c.signedHeader, c.plainHeader), c.earlier...))
}

// requestID returns the ID that the server gave to a request, without the credential of the
// request. It redacts the ID only if the ID contains the credential, because redacting is slow.
func (c *call) requestID(resp *http.Response) string {
	id := resp.Header.Get(requestIDHeader)
	for name, values := range c.signedHeader {
		for _, value := range values {
			_, secret, _ := strings.Cut(value, " ")
			if secret == "" {
				secret = value
			}
			if value != c.plainHeader.Get(name) && strings.Contains(id, secret) {
				return c.redactor().text(id)
			}
		}
	}
	return id
}

// noteSecrets remembers the credential of the last attempt, because the next attempt can have
// another one.
func (c *call) noteSecrets() {
	for _, value := range addedValues(c.signedHeader, c.plainHeader) {
		if !slices.Contains(c.earlier, value) {
			c.earlier = append(c.earlier, value)
		}
	}
}

// addedValues returns the values that the Authenticator added to a header.
func addedValues(signed, plain http.Header) (added []string) {
	for name, values := range signed {
		for _, value := range values {
			if value != plain.Get(name) {
				added = append(added, value)
			}
		}
	}
	return added
}

// text redacts a text, or a string that was decoded from JSON.
func (r redactor) text(text string) string { return redactQueries(r.credentials(text, false)) }

// body redacts the body of a response, or its start. JSON remains JSON.
func (r redactor) body(body []byte) []byte {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil
	case json.Valid(body):
		return r.json(body)
	default: // the limit leaves enough for an Error, even if redacting shortens the text
		return []byte(redactQueries(r.credentials(string(body[:min(len(body), 4*maxErrorBody)]), true)))
	}
}

// json redacts the strings and the numbers of a valid JSON text. It decodes each string, and
// encodes it again only if it was redacted, so that the text remains valid.
func (r redactor) json(text []byte) []byte {
	shown := make([]byte, 0, len(text))
	for {
		start := bytes.IndexByte(text, '"')
		if start < 0 {
			return append(shown, r.credentials(string(text), false)...)
		}
		shown, text = append(shown, r.credentials(string(text[:start]), false)...), text[start:]
		literal := stringLiteral(text)
		var value string
		_ = json.Unmarshal(literal, &value) // the text is valid
		if redacted := r.text(value); redacted != value {
			encoded, _ := json.Marshal(redacted) // a string always has a JSON form
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

// credentials replaces the credential in a text, also where JSON, HTML or a URL in the text
// escapes it. cutOff reports that the text may end within a credential.
func (r redactor) credentials(text string, cutOff bool) string {
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

// redactQueries replaces the rest of a word after a question mark, where a presigned URL has
// its signature. The URL need not have a scheme. redactQueries also replaces the user of a URL.
func redactQueries(text string) string {
	text = redactUsers(text)
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
			word = word[:query] + "?" + redacted
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
