package memfault

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/memfault-go/memfault/internal/redact"
)

// redactor returns the redactor of what a server sent to the call, or an error of it contains.
func (c *call) redactor() redact.Redactor {
	return redact.New(append(addedValues(c.signedHeader, c.plainHeader), c.earlier...))
}

// hideCause returns err without the secrets of the call. Errors of the package contain none.
func (c *call) hideCause(err error) error {
	return c.redactor().Cause(err, func(err error) bool {
		switch err.(type) { //nolint:errorlint // asks about this error alone
		case *Error, *noResponseError:
			return true
		default:
			return false
		}
	})
}

// quotesURL reports whether an error is of url.Parse, or has its text, as those of net/http. Such
// an error quotes the URL, and the part of it that is wrong, which can be a part of a password.
func quotesURL(err error) bool {
	var parse *url.Error
	return errors.As(err, &parse) && parse.Op == "parse" || strings.Contains(err.Error(), `: parse "`)
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
				return c.redactor().Text(id)
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
