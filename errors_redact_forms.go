package memfault

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// newRedactor returns a redactor of the values that the Authenticator added to the header and
// of their parts.
func newRedactor(added []string) redactor {
	var r redactor
	add := func(secret string) {
		if len(secret) >= 4 { // replacing a shorter one would destroy any text
			r.plain = append(r.plain, secret)
		}
	}
	for _, value := range added {
		add(value)
		if _, token, ok := strings.Cut(value, " "); ok { // Basic and Bearer
			add(token)
			value = token
		}
		if decoded, err := base64.StdEncoding.DecodeString(value); err == nil {
			if _, password, ok := strings.Cut(string(decoded), ":"); ok {
				add(string(decoded))
				add(password)
			}
		}
	}
	for _, secret := range r.plain {
		r.secrets = append(r.secrets, formsOf(secret)...)
	}
	slices.SortFunc(r.secrets, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	r.secrets = slices.Compact(r.secrets)
	return r
}

// formsOf returns a secret in the forms in which servers usually write it back.
func formsOf(secret string) []string {
	quoted, _ := json.Marshal(secret) // a string always has a JSON form
	query, path := url.QueryEscape(secret), url.PathEscape(secret)
	forms := []string{
		secret, html.EscapeString(secret), string(quoted[1 : len(quoted)-1]),
		query, path, lowerEscapes(query), lowerEscapes(path),
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, base64Forms(encoding, secret)...)
	}
	return forms
}

// base64Forms returns what base64 makes of a secret within a longer text, by its position
// there: without the digits that depend on its neighbors.
func base64Forms(encoding *base64.Encoding, secret string) (forms []string) {
	const shortest = 8 // bytes; the digits of a shorter one could occur by chance
	if len(secret) < shortest {
		return nil
	}
	for before, skipped := range []int{0, 2, 3} {
		digits := encoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		forms = append(forms, digits[skipped:(before+len(secret))*8/6])
	}
	return forms
}

// lowerEscapes returns an escaped text with its percent escapes in lower case.
func lowerEscapes(escaped string) string {
	lower := []byte(escaped)
	for i := 0; i+2 < len(lower); i++ {
		if lower[i] == '%' {
			copy(lower[i:], strings.ToLower(escaped[i:i+3]))
			i += 2
		}
	}
	return string(lower)
}

// escaped redacts the secrets of which a server escaped any characters, in any of the ways of
// JSON, URLs and HTML.
func (r redactor) escaped(text string) string {
	if !strings.ContainsAny(text, `\%&`) {
		return text
	}
	for _, secret := range r.plain {
		var pattern strings.Builder
		for _, char := range secret {
			pattern.WriteString(charPattern(char))
		}
		if found, err := regexp.Compile(pattern.String()); err == nil {
			text = found.ReplaceAllLiteralString(text, redacted)
		}
	}
	return text
}

// charPattern matches a character, escaped or not.
func charPattern(char rune) string {
	percent := ""
	for _, b := range []byte(string(char)) {
		percent += fmt.Sprintf(`%%(?i:%02x)`, b)
	}
	forms := []string{`\\*` + regexp.QuoteMeta(string(char)), percent, fmt.Sprintf(`&#(?i:x0*%x|0*%d);`, char, char)}
	if char <= 0xffff {
		forms = append(forms, fmt.Sprintf(`\\+u(?i:%04x)`, char))
	}
	if named := html.EscapeString(string(char)); len(named) > 1 {
		forms = append(forms, regexp.QuoteMeta(named))
	}
	switch char {
	case '"':
		forms = append(forms, "&quot;")
	case '\'':
		forms = append(forms, "&apos;")
	case ' ':
		forms = append(forms, `\+`)
	}
	return "(?:" + strings.Join(forms, "|") + ")"
}

var userOfURL = regexp.MustCompile(`//[^/\s"'<>@]*@`)

// redactUsers replaces the user and the password in URLs, such as that of a proxy.
func redactUsers(text string) string {
	if !strings.Contains(text, "@") || !strings.Contains(text, "//") {
		return text
	}
	return userOfURL.ReplaceAllLiteralString(text, "//"+redacted+"@")
}
