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
type redactor struct {
	secrets []string // in every usual form, the longest first
	plain   []string // as they are
}

func (c *call) redactor() redactor {
	return newRedactor(append(addedValues(c.signedHeader, c.plainHeader), c.earlier...))
}

// requestID returns the ID that the server gave to a request, without the credential of the
// request. Only a server that sends the credential back costs more than a comparison.
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

// noteSecrets keeps the credential of the last attempt, before the next one has another.
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
func (r redactor) text(text string) string {
	for _, secret := range r.secrets {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return redactQueries(r.escaped(text))
}

// body redacts the body of a response, or its start.
func (r redactor) body(body []byte) []byte {
	switch trimmed := bytes.TrimSpace(body); {
	case len(trimmed) == 0:
		return nil
	case bytes.IndexByte([]byte(`{["`), trimmed[0]) >= 0:
		return r.json(body)
	default:
		return []byte(r.cut(r.text(string(body))))
	}
}

// json redacts each string of a JSON text, decoded, because the escapes of JSON would hide
// a credential. The text can be cut off anywhere.
func (r redactor) json(text []byte) []byte {
	shown := make([]byte, 0, len(text))
	for {
		start := bytes.IndexByte(text, '"')
		if start < 0 {
			return append(shown, text...)
		}
		shown, text = append(shown, text[:start]...), text[start:]
		literal, whole := stringLiteral(text)
		shown, text = append(shown, r.literal(literal, whole)...), text[len(literal):]
	}
}

// literal redacts a string literal of JSON. A literal that needs no change is returned
// unchanged.
func (r redactor) literal(literal []byte, whole bool) []byte {
	complete := literal
	if !whole { // close what was cut off, without an escape that was cut too
		complete = append(bytes.TrimRight(literal[:escapeStart(literal)], `\`), '"')
	}
	var value string
	if json.Unmarshal(complete, &value) != nil {
		return []byte(r.cut(r.text(string(literal))))
	}
	shown := r.text(value)
	if !whole {
		shown = r.cut(shown)
	}
	if shown == value {
		return literal
	}
	encoded, _ := json.Marshal(shown) // a string always has a JSON form
	return encoded
}

// stringLiteral returns the string literal with which a JSON text begins, and whether the text
// contains its end.
func stringLiteral(text []byte) (literal []byte, whole bool) {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i+1], true
		}
	}
	return text, false
}

// escapeStart returns the start of an escape that is cut off at the end of an unfinished
// literal. If there is none, it returns the length of the literal.
func escapeStart(literal []byte) int {
	last := bytes.LastIndex(literal, []byte(`\u`))
	if last >= 0 && len(literal)-last < len(`\u0000`) {
		return last
	}
	return len(literal)
}

// cut redacts the beginning of a credential at the end of a text that may be cut off.
func (r redactor) cut(text string) string {
	const shortest = 6 // a shorter text can be part of a word
	for _, secret := range r.secrets {
		for n := min(len(secret)-1, len(text)); n >= shortest; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				return text[:len(text)-n] + redacted
			}
		}
	}
	return text
}

// redactQueries replaces what follows a question mark within a word: a presigned URL has
// its signature there, with or without its scheme. It also replaces the user of a URL.
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

// queryStart returns the index of the first question mark that the word continues after,
// literal or as JSON escapes it. It returns -1 if there is none.
func queryStart(text string) int {
	for i := range len(text) {
		after := ""
		switch {
		case text[i] == '?':
			after = text[i+1:]
		case text[i] == '\\' && len(text)-i >= len(`\u003f`) && strings.EqualFold(text[i:i+len(`\u003f`)], `\u003f`):
			after = text[i+len(`\u003f`):]
		}
		if after != "" && (isAlphanumeric(after[0]) || strings.IndexByte("%_-&=.~+", after[0]) >= 0) {
			return i
		}
	}
	return -1
}
