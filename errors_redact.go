package memfault

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// redact blots the client's credential out of a text.
func (c *call) redact(text string) string {
	for _, secret := range secretsIn(c.signed, c.unsigned) {
		if len(secret) >= 4 { // a shorter one would blot out half of any text
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return text
}

// withoutQueries cuts what follows the question mark of each URL in a text: a
// presigned URL keeps its signature there.
func withoutQueries(text string) string {
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
		if scheme := strings.Index(word, "http"); scheme >= 0 {
			if query := queryStart(word[scheme:]); query >= 0 {
				word = word[:scheme+query] + "?[redacted]"
			}
		}
		b.WriteString(word)
		b.WriteString(text[end:min(end+1, len(text))])
		text = text[min(end+1, len(text)):]
	}
	return b.String()
}

// queryStart returns where the first question mark stands, as it is or as JSON may
// escape it.
func queryStart(text string) int {
	first := -1
	for _, mark := range []string{"?", `\u003f`, `\u003F`} {
		if i := strings.Index(text, mark); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first
}

// secretsIn returns the texts that a signed request must not leave in an error:
// what the Authenticator added to its header, as sent and as they were given.
func secretsIn(signed, before http.Header) []string {
	var secrets []string
	for name, values := range signed {
		for _, value := range values {
			if value == before.Get(name) {
				continue
			}
			secrets = append(secrets, value)
			_, value, _ = strings.Cut(value, " ") // Basic and Bearer
			secrets = append(secrets, value)
			if plain, err := base64.StdEncoding.DecodeString(value); err == nil {
				_, password, _ := strings.Cut(string(plain), ":")
				secrets = append(secrets, string(plain), password)
			}
		}
	}
	return secrets
}
