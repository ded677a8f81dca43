package memfault_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// roundTripper is an http.RoundTripper without a network, so that tests of waits run on
// the clock of a synctest bubble.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func newResponse(status int, body string, header ...string) (*http.Response, error) {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp, nil
}

// script is an http.RoundTripper that returns the responses of a list, then the last one
// repeatedly, and records when each request was sent.
type script struct {
	responses []func() (*http.Response, error)
	sentAt    []time.Time
}

func (s *script) RoundTrip(*http.Request) (*http.Response, error) {
	s.sentAt = append(s.sentAt, time.Now())
	return s.responses[min(len(s.sentAt), len(s.responses))-1]()
}

func (s *script) waits() []time.Duration {
	var waits []time.Duration
	for i := 1; i < len(s.sentAt); i++ {
		waits = append(waits, s.sentAt[i].Sub(s.sentAt[i-1]))
	}
	return waits
}

func status(code int, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return newResponse(code, `{"data":{"id":1}}`, header...) }
}

func broken(err error) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, err }
}

func newScriptedClient(t testing.TB, s *script, opts ...memfault.Option) *memfault.Client {
	t.Helper()
	return newClient(t, memfault.OrganizationToken("oat_test"), append([]memfault.Option{memfault.WithHTTPClient(&http.Client{Transport: s})}, opts...)...)
}

func get(ctx context.Context, client *memfault.Client, opts ...memfault.CallOption) error {
	_, err := client.Projects.Get(ctx, sink, opts...)
	return err
}

func post(ctx context.Context, client *memfault.Client) error {
	_, err := client.Cohorts.Create(ctx, sink, memfault.CohortCreate{Name: "x"})
	return err
}

func patch(ctx context.Context, client *memfault.Client) error {
	_, err := client.Devices.Update(ctx, sink, "A", memfault.DeviceUpdate{Cohort: memfault.Set("x")})
	return err
}

var (
	errReset   = &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	errRefused = &net.OpError{Op: "dial", Err: errors.New("connection refused")}
)

func TestRetry_Policy(t *testing.T) {
	type calls map[string]func(context.Context, *memfault.Client) error
	idempotent := calls{"GET": func(ctx context.Context, c *memfault.Client) error { return get(ctx, c) }, "PATCH": patch}
	once := calls{"POST": post}
	both := calls{"GET": idempotent["GET"], "POST": post}
	for name, c := range map[string]struct {
		failure  func() (*http.Response, error)
		calls    calls
		attempts int
	}{
		"429":                       {status(429), both, 5},
		"502 idempotent":            {status(502), idempotent, 5},
		"503 idempotent":            {status(503), idempotent, 5},
		"504 idempotent":            {status(504), idempotent, 5},
		"529 idempotent":            {status(529), idempotent, 5},
		"lost response idempotent":  {broken(errReset), idempotent, 5},
		"never connected":           {broken(errRefused), both, 5},
		"502 once":                  {status(502), once, 1},
		"503 once":                  {status(503), once, 1},
		"503 with Retry-After":      {status(503, "Retry-After", "1"), once, 1},
		"504 once":                  {status(504), once, 1},
		"529 once":                  {status(529), once, 1},
		"lost response once":        {broken(errReset), once, 1},
		"500":                       {status(500), both, 1},
		"501":                       {status(501), both, 1},
		"400":                       {status(400), both, 1},
		"404":                       {status(404), both, 1},
		"Retry-After above MaxWait": {status(429, "Retry-After", "31"), both, 1},
		"Retry-After out of range":  {status(429, "Retry-After", "99999999999999999999"), both, 1},
	} {
		for method, call := range c.calls {
			t.Run(name+" "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &script{responses: []func() (*http.Response, error){c.failure}}
					require.Error(t, call(t.Context(), newScriptedClient(t, s)))
					assert.Len(t, s.sentAt, c.attempts)
				})
			})
		}
	}
}

func TestRetry_SuccessAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{responses: []func() (*http.Response, error){status(503), broken(errReset), status(429), status(200)}}
		var response memfault.Response
		require.NoError(t, get(t.Context(), newScriptedClient(t, s), memfault.WithResponse(&response)))
		assert.Equal(t, 4, response.Attempts)
		assert.Equal(t, 200, response.StatusCode)
	})
}

func TestRetry_WaitsHaveFullJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runs = 300
		var shortest, longest [7]time.Duration
		for i := range shortest {
			shortest[i] = time.Hour
		}
		for range runs {
			s := &script{responses: []func() (*http.Response, error){status(503)}}
			client := newScriptedClient(t, s, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 8, MaxWait: 20 * time.Second}))
			require.ErrorIs(t, get(t.Context(), client), memfault.ErrUnavailable)
			for i, wait := range s.waits() {
				shortest[i], longest[i] = min(shortest[i], wait), max(longest[i], wait)
			}
		}
		for i, window := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 20 * time.Second} {
			assert.LessOrEqual(t, longest[i], window)
			assert.Greater(t, longest[i], window*9/10, "wait %d must use its whole window", i)
			assert.Less(t, shortest[i], window/10, "wait %d must use its whole window", i)
		}
	})
}

func TestRetryAfter_IsHonored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UTC()
		for text, want := range map[string]time.Duration{
			"3":  3 * time.Second,
			"30": 30 * time.Second,
			"0":  0,
			now.Add(7 * time.Second).Format(http.TimeFormat): 7 * time.Second,
			now.Add(-time.Hour).Format(http.TimeFormat):      0,
		} {
			// The wait must be relative to the Date header, not to the local clock.
			s := &script{responses: []func() (*http.Response, error){status(429, "Retry-After", text, "Date", now.Format(http.TimeFormat)), status(200)}}
			require.NoError(t, post(t.Context(), newScriptedClient(t, s)))
			require.Len(t, s.waits(), 1)
			assert.GreaterOrEqual(t, s.waits()[0], want, text)
			assert.Less(t, s.waits()[0], want+500*time.Millisecond, "the random wait follows")
		}
		s := &script{responses: []func() (*http.Response, error){status(503, "Retry-After", time.Now().Add(9*time.Second).UTC().Format(http.TimeFormat)), status(200)}}
		require.NoError(t, get(t.Context(), newScriptedClient(t, s)))
		require.Len(t, s.waits(), 1)
		assert.InDelta(t, 8.75, s.waits()[0].Seconds(), 0.75, "without a Date header the wait is relative to the local clock, in whole seconds")
	})
}

func TestRetryAfter_CallersDoNotComeBackTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		instants := map[time.Duration]bool{}
		for range 100 {
			s := &script{responses: []func() (*http.Response, error){status(429, "Retry-After", "3"), status(200)}}
			require.NoError(t, post(t.Context(), newScriptedClient(t, s)))
			instants[s.waits()[0].Round(time.Millisecond)] = true
			assert.GreaterOrEqual(t, s.waits()[0], 3*time.Second)
		}
		assert.Greater(t, len(instants), 50)
	})
}

func TestRetryAfter_BeyondDeadlineEndsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for name, call := range map[string]func(client *memfault.Client) error{
			"GET":  func(client *memfault.Client) error { return get(ctx, client) },
			"POST": func(client *memfault.Client) error { return post(ctx, client) },
			"download": func(client *memfault.Client) error {
				_, err := client.Coredumps.Download(ctx, sink, 1, io.Discard, memfault.CoredumpDownloadOptions{})
				return err
			},
		} {
			start := time.Now()
			s := &script{responses: []func() (*http.Response, error){status(429, "Retry-After", "10")}}
			err := call(newScriptedClient(t, s))
			assert.Zero(t, time.Since(start), name)
			assert.Len(t, s.sentAt, 1, name)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorIs(t, err, memfault.ErrRateLimited, name)
			assert.Equal(t, 10*time.Second, requireError(t, err, 429).RetryAfter, name)
			require.ErrorContains(t, err, "wait of 10s", name)
		}
	})
}

func TestRetryAfter_DateFromCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().UTC().Add(-20 * time.Second)
		for age, want := range map[string]time.Duration{"20": 5 * time.Second, "x": 25 * time.Second, "-20": 25 * time.Second, "": 25 * time.Second, "100": 0} {
			s := &script{responses: []func() (*http.Response, error){
				status(429, "Retry-After", date.Add(25*time.Second).Format(http.TimeFormat), "Date", date.Format(http.TimeFormat), "Age", age), status(200),
			}}
			require.NoError(t, get(t.Context(), newScriptedClient(t, s)))
			assert.GreaterOrEqual(t, s.waits()[0], want, age)
			assert.Less(t, s.waits()[0], want+500*time.Millisecond, age)
		}
	})
}

func TestRetryAfter_ZeroWaitsAsWithoutHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		for range 20 {
			s := &script{responses: []func() (*http.Response, error){status(429, "Retry-After", "0")}}
			require.ErrorIs(t, post(t.Context(), newScriptedClient(t, s)), memfault.ErrRateLimited)
			assert.Len(t, s.sentAt, 5)
		}
		// Each call waits 3.75 s on average: half of 0.5, 1, 2 and 4 s.
		assert.Greater(t, time.Since(start), 20*time.Second)
	})
}

func TestRetryAfter_ShorterThanJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runs = 100
		start := time.Now()
		for range runs {
			s := &script{responses: []func() (*http.Response, error){status(429, "Retry-After", "1")}}
			require.ErrorIs(t, post(t.Context(), newScriptedClient(t, s)), memfault.ErrRateLimited)
			for _, wait := range s.waits() {
				assert.GreaterOrEqual(t, wait, time.Second)
			}
		}
		// The 4 waits of a call take 4 s without the jitter, and 5.4 s on average with it.
		assert.Greater(t, time.Since(start), runs*4500*time.Millisecond)
	})
}

func TestRetryAfter_InvalidIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, text := range []string{"-5", "-99999999999999999999", "soon", "1.5", ""} {
			s := &script{responses: []func() (*http.Response, error){status(429, "Retry-After", text), status(200)}}
			require.NoError(t, get(t.Context(), newScriptedClient(t, s)))
			assert.LessOrEqual(t, s.waits()[0], 500*time.Millisecond, text)
		}
	})
}

func TestRetryAfter_AboveMaxWaitEndsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for text, want := range map[string]time.Duration{"31": 31 * time.Second, "86400": 24 * time.Hour} {
			start := time.Now()
			s := &script{responses: []func() (*http.Response, error){status(503, "Retry-After", text)}}
			err := get(t.Context(), newScriptedClient(t, s))
			assert.Equal(t, want, requireError(t, err, 503).RetryAfter)
			assert.Zero(t, time.Since(start))
		}
	})
}

func TestRetry_ErrorDescribesLastResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{responses: []func() (*http.Response, error){
			status(502),
			func() (*http.Response, error) {
				return newResponse(503, `{"error":{"message":"down for maintenance","type":"X","code":7}}`, "Retry-After", "2", "X-Request-Id", "r-1")
			},
		}}
		err := get(t.Context(), newScriptedClient(t, s))
		require.ErrorIs(t, err, memfault.ErrUnavailable)
		got := requireError(t, err, 503)
		assert.Equal(t, "down for maintenance", got.Message)
		assert.Equal(t, "X", got.Type)
		assert.Equal(t, 7, got.Code)
		assert.Equal(t, "r-1", got.RequestID)
		assert.Equal(t, 2*time.Second, got.RetryAfter)
		assert.Equal(t, "projects.retrieve", got.Operation)
		assert.Contains(t, err.Error(), "projects.retrieve: 503 Service Unavailable")
	})
}

func TestRetry_ContextCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("the operator pressed a key")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(why) })
		start := time.Now()
		s := &script{responses: []func() (*http.Response, error){status(503, "Retry-After", "20")}}
		var response memfault.Response
		err := get(ctx, newScriptedClient(t, s), memfault.WithResponse(&response))
		assert.Equal(t, 3*time.Second, time.Since(start))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, why)
		require.ErrorIs(t, err, memfault.ErrUnavailable, "the error must also contain the last response")
		assert.Equal(t, 20*time.Second, requireError(t, err, 503).RetryAfter)
		assert.Contains(t, err.Error(), "projects.retrieve")
		assert.Contains(t, err.Error(), "503")
		assert.Equal(t, memfault.Response{StatusCode: 503, Attempts: 1, Header: response.Header}, response)
	})
}

func TestRetry_ErrorHasCauseAndLastResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{responses: []func() (*http.Response, error){status(503), broken(errReset)}}
		err := get(t.Context(), newScriptedClient(t, s))
		require.ErrorIs(t, err, errReset)
		require.ErrorIs(t, err, memfault.ErrUnavailable)
		assert.Contains(t, err.Error(), "attempt 5")
	})
}

func TestCall_ContextCanceledBefore(t *testing.T) {
	s := &script{responses: []func() (*http.Response, error){status(200)}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := get(ctx, newScriptedClient(t, s))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	require.EqualError(t, err, "memfault: projects.retrieve: context canceled")
	assert.Empty(t, s.sentAt)
}

func TestWithoutRetry_SendsOnce(t *testing.T) {
	for _, failure := range []func() (*http.Response, error){status(429), status(503), broken(errRefused)} {
		s := &script{responses: []func() (*http.Response, error){failure}}
		require.Error(t, get(t.Context(), newScriptedClient(t, s), memfault.WithoutRetry()))
		assert.Len(t, s.sentAt, 1)
	}
}

func TestTimeout_EndsAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		hangs := roundTripper(func(req *http.Request) (*http.Response, error) {
			requests++
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithTimeout(10*time.Second), memfault.WithHTTPClient(&http.Client{Transport: hangs}))
		start := time.Now()
		err := post(t.Context(), client)
		require.ErrorContains(t, err, "no response header within the time limit")
		assert.True(t, isTimeout(err))
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Equal(t, 1, requests)

		require.Error(t, get(t.Context(), client))
		assert.Equal(t, 6, requests, "a GET must be retried")
	})
}

func TestRetryPolicy_LongestWaitDoesNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s := &script{responses: []func() (*http.Response, error){status(503)}}
		require.ErrorIs(t, get(ctx, newScriptedClient(t, s, memfault.WithRetry(memfault.RetryPolicy{MinWait: math.MaxInt64}))), context.DeadlineExceeded)
	})
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded)
}

// slowBody pauses before each Read.
type slowBody struct {
	io.Reader
	pause time.Duration
	ctx   context.Context //nolint:containedctx // as net/http's own bodies do
}

func (b *slowBody) Read(p []byte) (int, error) {
	select {
	case <-time.After(b.pause):
		return b.Reader.Read(p)
	case <-b.ctx.Done():
		return 0, context.Cause(b.ctx)
	}
}

func (b *slowBody) Close() error { return nil }

func slowResponse(pause time.Duration, body string) roundTripper {
	return func(req *http.Request) (*http.Response, error) {
		resp, err := newResponse(200, body)
		resp.Body = &slowBody{Reader: strings.NewReader(body), pause: pause, ctx: req.Context()}
		return resp, err
	}
}

func TestTimeout_DoesNotLimitResponseBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithTimeout(time.Second),
			memfault.WithHTTPClient(&http.Client{Transport: slowResponse(20*time.Second, `{"data":{"id":1}}`)}))
		require.NoError(t, get(t.Context(), client))
	})
}

func TestResponse_StalledBodyIsError(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Second, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithTimeout(timeout),
				memfault.WithHTTPClient(&http.Client{Transport: slowResponse(time.Hour, `{}`)}))
			start := time.Now()
			err := get(t.Context(), client, memfault.WithoutRetry())
			require.ErrorContains(t, err, "stalled")
			assert.True(t, isTimeout(err))
			assert.Equal(t, "projects.retrieve", requireError(t, err, 200).Operation)
			assert.Equal(t, time.Minute, time.Since(start))
		})
	}
}

func TestTimeout_ZeroSetsNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := roundTripper(func(*http.Request) (*http.Response, error) {
			time.Sleep(24 * time.Hour)
			return newResponse(200, `{"data":{"id":1}}`)
		})
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithTimeout(0), memfault.WithHTTPClient(&http.Client{Transport: slow}))
		require.NoError(t, get(t.Context(), client))
	})
}

func TestRetryPolicy_InvalidInput(t *testing.T) {
	for _, policy := range []memfault.RetryPolicy{
		{MaxAttempts: -1},
		{MinWait: -time.Second},
		{MaxWait: -time.Second},
		{MinWait: 2 * time.Second, MaxWait: time.Second},
	} {
		_, err := memfault.NewClient(memfault.OrganizationToken("oat_test"), memfault.WithRetry(policy))
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, "%+v", policy)
	}
	for _, policy := range []memfault.RetryPolicy{{}, {MaxAttempts: 1}, {MinWait: time.Minute}, {MaxWait: time.Millisecond}, {MinWait: math.MaxInt64}} {
		_, err := memfault.NewClient(memfault.OrganizationToken("oat_test"), memfault.WithRetry(policy))
		require.NoError(t, err, "%+v", policy)
	}
}

type limiter func(context.Context) error

func (l limiter) Wait(ctx context.Context) error { return l(ctx) }

func TestRateLimiter_CalledBeforeEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := &script{responses: []func() (*http.Response, error){status(503), status(503), status(200)}}
		require.NoError(t, get(t.Context(), newScriptedClient(t, s, memfault.WithRateLimiter(limiter(func(context.Context) error { calls++; return nil })))))
		assert.Equal(t, 3, calls)

		full := errors.New("the budget is spent")
		s = &script{responses: []func() (*http.Response, error){status(200)}}
		require.ErrorIs(t, get(t.Context(), newScriptedClient(t, s, memfault.WithRateLimiter(limiter(func(context.Context) error { return full })))), full)
		assert.Empty(t, s.sentAt)
	})
}

func TestTimeout_RestartsWhileRequestBodyIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := roundTripper(func(req *http.Request) (*http.Response, error) {
			for range 5 { // each part takes less than the limit, all together more
				time.Sleep(8 * time.Second)
				if _, err := req.Body.Read(make([]byte, 1024)); err != nil {
					return nil, err
				}
			}
			select {
			case <-req.Context().Done():
				return nil, context.Cause(req.Context())
			case <-time.After(9 * time.Second):
				return newResponse(200, `{"data":{"id":1}}`)
			}
		})
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithTimeout(10*time.Second), memfault.WithHTTPClient(&http.Client{Transport: slow}))
		large := map[string]string{"notes": strings.Repeat("x", 100<<10)}
		require.NoError(t, client.Do(t.Context(), memfault.Request{Method: http.MethodPost, Path: "/api/v0/x", Body: large}, nil))
	})
}
