package memfault

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Timestamp is a point in time as the Memfault API writes it.
//
// It is sent in UTC with a Z, as the API demands: 2025-02-27T00:00:00Z, with six
// fraction digits (microseconds; what is finer is cut off) only when there is a
// fraction. A year outside 0000–9999 is an error. It is read with any RFC 3339
// offset and fraction and holds UTC afterwards; null is the zero value, and the
// zero value is written as null.
type Timestamp struct {
	time.Time
}

// NewTimestamp returns the Timestamp of t.
func NewTimestamp(t time.Time) Timestamp { return Timestamp{t} }

// String returns the form in which the timestamp is sent.
func (t Timestamp) String() string {
	u := t.UTC()
	if u.Nanosecond()/1000 == 0 {
		return u.Format("2006-01-02T15:04:05Z")
	}
	return u.Format("2006-01-02T15:04:05.000000Z")
}

func (t Timestamp) wire() (string, error) {
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return "", invalid("timestamp out of range: year %d is not within 0000–9999", year)
	}
	return t.String(), nil
}

// MarshalText returns the form in which the timestamp is sent.
func (t Timestamp) MarshalText() ([]byte, error) {
	s, err := t.wire()
	return []byte(s), err
}

// MarshalJSON returns the form in which the timestamp is sent as a JSON string,
// and null for the zero value.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	s, err := t.wire()
	if err != nil {
		return nil, err
	}
	return []byte(`"` + s + `"`), nil
}

// EncodeValues adds the timestamp to a query under key; a zero one adds nothing.
func (t Timestamp) EncodeValues(key string, values *url.Values) error {
	if t.IsZero() {
		return nil
	}
	s, err := t.wire()
	if err != nil {
		return err
	}
	values.Add(key, s)
	return nil
}

// UnmarshalText reads an RFC 3339 timestamp.
func (t *Timestamp) UnmarshalText(text []byte) error {
	s := string(text)
	if strings.ContainsAny(s, "tz") { // RFC 3339 allows small letters, package time does not
		s = strings.ToUpper(s)
	}
	parsed, err := time.Parse(time.RFC3339, s)
	if err != nil || !isStrict(s) {
		return fmt.Errorf("memfault: %q is not an RFC 3339 timestamp", shorten(string(text), 64))
	}
	t.Time = parsed.UTC()
	return nil
}

// isStrict refuses what package time lets pass: an hour of one digit, a fraction
// after a comma, an offset of 24 hours or of 60 minutes.
func isStrict(s string) bool {
	offset := s[len(s)-1:]
	if offset != "Z" {
		offset = s[len(s)-len("hh:mm"):]
	}
	return s[len("2006-01-02T15")] == ':' && s[len("2006-01-02T15:04:05")] != ',' &&
		(offset == "Z" || offset[:2] < "24" && offset[3:] < "60")
}

// UnmarshalJSON reads a JSON string that holds an RFC 3339 timestamp, or null.
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		t.Time = time.Time{}
		return nil
	}
	if inner, ok := plainJSONString(data); ok {
		return t.UnmarshalText(inner)
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("memfault: %s is not an RFC 3339 timestamp", shorten(string(data), 64))
	}
	return t.UnmarshalText([]byte(s))
}

// plainJSONString returns what stands between the quotes of a JSON string that
// needs no unescaping.
func plainJSONString(data []byte) ([]byte, bool) {
	n := len(data)
	if n < 2 || data[0] != '"' || data[n-1] != '"' {
		return nil, false
	}
	inner := data[1 : n-1]
	for _, b := range inner {
		if b == '\\' || b == '"' || b < ' ' || b > '~' {
			return nil, false
		}
	}
	return inner, true
}

// shorten cuts a text that is quoted in an error to n bytes.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
