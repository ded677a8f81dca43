package memfault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func succeed(context.Context, *memfault.WebhookEvent) error { return nil }

// newDelivery returns a request with a signed event.
func newDelivery(ctx context.Context, delivery string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(issueCreated))
	r.Header = memfault.SignWebhook(webhookSecret, []byte(issueCreated))
	if delivery != "" {
		r.Header.Set("Memfault-Delivery", delivery)
	}
	return r
}

// deliver sends a signed event to a handler and returns the status of the response.
func deliver(ctx context.Context, handler http.Handler, delivery string) int {
	recorder := httptest.NewRecorder()
	recorder.Code = 0 // a recorder starts with 200
	handler.ServeHTTP(recorder, newDelivery(ctx, delivery))
	return recorder.Code
}

func newWebhookHandler(remember int, function func(context.Context, *memfault.WebhookEvent) error) http.Handler {
	return memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{webhookSecret}, Remember: remember}, function)
}

func TestWebhookHandler_CallsFunction(t *testing.T) {
	type key struct{}
	var events []*memfault.WebhookEvent
	handler := newWebhookHandler(0, func(ctx context.Context, event *memfault.WebhookEvent) error {
		assert.Equal(t, "of the request", ctx.Value(key{}))
		events = append(events, event)
		return nil
	})
	ctx := context.WithValue(t.Context(), key{}, "of the request")
	assert.Equal(t, 200, deliver(ctx, handler, "d-1"))
	require.Len(t, events, 1)
	assert.Equal(t, "d-1", events[0].Delivery)
	assert.Equal(t, memfault.WebhookTypeIssueCreated, events[0].Type)
	assert.JSONEq(t, issueCreated, string(events[0].Payload))
}

func TestWebhookHandler_RejectedRequests(t *testing.T) {
	unsigned := func(body string) *http.Request {
		return httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	}
	signedBody := func(secret, body string) *http.Request {
		r := unsigned(body)
		r.Header = memfault.SignWebhook(secret, []byte(body))
		return r
	}
	padding := strings.Repeat(" ", 1<<20-len(issueCreated))
	get := newDelivery(t.Context(), "d-1")
	get.Method = http.MethodGet
	noBody := signedBody(webhookSecret, "")
	noBody.Body = nil
	otherType := newDelivery(t.Context(), "")
	otherType.Header.Set("Content-Type", "x")
	broken := unsigned("")
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), failingReader{}))
	for name, test := range map[string]struct {
		request *http.Request
		status  int
	}{
		"GET":              {get, 405},
		"no signature":     {unsigned(issueCreated), 401},
		"wrong signature":  {signedBody("other", issueCreated), 401},
		"empty secret":     {signedBody("", issueCreated), 401},
		"not JSON":         {signedBody(webhookSecret, "x"), 400},
		"no type":          {signedBody(webhookSecret, "{}"), 400},
		"no body":          {noBody, 400},
		"broken body":      {broken, 400},
		"1 MiB":            {signedBody(webhookSecret, issueCreated+padding), 200},
		"above 1 MiB":      {signedBody(webhookSecret, issueCreated+padding+" "), 413},
		"unsigned, 2 MiB":  {unsigned(padding + padding), 413},
		"other media type": {otherType, 200},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			handler := newWebhookHandler(0, func(context.Context, *memfault.WebhookEvent) error { calls++; return nil })
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, test.request)
			assert.Equal(t, test.status, recorder.Code)
			assert.Equal(t, test.status == 200, calls == 1)
			switch test.status {
			case 200:
				assert.Empty(t, recorder.Body.String())
			case 405:
				assert.Equal(t, "POST", recorder.Header().Get("Allow"))
				fallthrough
			default:
				assert.Equal(t, http.StatusText(test.status)+"\n", recorder.Body.String())
			}
		})
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("connection lost") }

func TestWebhookHandler_NoSecretsOrFunction(t *testing.T) {
	for _, secrets := range [][]string{nil, {""}, {"", ""}} {
		handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: secrets}, func(context.Context, *memfault.WebhookEvent) error {
			t.Error("a delivery that nothing verified")
			return nil
		})
		recorder := httptest.NewRecorder()
		r := newDelivery(t.Context(), "")
		r.Header = memfault.SignWebhook("", []byte(issueCreated))
		handler.ServeHTTP(recorder, r)
		assert.Equal(t, 500, recorder.Code)
		assert.Equal(t, "memfault: NewWebhookHandler: Secrets must not be empty\n", recorder.Body.String())
	}
	recorder := httptest.NewRecorder()
	newWebhookHandler(0, nil).ServeHTTP(recorder, newDelivery(t.Context(), "d-1"))
	assert.Equal(t, 500, recorder.Code)
	assert.Equal(t, "memfault: NewWebhookHandler: nil function\n", recorder.Body.String())
}

func TestWebhookHandler_SecretsAreCopiedAndNotPrinted(t *testing.T) {
	options := memfault.WebhookOptions{Secrets: []string{webhookSecret, "S3CRET"}, Remember: 7}
	handler := memfault.NewWebhookHandler(options, succeed)
	requireNoSecret(t, printAll(handler))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.Equal(t, "memfault.WebhookOptions{Secrets: [redacted], Remember: 7}", fmt.Sprintf(verb, options))
		requireNoSecret(t, fmt.Sprintf(verb, &options)+fmt.Sprintf(verb, struct{ Options memfault.WebhookOptions }{options}))
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "options", options)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("m", "options", options)
	requireNoSecret(t, logged.String())
	clear(options.Secrets)
	assert.Equal(t, 200, deliver(t.Context(), handler, "d-1"))
}

func TestWebhookHandler_Duplicates(t *testing.T) {
	calls := map[string]int{}
	handler := newWebhookHandler(3, func(_ context.Context, event *memfault.WebhookEvent) error {
		calls[event.Delivery]++
		if event.Delivery == "bad" {
			return errors.New("no")
		}
		return nil
	})
	long := strings.Repeat("x", 5000)
	for _, delivery := range []string{"a", "b", long, "a", "b", long, long + "y"} { // forgets a
		assert.Equal(t, 200, deliver(t.Context(), handler, delivery))
	}
	assert.Equal(t, map[string]int{"a": 1, "b": 1, long: 1, long + "y": 1}, calls)
	assert.Equal(t, 200, deliver(t.Context(), handler, "b"))
	assert.Equal(t, 200, deliver(t.Context(), handler, "a")) // forgets b
	assert.Equal(t, 200, deliver(t.Context(), handler, "b")) // forgets long
	assert.Equal(t, 200, deliver(t.Context(), handler, "a"))
	assert.Equal(t, map[string]int{"a": 2, "b": 2, long: 1, long + "y": 1}, calls)

	for range 4 {
		assert.Equal(t, 500, deliver(logTo(io.Discard), handler, "bad"))
		assert.Equal(t, 200, deliver(t.Context(), handler, ""))
	}
	assert.Equal(t, 4, calls["bad"])
	assert.Equal(t, 4, calls[""])
	assert.Equal(t, 200, deliver(t.Context(), handler, "b"))
	assert.Equal(t, 2, calls["b"], "a failed delivery must not displace a remembered one")
}

func TestWebhookHandler_Remember(t *testing.T) {
	for _, test := range []struct{ remember, deliveries, secondCalls int }{
		{0, 10_000, 0}, {0, 10_001, 1}, {1, 1, 0}, {1, 2, 1}, {-1, 1, 1},
	} {
		calls := map[string]int{}
		handler := newWebhookHandler(test.remember, func(_ context.Context, event *memfault.WebhookEvent) error {
			calls[event.Delivery]++
			return nil
		})
		for i := range test.deliveries {
			require.Equal(t, 200, deliver(t.Context(), handler, fmt.Sprint(i)))
		}
		require.Equal(t, 200, deliver(t.Context(), handler, "0"))
		assert.Equal(t, 1+test.secondCalls, calls["0"], "%+v", test)
	}
}

// logTo makes the requests of a handler carry a server that logs to b.
func logTo(b io.Writer) context.Context {
	return context.WithValue(context.Background(), http.ServerContextKey, &http.Server{ErrorLog: log.New(b, "", 0)})
}

func TestWebhookHandler_FailedFunctionIsNotRemembered(t *testing.T) {
	for name, test := range map[string]struct {
		fail func() error
		log  string
	}{
		"error": {
			func() error { return errors.New("get https://x.example/?signature=s3cret:\nno") },
			"memfault: webhook issue.created: get https://x.example/?[redacted] no\n",
		},
		"error of an aborted request": {func() error { return context.Canceled }, "memfault: webhook issue.created: context canceled\n"},
		"panic":                       {func() error { panic("no") }, "memfault: webhook issue.created: panic: no\ngoroutine "},
		"panic with nil":              {func() error { panic(nil) }, "memfault: webhook issue.created: panic: "},
		"panic in Error":              {func() error { return (*nilError)(nil) }, "memfault: webhook issue.created: panic: runtime error"},
		"abort":                       {func() error { panic(http.ErrAbortHandler) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			fail, calls := true, 0
			handler := newWebhookHandler(0, func(context.Context, *memfault.WebhookEvent) error {
				if calls++; fail {
					return test.fail()
				}
				return nil
			})
			assert.Equal(t, 500, deliver(logTo(&logged), handler, "d-1"))
			assert.Equal(t, 500, deliver(logTo(&logged), handler, "d-1"))
			fail = false
			assert.Equal(t, 200, deliver(logTo(&logged), handler, "d-1"))
			assert.Equal(t, 200, deliver(logTo(&logged), handler, "d-1"))
			assert.Equal(t, 3, calls)
			assert.True(t, strings.HasPrefix(logged.String(), test.log), logged.String())
			assert.Equal(t, test.log == "", logged.Len() == 0)
			requireNoSecret(t, logged.String())
		})
	}
}

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func TestWebhookHandler_ConcurrentDuplicates(t *testing.T) {
	for name, test := range map[string]struct {
		first func() error // how the first call ends
		calls int32
		codes []int // of the first delivery and of two duplicates
	}{
		"success":         {func() error { return nil }, 1, []int{200, 200, 200}},
		"error":           {func() error { return errors.New("no") }, 2, []int{500, 200, 200}},
		"panic":           {func() error { panic("no") }, 2, []int{500, 200, 200}},
		"abort":           {func() error { panic(http.ErrAbortHandler) }, 2, []int{500, 200, 200}},
		"ended goroutine": {func() error { runtime.Goexit(); return nil }, 2, []int{0, 200, 200}},
	} {
		for _, remember := range []int{0, -1} {
			t.Run(fmt.Sprint(name, " ", remember), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var calls atomic.Int32
					release := make(chan struct{})
					handler := newWebhookHandler(remember, func(context.Context, *memfault.WebhookEvent) error {
						if calls.Add(1) == 1 {
							<-release
							return test.first()
						}
						return nil
					})
					codes := make([]int, 3)
					var all sync.WaitGroup
					for i := range codes {
						all.Go(func() { codes[i] = deliver(logTo(io.Discard), handler, "d-1") })
						synctest.Wait()
					}
					assert.EqualValues(t, 1, calls.Load(), "a duplicate must wait")
					assert.Equal(t, 200, deliver(logTo(io.Discard), handler, "d-2"), "other deliveries must not wait")
					calls.Add(-1)
					close(release)
					all.Wait()
					assert.Equal(t, test.codes, codes)
					if remember == 0 {
						assert.Equal(t, test.calls, calls.Load())
					}
				})
			})
		}
	}
}

func TestWebhookHandler_DuplicatesOfFailingDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, calls atomic.Int32
		handler := newWebhookHandler(0, func(context.Context, *memfault.WebhookEvent) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			calls.Add(1)
			synctest.Wait() // until all others wait
			return errors.New("no")
		})
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { assert.Equal(t, 500, deliver(logTo(io.Discard), handler, "d-1")) })
		}
		all.Wait()
		assert.EqualValues(t, 20, calls.Load())
		assert.EqualValues(t, 1, most.Load())
	})
}

// The header is not signed: someone who has a signed body can send it with any header.
func TestWebhookHandler_SameDeliveryOfOtherBody(t *testing.T) {
	var payloads []string
	handler := newWebhookHandler(0, func(_ context.Context, event *memfault.WebhookEvent) error {
		payloads = append(payloads, string(event.Payload))
		return nil
	})
	bodies := []string{issueCreated, issueCreated, issueCreated + " ", issueCreated}
	for _, body := range bodies {
		r := newDelivery(t.Context(), "d-1")
		r.Header = memfault.SignWebhook(webhookSecret, []byte(body))
		r.Header.Set("Memfault-Delivery", "d-1")
		r.Body = io.NopCloser(strings.NewReader(body))
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		assert.Equal(t, 200, recorder.Code)
	}
	assert.Equal(t, []string{issueCreated, issueCreated + " "}, payloads)
}

func TestWebhookHandler_ContextCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		handler := newWebhookHandler(0, func(context.Context, *memfault.WebhookEvent) error { <-release; return nil })
		var all sync.WaitGroup
		all.Go(func() { assert.Equal(t, 200, deliver(t.Context(), handler, "d-1")) })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() { assert.Equal(t, 503, deliver(ctx, handler, "d-1")) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		all.Wait()
	})
}

// plainWriter is a ResponseWriter of a middleware, without Unwrap.
type plainWriter struct{ http.ResponseWriter }

func TestWebhookHandler_BodyStopsBehindMiddleware(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"none":           func(h http.Handler) http.Handler { return h },
		"TimeoutHandler": func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Hour, "") },
		"plain ResponseWriter": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(plainWriter{w}, r) })
		},
	} {
		for http2, protocol := range map[bool]string{false: "HTTP/1", true: "HTTP/2"} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					network := newForgetfulNetwork()
					protocols := new(http.Protocols)
					protocols.SetHTTP1(!http2)
					protocols.SetUnencryptedHTTP2(http2)
					ended := make(chan struct{})
					handler := wrap(newWebhookHandler(0, succeed))
					server := &http.Server{Protocols: protocols, ReadHeaderTimeout: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						defer close(ended)
						handler.ServeHTTP(w, r)
					})}
					go func() { _ = server.Serve(network) }()
					transport := &http.Transport{DialContext: network.dial, Protocols: protocols}
					body, writer := io.Pipe()
					request := newDelivery(t.Context(), "d-1")
					request.URL.Scheme, request.URL.Host, request.RequestURI = "http", "hook.test", ""
					request.Body = body
					go func() { _, _ = io.WriteString(writer, issueCreated[:10]) }()
					start := time.Now()
					response, err := transport.RoundTrip(request)
					require.NoError(t, err)
					assert.Equal(t, 408, response.StatusCode)
					assert.Equal(t, time.Minute, time.Since(start))
					<-ended
					require.NoError(t, response.Body.Close())
					require.NoError(t, writer.Close())
					transport.CloseIdleConnections()
					require.NoError(t, server.Close())
					time.Sleep(time.Minute)
				})
			})
		}
	}
}

func TestWebhookHandler_BodyPanics(t *testing.T) {
	r := newDelivery(t.Context(), "d-1")
	r.Body = io.NopCloser(panickingReader{})
	recorder := httptest.NewRecorder()
	newWebhookHandler(0, succeed).ServeHTTP(recorder, r)
	assert.Equal(t, 400, recorder.Code)
}

type panickingReader struct{}

func (panickingReader) Read([]byte) (int, error) { panic("no") }

// The limit for the body must not end the context of a function that runs longer.
func TestWebhookHandler_FunctionRunsForMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newForgetfulNetwork()
		handler := newWebhookHandler(0, func(ctx context.Context, _ *memfault.WebhookEvent) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Minute):
				return nil
			}
		})
		// A middleware that has read the body lets net/http already wait for the end of the connection.
		server := &http.Server{ReadHeaderTimeout: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			r.Body = io.NopCloser(bytes.NewReader(body))
			handler.ServeHTTP(w, r)
		})}
		go func() { _ = server.Serve(network) }()
		transport := &http.Transport{DialContext: network.dial}
		request := newDelivery(t.Context(), "d-1")
		request.URL.Scheme, request.URL.Host, request.RequestURI = "http", "hook.test", ""
		response, err := transport.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, 200, response.StatusCode)
		transport.CloseIdleConnections()
		require.NoError(t, server.Close())
	})
}

func TestWebhookHandler_Server(t *testing.T) {
	var logged bytes.Buffer
	var exits atomic.Int32
	end := map[string]func() error{
		"ok":    func() error { return nil },
		"panic": func() error { panic("no") },
		"abort": func() error { panic(http.ErrAbortHandler) },
		"first exits": func() error {
			if exits.Add(1) == 1 {
				runtime.Goexit()
			}
			return nil
		},
	}
	server := httptest.NewUnstartedServer(newWebhookHandler(0, func(_ context.Context, event *memfault.WebhookEvent) error {
		return end[event.Delivery]()
	}))
	server.Config.ErrorLog = log.New(&logged, "", 0)
	server.Start()
	send := func(delivery string) (int, error) {
		r := newDelivery(t.Context(), delivery)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, r.Body)
		require.NoError(t, err)
		request.Header = r.Header
		response, err := server.Client().Do(request)
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
	for delivery, want := range map[string]int{"ok": 200, "panic": 500, "abort": 500} {
		code, err := send(delivery)
		require.NoError(t, err)
		assert.Equal(t, want, code)
	}
	_, err := send("first exits")
	require.Error(t, err, "the connection ends without a response")
	code, err := send("first exits")
	require.NoError(t, err)
	assert.Equal(t, 200, code)
	server.Close()
	assert.Equal(t, 1, strings.Count(logged.String(), "memfault: webhook"), logged.String())
}

// A program receives the webhooks of a project.
func ExampleNewWebhookHandler_newIssues() {
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{"secret of the webhook"}},
		func(_ context.Context, event *memfault.WebhookEvent) error {
			fmt.Println(event.Type, event.Project.Slug, event.Delivery)
			return nil
		})
	server := httptest.NewServer(handler)
	defer server.Close()

	// A delivery as Memfault sends it, and the same delivery again.
	body := []byte(`{"type":"issue.created","project":{"id":1,"slug":"smart-sink"}}`)
	for range 2 {
		request, err := http.NewRequest(http.MethodPost, server.URL, bytes.NewReader(body))
		if err != nil {
			panic(err)
		}
		request.Header = memfault.SignWebhook("secret of the webhook", body)
		request.Header.Set("Memfault-Delivery", "7f3a")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		_ = response.Body.Close()
		fmt.Println(response.StatusCode)
	}
	// Output:
	// issue.created smart-sink 7f3a
	// 200
	// 200
}

func TestWebhook_SecretCopiedWithSurroundings(t *testing.T) {
	for _, secret := range []string{webhookSecret + "\n", " " + webhookSecret, `"` + webhookSecret + `"`} {
		err := memfault.VerifyWebhook(memfault.SignWebhook(webhookSecret, []byte(issueCreated)), []byte(issueCreated), secret)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		assert.NotContains(t, err.Error(), webhookSecret)
		recorder := httptest.NewRecorder()
		memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{webhookSecret, secret}}, succeed).ServeHTTP(recorder, newDelivery(t.Context(), "d"))
		assert.Equal(t, 500, recorder.Code)
		assert.Contains(t, recorder.Body.String(), "white space")
		assert.NotContains(t, recorder.Body.String(), webhookSecret)
	}
}

// A line for each kind of rejection says why, but a flood of requests fills no log.
func TestWebhookHandler_LogsKindsOfRejections(t *testing.T) {
	var logged bytes.Buffer
	handler := newWebhookHandler(0, succeed)
	for range 3 {
		for _, change := range []func(r *http.Request){
			func(r *http.Request) { r.Header.Del("X-Signature-SHA256") },
			func(r *http.Request) { r.Header.Set("X-Signature-SHA256", "s3cret") },
			func(r *http.Request) { r.Body = http.NoBody },
			func(r *http.Request) { r.Method = http.MethodGet },
			func(*http.Request) {},
		} {
			r := newDelivery(logTo(&logged), "d-1")
			change(r)
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	assert.Equal(t, 4, strings.Count(logged.String(), "\n"), logged.String())
	for _, reason := range []string{"X-Signature-SHA256 is missing", "signature is wrong", "body is empty", "not POST"} {
		assert.Contains(t, logged.String(), reason)
	}
	assert.NotContains(t, logged.String(), "s3cret")
}

func TestWebhookHandler_SecretsFuncRotates(t *testing.T) {
	var secrets atomic.Value
	secrets.Store([]string{webhookSecret})
	calls := 0
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{SecretsFunc: func() []string { return secrets.Load().([]string) }}, //nolint:forcetypeassert // stored above
		func(context.Context, *memfault.WebhookEvent) error { calls++; return nil })
	assert.Equal(t, 200, deliver(t.Context(), handler, "d-1"))
	secrets.Store([]string{"next"})
	var logged bytes.Buffer
	assert.Equal(t, 401, deliver(logTo(&logged), handler, "d-2"), "signed with the old secret")
	secrets.Store([]string{"next", webhookSecret})
	assert.Equal(t, 200, deliver(t.Context(), handler, "d-1"), "the deliveries are remembered across a rotation")
	assert.Equal(t, 1, calls)
	assert.Equal(t, 200, deliver(t.Context(), handler, "d-2"))
	assert.Equal(t, 2, calls)
}

func TestWebhookHandler_UnusableSecretsFunc(t *testing.T) {
	for name, secrets := range map[string]func() []string{
		"none":  func() []string { return nil },
		"empty": func() []string { return []string{""} },
		"space": func() []string { return []string{webhookSecret, "S3CRET\n"} },
		"panic": func() []string { panic(webhookSecret) },
	} {
		var logged bytes.Buffer
		var reasons []error
		handler := memfault.NewWebhookHandler(memfault.WebhookOptions{
			SecretsFunc: secrets,
			OnReject:    func(_ *http.Request, reason error) { reasons = append(reasons, reason) },
		}, succeed)
		assert.Equal(t, 500, deliver(logTo(&logged), handler, "d-1"), name)
		require.Len(t, reasons, 1, name)
		require.ErrorIs(t, reasons[0], memfault.ErrInvalidArgument, name)
		require.ErrorContains(t, reasons[0], "rejected with 500: NewWebhookHandler: Secret", name)
		requireNoSecret(t, logged.String()+reasons[0].Error())
	}
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{webhookSecret}, SecretsFunc: func() []string { return nil }}, succeed)
	assert.Equal(t, 200, deliver(t.Context(), handler, "d-1"), "one of Secrets")
}

func TestWebhookHandler_OnError(t *testing.T) {
	problem := errors.New("the tracker is down")
	outcome := func() error { return problem }
	var events []*memfault.WebhookEvent
	var failures []error
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{
		Secrets: []string{webhookSecret},
		OnError: func(event *memfault.WebhookEvent, err error) {
			events, failures = append(events, event), append(failures, err)
			if len(failures) > 2 {
				panic("a hook that panics")
			}
		},
	}, func(context.Context, *memfault.WebhookEvent) error { return outcome() })
	var logged bytes.Buffer
	assert.Equal(t, 500, deliver(logTo(&logged), handler, "d-1"))
	assert.Empty(t, logged.String())
	outcome = func() error { panic("no tracker, but " + webhookSecret) }
	assert.Equal(t, 500, deliver(logTo(&logged), handler, "d-1"))
	assert.Contains(t, logged.String(), "goroutine ")
	requireNoSecret(t, logged.String())
	outcome = func() error { return problem }
	assert.Equal(t, 500, deliver(logTo(&logged), handler, "d-1"))
	assert.Contains(t, logged.String(), "a hook that panics")
	require.Len(t, failures, 3)
	assert.Equal(t, problem, failures[0])
	require.EqualError(t, failures[1], "panic: no tracker, but [redacted]")
	assert.Equal(t, "d-1", events[0].Delivery)
	outcome = func() error { panic(http.ErrAbortHandler) }
	assert.Equal(t, 500, deliver(t.Context(), handler, "d-1"))
	assert.Len(t, failures, 3)
}

func TestWebhookHandler_OnReject(t *testing.T) {
	var reasons []error
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{
		Secrets: []string{webhookSecret},
		OnReject: func(r *http.Request, reason error) {
			assert.Equal(t, "Memfault", r.Header.Get("X-From"))
			reasons = append(reasons, reason)
			if len(reasons) > 4 {
				panic("a hook that panics")
			}
		},
	}, succeed)
	var logged bytes.Buffer
	for _, c := range []struct {
		change func(r *http.Request)
		kind   error
		text   string
		status int
	}{
		{func(r *http.Request) { r.Method = http.MethodGet }, memfault.ErrInvalidArgument, "405: the method is not POST", 405},
		{func(r *http.Request) { r.Header.Del("X-Signature-SHA256") }, memfault.ErrWebhookSignature, "401: the header X-Signature-SHA256 is missing", 401},
		{func(r *http.Request) { r.Header.Set("X-Signature-SHA256", "00") }, memfault.ErrWebhookSignature, "401: the signature is wrong", 401},
		{func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", 2<<20))) }, memfault.ErrTooLarge, "413: the body cannot be read: Request Entity Too Large", 413},
		{func(r *http.Request) { r.Header.Set("X-Signature-SHA256", "00") }, memfault.ErrWebhookSignature, "401: the signature is wrong", 401},
	} {
		r := newDelivery(logTo(&logged), "d-1")
		r.Header.Set("X-From", "Memfault")
		c.change(r)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		assert.Equal(t, c.status, recorder.Code)
		require.ErrorIs(t, reasons[len(reasons)-1], c.kind)
		require.EqualError(t, reasons[len(reasons)-1], "memfault: webhook request rejected with "+c.text)
	}
	assert.Len(t, reasons, 5, "each one, also those of the same reason")
	assert.Equal(t, 1, strings.Count(logged.String(), "memfault: "), "only the panic: "+logged.String())
}

// The secrets can change while the handler runs, and a program counts what fails and what is
// rejected.
func ExampleNewWebhookHandler_rotation() {
	secrets := []string{"old"} // a program reads them from its configuration for each delivery
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{
		SecretsFunc: func() []string { return secrets },
		OnError:     func(event *memfault.WebhookEvent, err error) { fmt.Println("failed:", event.Type, err) },
		OnReject:    func(_ *http.Request, reason error) { fmt.Println(reason) },
	}, func(context.Context, *memfault.WebhookEvent) error { return errors.New("the tracker is down") })

	deliver := func(secret string) {
		body := []byte(`{"type":"issue.created","project":{"id":1,"slug":"smart-sink"}}`)
		request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		request.Header = memfault.SignWebhook(secret, body)
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}
	deliver("new")
	secrets = []string{"old", "new"}
	deliver("new")
	// Output:
	// memfault: webhook request rejected with 401: the signature is wrong
	// failed: issue.created the tracker is down
}
