package memfault_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// limitedHost responds with 429 and Retry-After until a time, and records when each request
// was sent, by credential.
type limitedHost struct {
	mu         sync.Mutex
	until      time.Time
	retryAfter string
	sentAt     map[string][]time.Time
}

func (h *limitedHost) RoundTrip(req *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sentAt == nil {
		h.sentAt = map[string][]time.Time{}
	}
	key := req.Header.Get("Authorization") + req.Header.Get("Memfault-Project-Key")
	h.sentAt[key] = append(h.sentAt[key], time.Now())
	if time.Now().Before(h.until) {
		return newResponse(http.StatusTooManyRequests, "", "Retry-After", h.retryAfter)
	}
	if req.Method == http.MethodPost {
		return newResponse(http.StatusAccepted, "Accepted")
	}
	return newResponse(http.StatusOK, `{"data":{"id":1}}`)
}

// all returns the times of all requests, in order.
func (h *limitedHost) all() []time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	var times []time.Time
	for _, sent := range h.sentAt {
		times = append(times, sent...)
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

func newLimitedClient(t *testing.T, host *limitedHost, auth memfault.Authenticator, opts ...memfault.Option) *memfault.Client {
	return newClient(t, auth, append([]memfault.Option{memfault.WithHTTPClient(&http.Client{Transport: host})}, opts...)...)
}

func TestRateLimit_HoldsForAllCallsOfTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		host := &limitedHost{until: start.Add(2 * time.Second), retryAfter: "2"}
		client := newLimitedClient(t, host, memfault.OrganizationToken("oat_test"))
		require.NoError(t, get(t.Context(), client)) // learns of the limit
		require.Len(t, host.all(), 2)

		host.mu.Lock()
		start = time.Now()
		host.until = start.Add(2 * time.Second)
		host.mu.Unlock()
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, get(t.Context(), client)) })
		synctest.Wait()
		for range 8 {
			wg.Go(func() {
				for time.Since(start) < 2*time.Second {
					assert.NoError(t, get(t.Context(), client.WithAuth(memfault.OrganizationToken("oat_test"))))
				}
			})
		}
		wg.Wait()
		sent := host.all()[2:]
		assert.Zero(t, sent[0].Sub(start))
		instants := map[time.Time]bool{}
		for _, at := range sent[1:] {
			assert.GreaterOrEqual(t, at.Sub(start), 2*time.Second, "sent during the wait")
			instants[at] = true
		}
		assert.Len(t, sent, 10, "the first call twice, the others once")
		assert.Len(t, instants, 9, "they continue at different times")
	})
}

// The requests in flight when the limit begins are the only ones that are rejected.
func TestRateLimit_CallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		host := &limitedHost{until: start.Add(2 * time.Second), retryAfter: "2"}
		client := newLimitedClient(t, host, memfault.OrganizationToken("oat_test"))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for time.Since(start) < 2*time.Second {
					assert.NoError(t, get(t.Context(), client))
				}
			})
		}
		wg.Wait()
		early := 0
		for _, at := range host.all() {
			if at.Sub(start) < 2*time.Second {
				early++
			}
		}
		assert.LessOrEqual(t, early, 8)
	})
}

func TestRateLimit_OtherCredentialsAndDevicesDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &limitedHost{until: time.Now().Add(20 * time.Second), retryAfter: "20"}
		client := newLimitedClient(t, host, memfault.OrganizationToken("oat_test"))
		done := make(chan error, 1)
		go func() { done <- get(t.Context(), client) }()
		synctest.Wait()
		start := time.Now()
		require.ErrorIs(t, get(t.Context(), client.WithAuth(memfault.OrganizationToken("oat_other")), memfault.WithoutRetry()), memfault.ErrRateLimited)
		gateway := client.WithAuth(memfault.ProjectKey("key"))
		require.ErrorIs(t, gateway.Chunks.Upload(t.Context(), "A", [][]byte{{1}}, memfault.WithoutRetry()), memfault.ErrRateLimited)
		require.ErrorIs(t, gateway.Chunks.Upload(t.Context(), "B", [][]byte{{1}}, memfault.WithoutRetry()), memfault.ErrRateLimited)
		_, err := gateway.Releases.Latest(t.Context(), memfault.LatestReleaseQuery{DeviceSerial: "A", HardwareVersion: "evt", SoftwareType: "main", CurrentVersion: "1.0.0"}, memfault.WithoutRetry())
		require.ErrorIs(t, err, memfault.ErrRateLimited)
		assert.Zero(t, time.Since(start), "a limit of a device or of another credential delays no call")
		require.NoError(t, <-done)
		assert.Len(t, host.sentAt["key"], 3)
		assert.Len(t, host.sentAt["Bearer oat_other"], 1)
	})
}

func TestRateLimit_DeadlineBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &limitedHost{until: time.Now().Add(20 * time.Second), retryAfter: "20"}
		client := newLimitedClient(t, host, memfault.OrganizationToken("oat_test"))
		go func() { _ = get(t.Context(), client) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		var response memfault.Response
		err := get(ctx, client, memfault.WithResponse(&response))
		assert.Zero(t, time.Since(start))
		assert.Zero(t, response.Attempts)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, memfault.ErrRateLimited)
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		require.NotErrorIs(t, err, memfault.ErrTemporary)
		require.EqualError(t, err, "memfault: projects.retrieve: context deadline exceeded before the end of the wait of 20s that the API asks this client for with 429")

		canceled, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.ErrorIs(t, get(canceled, client), context.Canceled)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Len(t, host.all(), 1)
	})
}

// The Timeout of an http.Client limits attempts, not the wait before the first one.
func TestRateLimit_WaitIsOutsideOfClientTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &limitedHost{until: time.Now().Add(20 * time.Second), retryAfter: "20"}
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: host, Timeout: time.Second}))
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { assert.NoError(t, get(t.Context(), client)) })
			synctest.Wait()
		}
		wg.Wait()
		assert.Len(t, host.all(), 3)
	})
}

func TestRateLimit_AtMostMaxRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		host := &limitedHost{until: start.Add(time.Minute), retryAfter: "3600"}
		client := newLimitedClient(t, host, memfault.OrganizationToken("oat_test"), memfault.WithRetry(memfault.RetryPolicy{MaxWait: time.Second, MaxRetryAfter: 2 * time.Minute}))
		require.ErrorIs(t, get(t.Context(), client), memfault.ErrRateLimited)
		assert.Zero(t, time.Since(start), "a longer wait ends the call")
		require.NoError(t, get(t.Context(), client))
		assert.GreaterOrEqual(t, time.Since(start), 2*time.Minute)
		assert.Less(t, time.Since(start), 2*time.Minute+time.Second)

		s := &script{responses: []func() (*http.Response, error){status(429, "Retry-After", "100"), status(200)}}
		start = time.Now()
		require.NoError(t, get(t.Context(), newScriptedClient(t, s, memfault.WithRetry(memfault.RetryPolicy{MaxWait: time.Second, MaxRetryAfter: 2 * time.Minute}))))
		assert.GreaterOrEqual(t, time.Since(start), 100*time.Second)
	})
}

// No call waits for ever, although each wait can be followed by another.
func TestRateLimit_CallThatIsNeverSentFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &limitedHost{until: time.Now().Add(time.Hour), retryAfter: "10"}
		client := newLimitedClient(t, host, memfault.OrganizationToken("oat_test"))
		results := make(chan error, 200)
		start := time.Now()
		for range 200 {
			go func() { results <- get(t.Context(), client) }()
		}
		for range 200 {
			require.ErrorIs(t, <-results, memfault.ErrRateLimited)
		}
		assert.Less(t, time.Since(start), 30*time.Minute)
		assert.Less(t, len(host.all()), 200*5)

		host.mu.Lock()
		host.until = time.Time{}
		host.mu.Unlock()
		require.NoError(t, get(t.Context(), client))
		require.NoError(t, get(t.Context(), client, memfault.WithoutRetry()), "a success ends the limit")
	})
}

func TestRateLimit_WaitAfterRateLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		host := &limitedHost{until: start.Add(10 * time.Second), retryAfter: "10"}
		client := newLimitedClient(t, host, memfault.OrganizationToken("oat_test"), memfault.WithRateLimiter(&slowLimiter{}))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { assert.NoError(t, get(t.Context(), client)) })
		}
		wg.Wait()
		sent := host.all()
		assert.GreaterOrEqual(t, sent[1].Sub(start), 10*time.Second, "sent while the client waits")
		assert.Len(t, sent, 9)
	})
}

// slowLimiter permits one request each 100 ms.
type slowLimiter struct {
	mu   sync.Mutex
	next time.Time
}

func (l *slowLimiter) Wait(context.Context) error {
	l.mu.Lock()
	if now := time.Now(); l.next.Before(now) {
		l.next = now
	}
	wait := time.Until(l.next)
	l.next = l.next.Add(100 * time.Millisecond)
	l.mu.Unlock()
	time.Sleep(wait)
	return nil
}

func TestObserver_RetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		s := &script{responses: []func() (*http.Response, error){status(429, "Retry-After", "7"), status(503), status(200)}}
		client := newScriptedClient(t, s, memfault.WithObserver(func(_ context.Context, attempt memfault.Attempt) { waits = append(waits, attempt.RetryAfter) }))
		require.NoError(t, get(t.Context(), client))
		assert.Equal(t, []time.Duration{7 * time.Second, 0, 0}, waits)
	})
}
