package memfault_test

import (
	"math"
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// FuzzRetryAfter compares how long a call waits after a 429 with a model of the header.
func FuzzRetryAfter(f *testing.F) {
	const date = "Wed, 21 Oct 2015 07:28:00 GMT"
	for _, text := range []string{
		"", "0", "120", " 5 ", "-1", "+3", "-0", "1.5", "1e3", "0x10", "1_000", "3600", "3601", "soon",
		"9223372036", "9223372037", "99999999999999999999", "-99999999999999999999",
		date, "Wednesday, 21-Oct-15 07:28:00 GMT", "Wed Oct 21 07:28:00 2015", "Sun, 31 Dec 9999 23:59:59 GMT",
	} {
		f.Add(text, "Wed, 21 Oct 2015 07:27:00 GMT")
		f.Add(text, "")
	}
	f.Fuzz(func(t *testing.T, text, date string) {
		synctest.Test(t, func(t *testing.T) { requireRetryAfter(t, text, date) })
	})
}

func requireRetryAfter(t *testing.T, text, date string) {
	t.Helper()
	const minWait, maxWait = time.Second, time.Hour
	requests, start := 0, time.Now()
	client := newClient(t, memfault.OrganizationToken("oat_test"),
		memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 2, MinWait: minWait, MaxWait: maxWait}),
		memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			if requests++; requests > 1 {
				return newResponse(http.StatusOK, `{"data":{"id":1,"slug":"sink"}}`)
			}
			return newResponse(http.StatusTooManyRequests, "", "Retry-After", text, "Date", date)
		})}))
	_, err := client.Projects.Get(t.Context(), sink)
	waited, want := time.Since(start), modelRetryAfter(text, date, start)
	if want > maxWait {
		assert.Equal(t, want, requireError(t, err, http.StatusTooManyRequests).RetryAfter)
		assert.Equal(t, 1, requests, "a wait above MaxWait must not be retried")
		assert.Zero(t, waited)
		return
	}
	require.NoError(t, err)
	assert.Equal(t, 2, requests)
	assert.GreaterOrEqual(t, waited, want)
	assert.LessOrEqual(t, waited, want+minWait)
}

var wholeNumber = regexp.MustCompile(`^[+-]?[0-9]+$`)

// modelRetryAfter returns the wait that a Retry-After asks for.
func modelRetryAfter(text, date string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if wholeNumber.MatchString(text) {
		seconds, _ := new(big.Int).SetString(text, 10)
		if most := big.NewInt(math.MaxInt64 / int64(time.Second)); seconds.Cmp(most) > 0 {
			seconds = most
		}
		if seconds.Sign() < 0 {
			return 0
		}
		return time.Duration(seconds.Int64()) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if own, err := http.ParseTime(date); err == nil {
		now = own
	}
	return max(at.Sub(now), 0)
}
