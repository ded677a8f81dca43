package resume

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// identity is the header of a response that contains a file. It identifies the file.
type identity struct{ header http.Header }

// minAge is how much older than its response a file must be, so that its Last-Modified is a
// strong validator: a younger file can change twice within the second that both name.
const minAge = time.Minute

// validator returns the strong validator of the file, for an If-Range header; "" if there
// is none. RFC 9110, section 13.1.5, does not allow a date there if the file has a tag.
func (i identity) validator() string {
	if tag := i.header.Get("ETag"); tag != "" {
		if len(tag) > 2 && tag[0] == '"' && strings.IndexByte(tag[1:], '"') == len(tag)-2 {
			return tag
		}
		return ""
	}
	text := i.header.Get("Last-Modified")
	modified, err := http.ParseTime(text)
	if err != nil {
		return ""
	}
	date, err := http.ParseTime(i.header.Get("Date"))
	if err != nil || date.Sub(modified) < minAge {
		return ""
	}
	return text
}

// differs reports whether a response contains another file or another version of it, by the
// first of the given fields that both have. The same weak validator does not prove that it
// contains the same.
func (i identity) differs(header http.Header, fields ...string) bool {
	for _, name := range fields {
		before, now := strings.TrimPrefix(i.header.Get(name), "W/"), strings.TrimPrefix(header.Get(name), "W/")
		if before != "" && now != "" {
			return before != now
		}
	}
	return false
}

// contentRange reads the Content-Range header: where the part begins, and how large the
// whole file is; -1 if the header leaves that open. RFC 9110, section 14.4, forbids to combine
// parts with an invalid header.
func contentRange(header http.Header) (start, total int64, ok bool) {
	unit, text, _ := strings.Cut(header.Get("Content-Range"), " ")
	span, whole, _ := strings.Cut(text, "/")
	first, last, _ := strings.Cut(span, "-")
	start, errStart := parseSize(first)
	end, errEnd := parseSize(last)
	total, errTotal := int64(-1), error(nil)
	if whole != "*" {
		total, errTotal = parseSize(whole)
	}
	ok = strings.EqualFold(unit, "bytes") && errors.Join(errStart, errEnd, errTotal) == nil
	return start, total, ok && start <= end && (total < 0 || end < total)
}

// parseSize parses a number of digits alone.
func parseSize(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err // it has 63 bits at most
}
