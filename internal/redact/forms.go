package redact

import (
	"cmp"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
)

// New returns a Redactor of values of header fields, and of their parts: the token after a
// scheme such as Bearer, and the user and the password of HTTP Basic. A value of less than four
// bytes is not redacted, because it occurs in any text by chance.
//
// A secret is also found in base64. Escapes need no form of their own; see newView.
func New(added []string) Redactor {
	var secrets []string
	add := func(secret string) {
		if len(secret) < 4 {
			return
		}
		secrets = append(secrets, secret)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			secrets = append(secrets, base64Forms(encoding, secret)...)
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
	slices.SortFunc(secrets, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	return Redactor{slices.Compact(secrets)}
}

// base64Forms returns the forms that a secret can have in the base64 encoding of a longer text.
// There are three, because base64 encodes groups of three bytes. They lack the digits that
// depend on the bytes beside the secret.
func base64Forms(encoding *base64.Encoding, secret string) (forms []string) {
	const shortest = 8 // bytes; the digits of a shorter secret could occur by chance
	if len(secret) < shortest {
		return nil
	}
	for before, skipped := range []int{0, 2, 3} {
		digits := encoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		forms = append(forms, digits[skipped:(before+len(secret))*8/6])
	}
	return forms
}

var userOfURL = regexp.MustCompile(`//[^\s"'<>]*@`)

// users replaces the user and the password in URLs, such as that of a proxy. A password that is
// not escaped can contain slashes and @, so everything up to the last @ of the word goes.
func users(text string) string {
	if !strings.Contains(text, "@") || !strings.Contains(text, "//") {
		return text
	}
	return userOfURL.ReplaceAllLiteralString(text, "//"+Mark+"@")
}
