package memfault

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/memfault-go/memfault/internal/operation"
)

// target returns the URL of an escaped path on an operation's host.
func (c *core) target(op *operation.Operation, path string, values url.Values) (*url.URL, error) {
	if base := c.hosts[op.Host]; base.RawPath == "" && isPlain(path) {
		target := *base
		target.Path += path
		target.RawQuery = values.Encode()
		return &target, nil
	}
	unescaped, err := url.PathUnescape(path)
	if err != nil {
		return nil, invalid("%s: %w", op.Name, err)
	}
	target := *c.hosts[op.Host]
	target.Path, target.RawPath = target.Path+unescaped, target.EscapedPath()+path
	target.RawQuery = values.Encode()
	return &target, nil
}

// isPlain reports whether a path has the same meaning escaped and unescaped, as nearly all
// paths do.
func isPlain(path string) bool {
	for i := range len(path) {
		if b := path[i]; !isAlphanumeric(b) && b != '/' && b != '-' && b != '_' && b != '.' {
			return false
		}
	}
	return true
}

func isAlphanumeric(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// parsePresignedURL parses a URL of another host, to be used unchanged.
func (c *core) parsePresignedURL(text string) (*url.URL, error) {
	target, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '#' }) || target.Host == "" || target.User != nil || !strings.HasSuffix(text, target.RequestURI()):
		return nil, errors.New("the URL cannot be used unchanged")
	case !c.allowedScheme(target):
		return nil, errors.New("the URL is plain http, which requires WithInsecureHTTP")
	}
	return target, nil
}

// expand fills the placeholders of an operation's path, each with one escaped segment.
func expand(op *operation.Operation, values []string) (string, error) {
	var b strings.Builder
	b.Grow(len(op.Path) + 32)
	for rest, segment := op.Path[1:], ""; rest != ""; {
		segment, rest, _ = strings.Cut(rest, "/")
		b.WriteByte('/')
		if !strings.HasPrefix(segment, "{") {
			b.WriteString(segment)
			continue
		}
		value := values[0]
		values = values[1:]
		name := strings.Trim(segment, "{}")
		if value == "" && strings.HasSuffix(name, "_id") {
			return "", invalid("%s: %s must not be empty or less than 1", op.Name, name)
		}
		if err := errors.Join(checkSegment(value), checkName(value)); err != nil {
			return "", invalid("%s: %s %w", op.Name, name, err)
		}
		b.WriteString(escapeSegment(value))
	}
	return b.String(), nil
}

// escapeSegment escapes a segment of a path. QueryEscape leaves only unreserved characters. A
// plus in a version would be valid unescaped, but some servers decode it as a space.
func escapeSegment(value string) string {
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

func checkSegment(value string) error {
	switch value {
	case "":
		return errors.New("must not be empty")
	case ".", "..":
		return fmt.Errorf("must not be %q", value)
	default:
		return nil
	}
}

func queryValues(options any) (url.Values, error) {
	switch options := options.(type) {
	case nil:
		return nil, nil
	case url.Values:
		return options, nil
	default:
		return query.Values(options)
	}
}
