package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestRetry_StartsFromSameHeader(t *testing.T) {
	var cookies []string
	calls := 0
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	server, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		cookies = append(cookies, strings.Join(r.Header.Values("Cookie"), "; "))
		calls++
		http.SetCookie(w, &http.Cookie{Name: "AWSALB", Value: fmt.Sprint(calls), Path: "/"})
		if calls < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"data":{"id":1}}`)
	}, memfault.WithHTTPClient(&http.Client{Jar: jar}))
	base, err := url.Parse(server.URL)
	require.NoError(t, err)
	jar.SetCookies(base, []*http.Cookie{{Name: "AWSALB", Value: "0", Path: "/"}})
	require.NoError(t, get(t.Context(), client))
	assert.Equal(t, []string{"AWSALB=0", "AWSALB=1", "AWSALB=2", "AWSALB=3"}, cookies, "each attempt must send only the current cookie of the jar")
}

func TestDelete_NotFoundAfterLostResponseIsSuccess(t *testing.T) {
	type responses = []func() (*http.Response, error)
	for name, c := range map[string]struct {
		first   responses // before the last one
		deleted bool
	}{
		"lost response":              {responses{broken(errReset)}, true},
		"lost response, unavailable": {responses{broken(errReset), status(503)}, true},
		"unavailable, lost response": {responses{status(503), broken(errReset)}, true},
		"bad gateway":                {responses{status(502)}, true},
		"gateway timeout":            {responses{status(504)}, true},
		"unavailable":                {responses{status(503)}, false},
		"rate limited":               {responses{status(429)}, false},
		"never connected":            {responses{broken(errRefused)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := func(last int) *memfault.Client {
					return newScriptedClient(t, &script{responses: append(c.first[:len(c.first):len(c.first)], status(last))})
				}
				err := client(404).Devices.Delete(t.Context(), sink, "A")
				if c.deleted {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, memfault.ErrNotFound)
				}
				require.ErrorIs(t, get(t.Context(), client(404)), memfault.ErrNotFound, "a 404 must remain an error of a GET")
				require.ErrorIs(t, patch(t.Context(), client(404)), memfault.ErrNotFound, "a 404 must remain an error of a PATCH")
				require.ErrorIs(t, client(403).Devices.Delete(t.Context(), sink, "A"), memfault.ErrForbidden)
			})
		})
	}
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: &script{responses: []func() (*http.Response, error){status(404)}}}))
	require.ErrorIs(t, client.Devices.Delete(t.Context(), sink, "A"), memfault.ErrNotFound)
}

func TestDo_NotFoundAfterLostResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			method  string
			out     any
			deleted bool
		}{
			"DELETE":              {http.MethodDelete, nil, true},
			"DELETE for a result": {http.MethodDelete, new(item), false},
			"PUT":                 {http.MethodPut, nil, false},
			"HEAD":                {http.MethodHead, nil, false},
		} {
			s := &script{responses: []func() (*http.Response, error){broken(errReset), status(404)}}
			err := newScriptedClient(t, s).Do(t.Context(), memfault.Request{Method: c.method, Path: "/x"}, c.out)
			if c.deleted {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, memfault.ErrNotFound, name)
			}
		}
	})
}

func TestDelete_NotFoundAfterTimeoutIsSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		transport := roundTripper(func(req *http.Request) (*http.Response, error) {
			if requests++; requests == 1 {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return newResponse(404, "")
		})
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithTimeout(time.Second), memfault.WithHTTPClient(&http.Client{Transport: transport}))
		require.NoError(t, client.Devices.Delete(t.Context(), sink, "A"))
		assert.Equal(t, 2, requests)
	})
}

// An attempt that got no connection cannot have deleted anything, whatever the type of the
// dialer's error.
func TestDelete_NotFoundAfterFailedDialIsError(t *testing.T) {
	dials := 0
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials == 1 {
			return nil, errors.New("the tunnel is closed")
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		memfault.WithHTTPClient(&http.Client{Transport: transport}))
	require.ErrorIs(t, client.Devices.Delete(t.Context(), sink, "A"), memfault.ErrNotFound)
	assert.Equal(t, 2, dials)
}

func TestUpdate_RenameIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, update := range map[string]func(*memfault.Client) error{
			"cohort": func(c *memfault.Client) error {
				_, err := c.Cohorts.Update(t.Context(), sink, "beta", memfault.CohortUpdate{Slug: memfault.Set("gamma")})
				return err
			},
			"project": func(c *memfault.Client) error {
				_, err := c.Projects.Update(t.Context(), sink, memfault.ProjectUpdate{Slug: memfault.Set("drain")})
				return err
			},
			"release": func(c *memfault.Client) error {
				_, err := c.Releases.Update(t.Context(), sink, "1.0.0", memfault.ReleaseUpdate{Version: memfault.Set("1.0.1")})
				return err
			},
		} {
			s := &script{responses: []func() (*http.Response, error){broken(errReset), status(404)}}
			require.ErrorIs(t, update(newScriptedClient(t, s)), memfault.ErrNoAnswer, name)
			assert.Len(t, s.sentAt, 1, name)
			s = &script{responses: []func() (*http.Response, error){status(429), status(200)}}
			require.NoError(t, update(newScriptedClient(t, s)), name)
			assert.Len(t, s.sentAt, 2, "a request that ended in a 429 was not carried out")
		}
		s := &script{responses: []func() (*http.Response, error){broken(errReset), status(200)}}
		_, err := newScriptedClient(t, s).Cohorts.Update(t.Context(), sink, "beta", memfault.CohortUpdate{Name: memfault.Set("Beta")})
		require.NoError(t, err)
		assert.Len(t, s.sentAt, 2, "a new display name does not change the path")
	})
}

func TestTransport_ReturnsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		response func() *http.Response
		kind     error
	}{
		"nil, nil": {func() *http.Response { return nil }, memfault.ErrNoAnswer},
		"nil body": {func() *http.Response {
			return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: 5}
		}, memfault.ErrUnexpectedResponse},
		"nil body, failed": {func() *http.Response { return &http.Response{StatusCode: 404, Header: http.Header{}} }, memfault.ErrNotFound},
		"nil header":       {func() *http.Response { return &http.Response{StatusCode: 500} }, memfault.ErrUnexpectedResponse},
	} {
		requests := 0
		transport := roundTripper(func(*http.Request) (*http.Response, error) {
			requests++
			return c.response(), nil
		})
		client := newClient(t, memfault.OrganizationToken("oat_test"), quickRetries, memfault.WithHTTPClient(&http.Client{Transport: transport}))
		var response memfault.Response
		require.ErrorIs(t, get(t.Context(), client, memfault.WithResponse(&response)), c.kind, name)
		require.ErrorIs(t, post(t.Context(), client), c.kind, name)
		assert.Equal(t, 2, requests, "%s: neither call must be retried", name)
	}
}

func TestZeroClient_ReturnsErrors(t *testing.T) {
	var none *memfault.Client
	for name, client := range map[string]*memfault.Client{
		"nil": none, "zero": {}, "WithAuth of nil": none.WithAuth(memfault.OrganizationToken("oat_1")),
		"WithAuth of zero": new(memfault.Client).WithAuth(memfault.OrganizationToken("oat_1")),
	} {
		require.ErrorIs(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, nil), memfault.ErrInvalidArgument, name)
		_, err := memfault.NewPager[item](client, memfault.Request{Path: "/x"}).Collect(t.Context())
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		client.CloseIdleConnections()
		assert.Contains(t, client.String(), "not created by NewClient")
	}
	for name, client := range map[string]*memfault.Client{"zero": {}, "WithAuth of nil": none.WithAuth(memfault.OrganizationToken("oat_1"))} {
		for call, err := range map[string]error{
			"get": get(t.Context(), client), "create": post(t.Context(), client),
			"list":     errorOf(client.Devices.List(sink, memfault.DeviceListOptions{}).Collect(t.Context())),
			"chunks":   client.Chunks.Upload(t.Context(), "A", [][]byte{{1}}),
			"artifact": errorOf(client.Artifacts.Download(t.Context(), memfault.Artifact{URL: "https://x.example/a"}, io.Discard)),
			"coredump": errorOf(client.Coredumps.Download(t.Context(), sink, 1, io.Discard, memfault.CoredumpDownloadOptions{})),
			"latest":   errorOf(client.Releases.Latest(t.Context(), memfault.LatestReleaseQuery{DeviceSerial: "A", HardwareVersion: "evt"})),
			"move":     errorOf(client.Cohorts.MoveDevices(t.Context(), sink, "beta", []string{"A"}, memfault.MoveDevicesOptions{})),
			"upload": errorOf(client.Uploads.SBOM(t.Context(), sink, &memfault.File{Name: "a", Size: 1, Content: strings.NewReader("x")},
				memfault.SBOMOptions{SoftwareType: "main", SoftwareVersion: "1"})),
			"sender": client.Chunks.NewSender(memfault.ChunkSenderOptions{}).Send(t.Context(), "A", []byte{1}, nil),
		} {
			require.ErrorIs(t, err, memfault.ErrInvalidArgument, name+" "+call)
		}
	}
	_, err := new(memfault.DevicesService).Get(t.Context(), sink, "A")
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
}

func errorOf(_ any, err error) error { return err }

// TestServices_ZeroArguments calls each method of each service with zero arguments and each
// kind of context. None may panic, and each error must be of a kind.
func TestServices_ZeroArguments(t *testing.T) {
	_, client := newCloud(t, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 1}))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	called := 0
	for name, client := range map[string]*memfault.Client{
		"token": client, "project key": client.WithAuth(memfault.ProjectKey(projectKey)), "nil credential": client.WithAuth(nil), "zero client": {},
	} {
		for which, ctx := range map[string]context.Context{"live": t.Context(), "ended": ended, "nil": nil} {
			services := reflect.ValueOf(client).Elem()
			for i := range services.NumField() {
				field := services.Type().Field(i)
				if !field.IsExported() {
					continue
				}
				for m := range field.Type.NumMethod() {
					what := fmt.Sprintf("%s.%s, %s, context %s", field.Name, field.Type.Method(m).Name, name, which)
					require.NotPanics(t, func() {
						if err := callWithZeros(ctx, services.Field(i).Method(m)); err != nil {
							assert.Len(t, kindsOf(err), 1, "%s: %v", what, err)
						}
					}, what)
					called++
				}
			}
		}
	}
	assert.Greater(t, called, 12*80)
}

// callWithZeros calls a method with ctx and otherwise zero arguments. If the method returns an
// iterator or a Pager, callWithZeros reads it to its end.
func callWithZeros(ctx context.Context, method reflect.Value) error {
	var args []reflect.Value
	for i := range method.Type().NumIn() {
		arg := reflect.New(method.Type().In(i)).Elem()
		if context, ok := arg.Addr().Interface().(*context.Context); ok {
			*context = ctx
		}
		args = append(args, arg)
	}
	if method.Type().IsVariadic() {
		args = args[:len(args)-1]
	}
	results := method.Call(args)
	if list := results[0].MethodByName("Collect"); list.IsValid() {
		return callWithZeros(ctx, list)
	}
	if lines, ok := results[0].Interface().(iter.Seq2[memfault.LogLine, error]); ok {
		for _, err := range lines {
			return err
		}
	}
	err, _ := results[len(results)-1].Interface().(error)
	return err
}

// kindsOf returns the kinds that an error is of.
func kindsOf(err error) []error {
	kinds := []error{
		memfault.ErrInvalidArgument, memfault.ErrNoAnswer, memfault.ErrUnexpectedResponse, memfault.ErrBadRequest, memfault.ErrUnauthorized,
		memfault.ErrForbidden, memfault.ErrNotFound, memfault.ErrConflict, memfault.ErrTooLarge, memfault.ErrRateLimited,
		memfault.ErrUnavailable, memfault.ErrWrongCredential, memfault.ErrNoBuildID, memfault.ErrNotReady,
	}
	return slices.DeleteFunc(kinds, func(kind error) bool { return !errors.Is(err, kind) })
}

// pointerAuth and funcAuth are Authenticators whose value can be a nil pointer or function.
type pointerAuth struct{ key string }

func (a *pointerAuth) Authenticate(req *http.Request) error {
	req.Header.Set("X-Key", a.key)
	return nil
}

type funcAuth func(*http.Request) error

func (f funcAuth) Authenticate(req *http.Request) error { return f(req) }

func TestNewClient_RejectsNilPointers(t *testing.T) {
	for _, auth := range []memfault.Authenticator{nil, (*pointerAuth)(nil), funcAuth(nil)} {
		_, err := memfault.NewClient(auth)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		client := newClient(t, memfault.OrganizationToken("oat_test")).WithAuth(auth)
		require.ErrorIs(t, get(t.Context(), client), memfault.ErrInvalidArgument)
	}
	for _, option := range []memfault.Option{
		memfault.WithHTTPClient(&http.Client{Transport: (*http.Transport)(nil)}), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(nil)}),
		memfault.WithRateLimiter((*noLimiter)(nil)), memfault.WithRateLimiter(limiter(nil)),
	} {
		_, err := memfault.NewClient(memfault.OrganizationToken("oat_test"), option)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
}

type noLimiter struct{ calls int }

func (l *noLimiter) Wait(context.Context) error { l.calls++; return nil }

// panickingItem is an item whose decoding panics on page 3.
type panickingItem struct{ ID int }

func (e *panickingItem) UnmarshalJSON(data []byte) error {
	if strings.Contains(string(data), `"id":3`) {
		panic("decoding item 3")
	}
	return nil
}

// panicOf calls do and returns the value with which it panicked.
func panicOf(do func()) (value any) {
	defer func() { value = recover() }()
	do()
	return nil
}

func TestPager_PanicsInCallersGoroutine(t *testing.T) {
	transport := &http.Client{Transport: &pages{count: 20}}
	request := memfault.Request{Path: "/api/v0/things"}
	hook := func(text string) func() {
		calls := new(atomic.Int64)
		return func() {
			if calls.Add(1) == 3 {
				panic(text)
			}
		}
	}
	observe, authenticate, wait := hook("observer"), hook("authenticator"), hook("rate limiter")
	observed := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(transport),
		memfault.WithObserver(func(context.Context, memfault.Attempt) { observe() }))
	signed := newClient(t, funcAuth(func(*http.Request) error { authenticate(); return nil }), memfault.WithHTTPClient(transport))
	limited := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(transport),
		memfault.WithRateLimiter(limiter(func(context.Context) error { wait(); return nil })))
	plain := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(transport))
	for want, walk := range map[string]func(){
		"observer":        func() { _, _ = memfault.NewPager[item](observed, request).Prefetch(4).Collect(t.Context()) },
		"authenticator":   func() { _, _ = memfault.NewPager[item](signed, request).Prefetch(4).Collect(t.Context()) },
		"rate limiter":    func() { _, _ = memfault.NewPager[item](limited, request).Prefetch(4).Collect(t.Context()) },
		"decoding item 3": func() { _, _ = memfault.NewPager[panickingItem](plain, request).Prefetch(4).Collect(t.Context()) },
	} {
		assert.Equal(t, want, panicOf(walk))
	}
}

func TestMoveDevices_PanicsInCallersGoroutine(t *testing.T) {
	client := newClient(t, funcAuth(func(*http.Request) error { panic("authenticator") }))
	assert.Equal(t, "authenticator", panicOf(func() {
		_, _ = client.Cohorts.MoveDevices(t.Context(), sink, "beta", []string{"A", "B", "C"}, memfault.MoveDevicesOptions{})
	}))
}

func TestPager_GoexitEndsCallersGoroutine(t *testing.T) {
	calls := new(atomic.Int64)
	client := newClient(t, funcAuth(func(*http.Request) error {
		if calls.Add(1) == 3 {
			runtime.Goexit()
		}
		return nil
	}), memfault.WithHTTPClient(&http.Client{Transport: &pages{count: 20}}))
	ended := make(chan bool)
	go func() {
		returned := false
		defer func() { ended <- returned }()
		_, _ = memfault.NewPager[item](client, memfault.Request{Path: "/api/v0/things"}).Prefetch(4).Collect(t.Context())
		returned = true
	}()
	assert.False(t, <-ended)
}

func TestResponse_ClaimedLengthAllocatesLittle(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(64<<20))
		_, _ = io.WriteString(w, "{")
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.ErrorIs(t, get(t.Context(), client, memfault.WithoutRetry()), memfault.ErrNoAnswer)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
}

// closer calls a function when a body is closed.
type closer struct {
	io.Reader
	close func()
}

func (c closer) Close() error { c.close(); return nil }

func TestCall_ContextCanceledAfterResponse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			response, err := newResponse(200, `{"data":{"id":1}}`)
			response.Body = closer{response.Body, cancel}
			return response, err
		}),
	}))
	require.NoError(t, get(ctx, client), "the response is complete")
	require.Error(t, ctx.Err())
}

func TestClient_CloseIdleConnections(t *testing.T) {
	newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(http.DefaultTransport.RoundTrip)})).CloseIdleConnections()
	opened := new(atomic.Int64)
	for _, given := range []*http.Client{nil, {Transport: &http.Transport{}}} {
		opened.Store(0)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"data":{"id":1}}`) }))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened.Add(1)
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		opts := []memfault.Option{memfault.WithBaseURL(server.URL)}
		if given != nil {
			opts = append(opts, memfault.WithHTTPClient(given))
		}
		client := newClient(t, memfault.OrganizationToken("oat_test"), opts...)
		require.NoError(t, get(t.Context(), client))
		require.NoError(t, get(t.Context(), client))
		assert.Equal(t, int64(1), opened.Load())
		client.WithAuth(memfault.OrganizationToken("oat_2")).CloseIdleConnections()
		require.NoError(t, get(t.Context(), client))
		assert.Equal(t, int64(2), opened.Load())
	}
}

func TestOperationName_InTransport(t *testing.T) {
	var names []string
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			names = append(names, memfault.OperationName(req.Context()))
			return newResponse(200, `{"data":{"id":1}}`)
		}),
	}))
	require.NoError(t, get(t.Context(), client))
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/api/v0/things"}, nil))
	assert.Equal(t, []string{"projects.retrieve", "GET /api/v0/things"}, names)
	assert.Empty(t, memfault.OperationName(t.Context()))
	assert.Empty(t, memfault.OperationName(nil)) //nolint:staticcheck // the mistake that is tested
}

func TestObserver_GetsContextOfCall(t *testing.T) {
	type key struct{}
	var seen []any
	_, client := newCloud(t, memfault.WithObserver(func(ctx context.Context, attempt memfault.Attempt) {
		seen = append(seen, ctx.Value(key{}), attempt.Operation, memfault.OperationName(ctx))
	}))
	require.NoError(t, get(context.WithValue(t.Context(), key{}, "span"), client))
	assert.Equal(t, []any{"span", "projects.retrieve", "projects.retrieve"}, seen)
}

func TestErrNoAnswer_UnwrapsToCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := roundTripper(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithTimeout(time.Second), memfault.WithHTTPClient(&http.Client{Transport: hang}))
		err := get(t.Context(), client, memfault.WithoutRetry())
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		err = get(ctx, client)
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())

		s := &script{responses: []func() (*http.Response, error){broken(errReset)}}
		err = get(t.Context(), newScriptedClient(t, s))
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		require.ErrorIs(t, err, errReset)
		assert.NotErrorIs(t, err, memfault.ErrInvalidArgument)
	})
}

func TestErrors_TextHasOnePrefix(t *testing.T) {
	cloud, client := newCloud(t)
	late := memfault.NewTimestamp(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
	_, timeErr := client.Devices.List(sink, memfault.DeviceListOptions{LastSeenSince: late}).Collect(t.Context())
	_, keyErr := client.WithAuth(memfault.ProjectKey("d3b0")).Devices.Get(t.Context(), sink, "A")
	require.ErrorIs(t, keyErr, memfault.ErrWrongCredential)
	for _, err := range []error{timeErr, keyErr} {
		assert.Equal(t, 1, strings.Count(err.Error(), "memfault: "), err.Error())
	}
	assert.Empty(t, cloud.Requests(""))
}

func TestBareResponse_WithoutEssentialFieldIsError(t *testing.T) {
	query := memfault.LatestReleaseQuery{DeviceSerial: "A", HardwareVersion: "evt"}
	for call, do := range map[string]func(*memfault.Client) error{
		"me": func(c *memfault.Client) error { return errorOf(c.Account.Me(t.Context())) },
		"latest": func(c *memfault.Client) error {
			return errorOf(c.WithAuth(memfault.ProjectKey("d3b0")).Releases.Latest(t.Context(), query))
		},
		"task": func(c *memfault.Client) error { return errorOf(c.Tasks.Get(t.Context(), "1")) },
		"wait": func(c *memfault.Client) error {
			return errorOf(c.Tasks.Wait(t.Context(), "1", memfault.WaitOptions{}))
		},
		"API key":    func(c *memfault.Client) error { return errorOf(c.Account.GenerateAPIKey(t.Context())) },
		"client key": func(c *memfault.Client) error { return errorOf(c.Projects.RefreshProjectKey(t.Context(), sink)) },
	} {
		for _, body := range []string{`{}`, `{"data":{"id":1,"version":"1.0.0","status":"SUCCESS"}}`, `{"version":"","status":"","id":0}`} {
			client := newClient(t, memfault.BasicPassword("jane@acme.example", "x"), memfault.WithHTTPClient(&http.Client{
				Transport: roundTripper(func(*http.Request) (*http.Response, error) { return newResponse(200, body) }),
			}))
			err := do(client)
			require.ErrorIs(t, err, memfault.ErrUnexpectedResponse, call+" "+body)
			assert.Equal(t, body, string(requireError(t, err, 200).Body), call)
		}
	}
}
