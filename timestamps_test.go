package memfault_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-querystring/query"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestTimestamp_EncodesUTC(t *testing.T) {
	paris := time.FixedZone("", 3600)
	for want, at := range map[string]time.Time{
		"2025-02-27T00:00:00Z":        time.Date(2025, 2, 27, 1, 0, 0, 0, paris),
		"2025-02-27T00:00:00.120000Z": time.Date(2025, 2, 27, 0, 0, 0, 120e6, time.UTC),
		"2025-02-27T00:00:00.000001Z": time.Date(2025, 2, 27, 0, 0, 0, 1999, time.UTC),
		"2025-02-27T00:00:01Z":        time.Date(2025, 2, 27, 0, 0, 1, 999, time.UTC),
		"0000-01-01T00:00:00Z":        time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		"9999-12-31T23:59:59Z":        time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		stamp := memfault.NewTimestamp(at)
		inJSON, err := json.Marshal(stamp)
		require.NoError(t, err)
		assert.JSONEq(t, `"`+want+`"`, string(inJSON))
		inQuery, err := query.Values(struct {
			Since memfault.Timestamp `url:"since,omitempty"`
		}{stamp})
		require.NoError(t, err)
		assert.Equal(t, url.Values{"since": {want}}, inQuery)
		assert.Equal(t, want, stamp.String())
		inText, err := stamp.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, want, string(inText))
	}
}

func TestTimestamp_OutOfRangeIsError(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-1, 12, 31, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600)), // year 10000 in UTC
	} {
		stamp := memfault.NewTimestamp(at)
		_, err := json.Marshal(stamp)
		require.ErrorContains(t, err, "out of range")
		require.ErrorContains(t, stamp.EncodeValues("since", &url.Values{}), "out of range")
		_, err = stamp.MarshalText()
		require.ErrorContains(t, err, "out of range")
	}
}

func TestTimestamp_DecodesRFC3339(t *testing.T) {
	for text, want := range map[string]time.Time{
		`"2014-12-22T03:12:58.019077+00:00"`:  time.Date(2014, 12, 22, 3, 12, 58, 19077000, time.UTC),
		`"2019-05-21T21:08:54.32353+00:00"`:   time.Date(2019, 5, 21, 21, 8, 54, 323530000, time.UTC),
		`"2025-02-27T01:30:00+01:30"`:         time.Date(2025, 2, 27, 0, 0, 0, 0, time.UTC),
		`"2025-02-27T00:00:00Z"`:              time.Date(2025, 2, 27, 0, 0, 0, 0, time.UTC),
		`"2025-02-27t00:00:00z"`:              time.Date(2025, 2, 27, 0, 0, 0, 0, time.UTC),
		`"2025-02-27T00:00:00\u002b00:00"`:    time.Date(2025, 2, 27, 0, 0, 0, 0, time.UTC),
		`"2025-02-27T00:00:00.123456789123Z"`: time.Date(2025, 2, 27, 0, 0, 0, 123456789, time.UTC),
		`null`:                                {},
	} {
		stamp := memfault.NewTimestamp(time.Now())
		require.NoError(t, json.Unmarshal([]byte(text), &stamp), text)
		assert.Equal(t, want, stamp.Time, text)
	}
}

func TestTimestamp_InvalidInput(t *testing.T) {
	for _, text := range []string{
		`"2025-02-27"`, `"2025-02-27 00:00:00Z"`, `"2025-02-27T00:00:00"`, `"2025-02-27T0:00:00Z"`, `"2025-02-27T00:00:00,5Z"`, `"2025-02-27T00:00:00+24:00"`, `"2025-02-27T00:00:00+01:60"`,
		`"2025-02-30T00:00:00Z"`, `"yesterday"`, `""`, `1740614400`, `{"at":1}`, `["2025-02-27T00:00:00Z"]`, `true`,
	} {
		var stamp memfault.Timestamp
		err := json.Unmarshal([]byte(text), &stamp)
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), "RFC 3339")
		var inner string
		if json.Unmarshal([]byte(text), &inner) != nil {
			inner = text
		}
		assert.Contains(t, err.Error(), inner, "the error must quote the text")
		assert.True(t, stamp.IsZero())
	}
	for _, text := range []string{``, `"`, `2025-02-27T00:00:00Z`, `"2025-02-27T00:00:00Z`, `2025-02-27T00:00:00Z"`, `"2025-02-27T00:00:00ZZ`} {
		require.Error(t, new(memfault.Timestamp).UnmarshalJSON([]byte(text)), text)
	}
}

func TestTimestamp_ZeroIsNull(t *testing.T) {
	out, err := json.Marshal(memfault.Timestamp{})
	require.NoError(t, err)
	assert.Equal(t, "null", string(out))
	values := url.Values{}
	require.NoError(t, memfault.Timestamp{}.EncodeValues("since", &values))
	assert.Empty(t, values)
}

// rfc3339 is the form of a timestamp in RFC 3339.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:(\d{2})(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// modelTimestamp returns the time that an RFC 3339 text names, and false if it names none that
// can be encoded again.
func modelTimestamp(text string) (time.Time, bool) {
	match := rfc3339.FindStringSubmatchIndex(text)
	if match == nil {
		return time.Time{}, false
	}
	leap := text[match[2]:match[3]] == "60"
	if leap {
		text = text[:match[2]] + "59" + text[match[3]:]
	}
	at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
	if at = at.UTC(); leap {
		if at.Hour() != 23 || at.Minute() != 59 {
			return time.Time{}, false
		}
		at = at.Add(time.Second)
	}
	return at, err == nil && at.Year() >= 0 && at.Year() <= 9999
}

// FuzzTimestamp_RoundTrip compares decoding with a model, and requires that every decoded time
// and every time of the years 0000–9999 is encoded as RFC 3339 in UTC, and decoded again.
func FuzzTimestamp_RoundTrip(f *testing.F) {
	for _, text := range []string{
		`"2019-05-21T21:08:54.32353+00:00"`, `null`, `"0000-01-01T00:00:00+23:59"`, `"2016-12-31T23:59:60Z"`, `"2017-01-01T05:29:60.5+05:30"`,
		`"2025-02-27t01:02:03.000004999z"`, `"\u0032025-02-27T00:00:00Z"`, `"9999-12-31T23:59:60Z"`, `"2025-02-29T00:00:00Z"`, `"2025-02-27T00:00:00,5Z"`,
		`"0001-01-01T00:00:00Z"`, `17`, `"2025-02-27T24:00:00Z"`, `"2025-02-27T00:00:00+24:00"`,
	} {
		f.Add(text, int64(0), int64(0))
	}
	f.Add(`""`, int64(1<<62), int64(-1))
	f.Add(`""`, int64(-62135596800), int64(1500))
	f.Add(`""`, int64(-62167219201), int64(999_999_999))
	f.Fuzz(func(t *testing.T, text string, seconds, nanoseconds int64) {
		var decoded memfault.Timestamp
		var inner *string
		want, ok := time.Time{}, false
		if json.Unmarshal([]byte(text), &inner) == nil {
			if ok = inner == nil; !ok {
				want, ok = modelTimestamp(*inner)
			}
		}
		if err := json.Unmarshal([]byte(text), &decoded); !ok {
			require.Error(t, err, text)
		} else {
			require.NoError(t, err, text)
			require.Equal(t, want, decoded.Time)
			requireTimestampRoundTrip(t, decoded)
		}
		at := memfault.NewTimestamp(time.Unix(seconds, nanoseconds))
		if year := at.UTC().Year(); year < 0 || year > 9999 {
			_, err := at.MarshalText()
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			return
		}
		requireTimestampRoundTrip(t, at)
	})
}

func requireTimestampRoundTrip(t *testing.T, at memfault.Timestamp) {
	t.Helper()
	encoded, err := json.Marshal(at)
	require.NoError(t, err)
	var again memfault.Timestamp
	require.NoError(t, json.Unmarshal(encoded, &again))
	require.Equal(t, at.UTC().Truncate(time.Microsecond), again.Time)
	if !at.IsZero() {
		require.Regexp(t, `^"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{6})?Z"$`, string(encoded))
	}
}

func TestTimestamp_AppendTextIsWireFormat(t *testing.T) {
	at := memfault.NewTimestamp(time.Date(2025, 2, 27, 1, 2, 3, 4000, time.FixedZone("", 3600)))
	appended, err := at.AppendText([]byte("at "))
	require.NoError(t, err)
	assert.Equal(t, "at 2025-02-27T00:02:03.000004Z", string(appended))
	_, err = memfault.NewTimestamp(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)).AppendText(nil)
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	keyed, err := json.Marshal(map[memfault.Timestamp]int{at: 1})
	require.NoError(t, err)
	assert.JSONEq(t, `{"2025-02-27T00:02:03.000004Z":1}`, string(keyed))
}

func TestTimestamp_DecodesOnlyWhatItEncodes(t *testing.T) {
	for _, text := range []string{"9999-12-31T23:59:59-14:00", "0000-01-01T00:00:00+01:00", "9999-12-31T23:59:60Z"} {
		var at memfault.Timestamp
		require.Error(t, at.UnmarshalText([]byte(text)), text)
	}
}

func TestTimestamp_LeapSecond(t *testing.T) {
	for text, want := range map[string]string{
		"2016-12-31T23:59:60Z":          "2017-01-01T00:00:00Z",
		"2016-12-31T23:59:60.5Z":        "2017-01-01T00:00:00.500000Z",
		"2016-12-31T15:59:60-08:00":     "2017-01-01T00:00:00Z",
		"2016-12-31t23:59:60.25+00:00":  "2017-01-01T00:00:00.250000Z",
		"2017-01-01T05:29:60.999+05:30": "2017-01-01T00:00:00.999000Z",
	} {
		var at memfault.Timestamp
		require.NoError(t, at.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, at.String(), text)
	}
	for _, text := range []string{"2016-12-31T23:58:60Z", "2016-12-31T22:59:60Z", "2016-12-31T23:59:61Z", "2016-12-31T23:59:60", ":60"} {
		var at memfault.Timestamp
		require.Error(t, at.UnmarshalText([]byte(text)), text)
	}
}
