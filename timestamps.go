package memfault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Timestamp is a point in time in the format of the Memfault API.
//
// It is encoded in UTC with a Z, as the API requires: 2025-02-27T00:00:00Z. Fractions are
// truncated to microseconds and written with six digits, or not at all if they are zero.
// Encoding a year outside 0000–9999 is an error. Any RFC 3339 offset and fraction can be
// decoded; the result is in UTC. A leap second is decoded as the second after it. null is
// decoded as the zero value, and the zero value is encoded as null.
type Timestamp struct {
	time.Time
}

// NewTimestamp returns the [Timestamp] of t.
func NewTimestamp(t time.Time) Timestamp { return Timestamp{t} }

// String returns the timestamp in the format in which it is sent.
func (t Timestamp) String() string {
	u := t.UTC()
	if u.Nanosecond()/1000 == 0 {
		return u.Format("2006-01-02T15:04:05Z")
	}
	return u.Format("2006-01-02T15:04:05.000000Z")
}

func (t Timestamp) wire() (string, error) {
	if year := t.UTC().Year(); !inRange(year) {
		return "", invalid("timestamp out of range: year %d is not within 0000–9999", year)
	}
	return t.String(), nil
}

func inRange(year int) bool { return year >= 0 && year <= 9999 }

// AppendText appends the timestamp in the format in which it is sent.
func (t Timestamp) AppendText(b []byte) ([]byte, error) {
	s, err := t.wire()
	return append(b, s...), err
}

// MarshalText returns the timestamp in the format in which it is sent.
func (t Timestamp) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// MarshalJSON returns the timestamp as a JSON string in the format in which it is sent, and
// null for the zero value.
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

// EncodeValues adds the timestamp to a query under key. The zero value adds nothing.
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

// UnmarshalText decodes an RFC 3339 timestamp. It returns an error for a time that is outside
// the years 0000–9999 in UTC, because it could not be encoded again.
func (t *Timestamp) UnmarshalText(text []byte) error {
	var usual time.Time
	if usual.UnmarshalText(text) == nil && isStrict(text) && inRange(usual.UTC().Year()) {
		t.Time = usual.UTC() // without an allocation
		return nil
	}
	s := string(text)
	if strings.ContainsAny(s, "tz") { // RFC 3339 allows lowercase, package time does not
		s = strings.ToUpper(s)
	}
	parsed, err := time.Parse(time.RFC3339, s)
	if err != nil {
		parsed, err = parseLeapSecond(s)
	}
	parsed = parsed.UTC()
	if err != nil || !isStrict([]byte(s)) || !inRange(parsed.Year()) {
		return fmt.Errorf("memfault: invalid RFC 3339 timestamp %q", shorten(string(text), 64))
	}
	t.Time = parsed
	return nil
}

// parseLeapSecond parses the second 60 that RFC 3339 allows at the end of a day in UTC, and
// package time does not have.
func parseLeapSecond(s string) (time.Time, error) {
	const minute = len("2006-01-02T15:04")
	if !strings.HasPrefix(s[min(minute, len(s)):], ":60") {
		return time.Time{}, errors.New("not a leap second")
	}
	parsed, err := time.Parse(time.RFC3339, s[:minute]+":59"+s[minute+len(":60"):])
	if utc := parsed.UTC(); err == nil && (utc.Hour() != 23 || utc.Minute() != 59) {
		err = errors.New("not at the end of a day in UTC")
	}
	return parsed.Add(time.Second), err
}

// isStrict reports whether s has none of the forms that package time accepts in addition to
// RFC 3339: an hour of one digit, a fraction after a comma, an offset of 24 hours or 60
// minutes.
func isStrict(s []byte) bool {
	if s[len("2006-01-02T15")] != ':' || s[len("2006-01-02T15:04:05")] == ',' {
		return false
	}
	hours, minutes := s[len(s)-len("hh:mm"):len(s)-len(":mm")], s[len(s)-len("mm"):]
	return s[len(s)-1] == 'Z' || string(hours) < "24" && string(minutes) < "60"
}

// UnmarshalJSON decodes a JSON string that contains an RFC 3339 timestamp, or null.
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		t.Time = time.Time{}
		return nil
	}
	if n := len(data); n > 1 && data[0] == '"' && data[n-1] == '"' && t.UnmarshalText(data[1:n-1]) == nil {
		return nil // a timestamp without escapes, as Memfault sends it; no allocation
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("memfault: invalid RFC 3339 timestamp %s", shorten(string(data), 64))
	}
	return t.UnmarshalText([]byte(s))
}

// shorten truncates a text that an error quotes to n bytes.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
