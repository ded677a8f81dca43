package memfault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// vault returns its values one after the other, then the last one repeatedly.
type vault struct {
	mu     sync.Mutex
	values []string
	asked  int
}

func newVault(values ...string) *vault { return &vault{values: values} }

func (v *vault) get(context.Context) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	return v.values[min(v.asked, len(v.values))-1], nil
}

func (v *vault) set(value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values = []string{value}
}

func (v *vault) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}

// gatekeeper serves requests with the valid credential and records those of all requests.
type gatekeeper struct {
	mu     sync.Mutex
	valid  string
	status int // for other credentials
	seen   []string
	serve  roundTripper
}

func (g *gatekeeper) RoundTrip(req *http.Request) (*http.Response, error) {
	credential := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ") + req.Header.Get("Memfault-Project-Key")
	g.mu.Lock()
	g.seen = append(g.seen, credential)
	valid := credential == g.valid
	g.mu.Unlock()
	if !valid {
		return newResponse(g.status, `{"error":{"message":"rejected `+credential+`"}}`)
	}
	if g.serve != nil {
		return g.serve(req)
	}
	return newResponse(200, `{"data":{"id":1}}`)
}

// requests returns the credentials of all requests.
func (g *gatekeeper) requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.seen)
}

func (g *gatekeeper) set(valid string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid = valid
}

func (g *gatekeeper) client(t testing.TB, auth memfault.Authenticator, opts ...memfault.Option) *memfault.Client {
	t.Helper()
	return newClient(t, auth, append([]memfault.Option{quickRetries, memfault.WithHTTPClient(&http.Client{Transport: g})}, opts...)...)
}

func TestRotatingCredential_AskedBeforeEachAttempt(t *testing.T) {
	tokens := newVault("oat_1", "oat_2", "oat_3", "oat_4")
	s := &script{responses: []func() (*http.Response, error){status(503), status(503), status(200)}}
	var seen []string
	client := newClient(t, memfault.OrganizationTokenFunc(tokens.get), quickRetries, memfault.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			seen = append(seen, req.Header.Get("Authorization"))
			return s.RoundTrip(req)
		}),
	}))
	require.NoError(t, get(t.Context(), client))
	require.NoError(t, get(t.Context(), client))
	assert.Equal(t, []string{"Bearer oat_1", "Bearer oat_2", "Bearer oat_3", "Bearer oat_4"}, seen)
	assert.Equal(t, 4, tokens.count(), "a success asks for nothing more")
}

func TestRotatingCredential_ChangedAfter401(t *testing.T) {
	for name, call := range map[string]func(*memfault.Client, ...memfault.CallOption) error{
		"GET": func(c *memfault.Client, opts ...memfault.CallOption) error { return get(t.Context(), c, opts...) },
		"POST": func(c *memfault.Client, opts ...memfault.CallOption) error {
			return errorOf(c.Cohorts.Create(t.Context(), sink, memfault.CohortCreate{Name: "x"}, opts...))
		},
		"Do": func(c *memfault.Client, opts ...memfault.CallOption) error {
			return c.Do(t.Context(), memfault.Request{Method: http.MethodPost, Path: "/x", Body: 1}, nil, opts...)
		},
		"Pager": func(c *memfault.Client, _ ...memfault.CallOption) error {
			return errorOf(memfault.NewPager[any](c, memfault.Request{Path: "/x"}).Page(t.Context()))
		},
	} {
		for _, attempts := range []int{1, 5} {
			t.Run(fmt.Sprint(name, " ", attempts), func(t *testing.T) {
				tokens, gate := newVault("oat_old", "oat_new"), &gatekeeper{valid: "oat_new", status: 401}
				gate.serve = func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodPost {
						body, err := io.ReadAll(req.Body)
						require.NoError(t, err)
						assert.NotEmpty(t, body)
						assert.Equal(t, int64(len(body)), req.ContentLength)
					}
					return newResponse(200, `{"data":[],"paging":{}}`)
				}
				if name == "GET" || name == "POST" {
					gate.serve = nil
				}
				var response memfault.Response
				client := gate.client(t, memfault.OrganizationTokenFunc(tokens.get), memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: attempts}))
				opts := []memfault.CallOption{memfault.WithResponse(&response)}
				if attempts > 1 {
					opts = append(opts, memfault.WithoutRetry())
				}
				require.NoError(t, call(client, opts...))
				assert.Equal(t, []string{"oat_old", "oat_new"}, gate.requests())
				assert.Equal(t, 2, tokens.count())
				if name != "Pager" {
					assert.Equal(t, 2, response.Attempts)
					assert.Equal(t, 200, response.StatusCode)
				}
			})
		}
	}
}

func TestRotatingCredential_DoesNotCountAgainstMaxAttempts(t *testing.T) {
	tokens := newVault("oat_1", "oat_1", "oat_2")
	s := &script{responses: []func() (*http.Response, error){status(503), status(401), status(200)}}
	client := newScriptedClient(t, s, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 2, MinWait: 1, MaxWait: 1}))
	require.NoError(t, get(t.Context(), client.WithAuth(memfault.OrganizationTokenFunc(tokens.get))))
	assert.Len(t, s.sentAt, 3)
}

func TestRotatingCredential_UnchangedAfter401(t *testing.T) {
	tokens, gate := newVault("oat_old"), &gatekeeper{valid: "oat_new", status: 401}
	err := post(t.Context(), gate.client(t, memfault.OrganizationTokenFunc(tokens.get)))
	assert.Contains(t, requireError(t, err, 401).Message, "rejected [redacted]")
	assert.Equal(t, []string{"oat_old"}, gate.requests())
	assert.Equal(t, 2, tokens.count())
}

func TestRotatingCredential_OnceForEachCall(t *testing.T) {
	tokens, gate := newVault("oat_s3cret1", "oat_s3cret2", "oat_s3cret3"), &gatekeeper{status: 401}
	gate.valid = "oat_s3cret3"
	err := post(t.Context(), gate.client(t, memfault.OrganizationTokenFunc(tokens.get)))
	requireError(t, err, 401)
	assert.Equal(t, []string{"oat_s3cret1", "oat_s3cret2"}, gate.requests())
}

// A 403 means a wrong project key, but a missing permission of a token.
func TestRotatingCredential_403(t *testing.T) {
	upload := func(c *memfault.Client) error { return c.Chunks.Upload(t.Context(), "A", [][]byte{{1}}) }
	do := func(c *memfault.Client) error { return c.Do(t.Context(), memfault.Request{Path: "/x"}, nil) }
	for name, test := range map[string]struct {
		auth  func(func(context.Context) (string, error)) memfault.Authenticator
		call  func(*memfault.Client) error
		again bool
	}{
		"chunks":        {memfault.ProjectKeyFunc, upload, true},
		"any operation": {memfault.ProjectKeyFunc, do, false},
		"token":         {memfault.OrganizationTokenFunc, do, false},
	} {
		keys, gate := newVault("old-key", "new-key"), &gatekeeper{valid: "new-key", status: 403}
		err := test.call(gate.client(t, test.auth(keys.get)))
		if test.again {
			require.NoError(t, err, name)
			assert.Equal(t, []string{"old-key", "new-key"}, gate.requests())
		} else {
			require.ErrorIs(t, err, memfault.ErrForbidden, name)
			assert.Equal(t, 1, keys.count())
		}
	}
}

// An error must not contain any of the credentials that the call has sent.
func TestRotatingCredential_AllRedacted(t *testing.T) {
	tokens := newVault("oat_s3cret-1", "oat_s3cret-2", "oat_s3cret-3")
	n := 0
	client := newClient(t, memfault.OrganizationTokenFunc(tokens.get), quickRetries, memfault.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			if n++; n == 1 {
				return newResponse(503, "")
			}
			return newResponse(401, `{"error":{"message":"saw oat_s3cret-1, oat_s3cret-2 and oat_s3cret-3"}}`)
		}),
	}))
	err := get(t.Context(), client)
	assert.Equal(t, "saw [redacted], [redacted] and [redacted]", requireError(t, err, 401).Message)
	requireNoSecret(t, printAll(err))
	requireNoSecret(t, string(requireError(t, err, 401).Body))

	broken := newClient(t, memfault.OrganizationTokenFunc(newVault("oat_s3cret-1", "oat_s3cret-2").get), quickRetries,
		memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.Header.Get("Authorization"), "-1") {
				return newResponse(401, "")
			}
			return nil, errors.New("proxy: oat_s3cret-1 and oat_s3cret-2")
		})}))
	err = post(t.Context(), broken)
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	require.ErrorIs(t, err, memfault.ErrUnauthorized, "the last response")
	require.ErrorContains(t, err, "proxy: [redacted] and [redacted]")
	requireNoSecret(t, printAll(err))
}

func TestRotatingCredential_NotPrinted(t *testing.T) {
	auth := memfault.ProjectKeyFunc(newVault("s3cret-key").get)
	client := newClient(t, auth, memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return newResponse(202, "")
	})}))
	require.NoError(t, client.Chunks.Upload(t.Context(), "A", [][]byte{{1}}))
	for _, value := range []any{auth, client, *client, client.Chunks, *client.Chunks} {
		requireNoSecret(t, printAll(value))
	}
	assert.Contains(t, client.String(), "project-key, rotating")
}

func TestRotatingCredential_WrongCredential(t *testing.T) {
	keys := newVault("d3b0")
	_, client := newCloud(t)
	client = client.WithAuth(memfault.ProjectKeyFunc(keys.get))
	require.ErrorIs(t, get(t.Context(), client), memfault.ErrWrongCredential)
	sender := client.WithAuth(memfault.OrganizationTokenFunc(keys.get)).Chunks.NewSender(memfault.ChunkSenderOptions{})
	require.ErrorIs(t, sender.Send(t.Context(), "A", []byte{1}, nil), memfault.ErrWrongCredential)
	assert.Zero(t, keys.count())
}

func TestRotatingCredential_NilFunction(t *testing.T) {
	for _, auth := range []memfault.Authenticator{memfault.OrganizationTokenFunc(nil), memfault.ProjectKeyFunc(nil)} {
		_, err := memfault.NewClient(auth)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
}

func TestRotatingCredential_FailingFunction(t *testing.T) {
	errVault := errors.New("the vault is sealed")
	for name, test := range map[string]struct {
		ask  func(context.Context) (string, error)
		kind error
		text string
	}{
		"error":     {func(context.Context) (string, error) { return "oat_s3cret", errVault }, memfault.ErrNoAnswer, "the vault is sealed"},
		"panic":     {func(context.Context) (string, error) { panic("s3cret") }, memfault.ErrNoAnswer, "panicked with a value of type string"},
		"exit":      {func(context.Context) (string, error) { runtime.Goexit(); return "", nil }, memfault.ErrNoAnswer, "ended its goroutine"},
		"empty":     {newVault("").get, memfault.ErrInvalidArgument, "must not be empty"},
		"new line":  {newVault("oat_s3cret\n").get, memfault.ErrInvalidArgument, "control characters"},
		"no ASCII":  {newVault("oat_s3crét").get, memfault.ErrInvalidArgument, "a header cannot contain"},
		"new lines": {newVault("oat_s3cret\r\nX: y").get, memfault.ErrInvalidArgument, "control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			err := get(t.Context(), client.WithAuth(memfault.OrganizationTokenFunc(test.ask)))
			require.ErrorIs(t, err, test.kind)
			require.ErrorContains(t, err, test.text)
			assert.NotEqual(t, errors.Is(err, memfault.ErrNoAnswer), errors.Is(err, memfault.ErrInvalidArgument))
			assert.Equal(t, name == "error", errors.Is(err, errVault))
			requireNoSecret(t, printAll(err))
			assert.Empty(t, cloud.Requests(""))

			// After a 401, the response is the error, and contains why there was no other
			// attempt.
			asked := 0
			gate := &gatekeeper{valid: "oat_new", status: 401}
			err = get(t.Context(), gate.client(t, memfault.OrganizationTokenFunc(func(ctx context.Context) (string, error) {
				if asked++; asked == 1 {
					return "oat_old", nil
				}
				return test.ask(ctx)
			})))
			requireError(t, err, 401)
			require.ErrorContains(t, err, test.text)
			assert.Equal(t, name == "error", errors.Is(err, errVault))
			require.NotErrorIs(t, err, memfault.ErrInvalidArgument)
			requireNoSecret(t, printAll(err))
			assert.Len(t, gate.requests(), 1)
		})
	}
}

// A question that was asked before the 401 can have an older result. It must be asked again.
func TestRotatingCredential_QuestionInFlightIsOlderThan401(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		slow, rejects := make(chan struct{}), make(chan struct{})
		auth := memfault.OrganizationTokenFunc(func(context.Context) (string, error) {
			switch asked.Add(1) {
			case 1:
				return "oat_old", nil
			case 2:
				<-slow
				return "oat_old", nil
			default:
				return "oat_new", nil
			}
		})
		client := newClient(t, auth, memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("Authorization") == "Bearer oat_new" {
				return newResponse(200, `{"data":{"id":1}}`)
			}
			<-rejects
			return newResponse(401, "")
		})}))
		var calls sync.WaitGroup
		for range 2 {
			calls.Go(func() { assert.NoError(t, get(t.Context(), client)) })
			synctest.Wait() // until the first waits for its response, and the second for the token
		}
		close(rejects)
		synctest.Wait() // until the first has joined the question of the second
		close(slow)
		calls.Wait()
		assert.EqualValues(t, 3, asked.Load())
	})
}

func TestRotatingCredential_OneQuestionForManyAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, running atomic.Int64
		current := newVault("oat_1")
		gate := &gatekeeper{valid: "oat_1", status: 401}
		client := gate.client(t, memfault.OrganizationTokenFunc(func(ctx context.Context) (string, error) {
			asked.Add(1)
			assert.Equal(t, int64(1), running.Add(1))
			defer running.Add(-1)
			time.Sleep(time.Second)
			return current.get(ctx)
		}))
		crowd := func(want int64) {
			t.Helper()
			asked.Store(0)
			var group sync.WaitGroup
			for range 200 {
				group.Go(func() { assert.NoError(t, post(t.Context(), client)) })
			}
			group.Wait()
			assert.Equal(t, want, asked.Load())
		}
		crowd(1)
		gate.set("oat_2") // the function returns the old token again, then the new one
		current.values = []string{"oat_1", "oat_2"}
		current.asked = 0
		crowd(2)
	})
}

// With a fast function too, the number of questions is far below that of the attempts.
func TestRotatingCredential_FastFunction(t *testing.T) {
	tokens := newVault("oat_1")
	gate := &gatekeeper{valid: "oat_1", status: 401}
	client := gate.client(t, memfault.OrganizationTokenFunc(tokens.get))
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() { assert.NoError(t, get(t.Context(), client)) })
	}
	group.Wait()
	t.Logf("%d questions for 200 attempts", tokens.count())
	assert.Len(t, gate.requests(), 200)
}

// Rotation while 200 goroutines send requests: none of them fails.
func TestRotatingCredential_RotationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, gate := newVault("oat_0"), &gatekeeper{valid: "oat_0", status: 401}
		gate.serve = func(*http.Request) (*http.Response, error) {
			time.Sleep(70 * time.Millisecond) // requests in flight keep their token
			return newResponse(200, `{"data":{"id":1}}`)
		}
		client := gate.client(t, memfault.OrganizationTokenFunc(func(ctx context.Context) (string, error) {
			time.Sleep(3 * time.Millisecond)
			return tokens.get(ctx)
		}))
		var group sync.WaitGroup
		for range 200 {
			group.Go(func() {
				for range 50 {
					assert.NoError(t, post(t.Context(), client))
				}
			})
		}
		for i := 1; i <= 30; i++ {
			time.Sleep(101 * time.Millisecond)
			token := fmt.Sprint("oat_", i)
			gate.set(token)
			tokens.set(token)
		}
		group.Wait()
	})
}

func TestRotatingCredential_BlockingFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int64
		ctxs := make(chan context.Context, 100)
		client := (&gatekeeper{}).client(t, memfault.OrganizationTokenFunc(func(ctx context.Context) (string, error) {
			ctxs <- ctx
			<-ctx.Done()
			ended.Add(1)
			return "", ctx.Err()
		}), memfault.WithTimeout(0))
		start := time.Now()
		type key struct{}
		short, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, 1), time.Second)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			assert.ErrorIs(t, get(short, client), context.DeadlineExceeded) //nolint:testifylint // in a goroutine
			assert.Equal(t, time.Second, time.Since(start))
			assert.Zero(t, ended.Load(), "another attempt still waits")
		})
		group.Go(func() {
			time.Sleep(10 * time.Millisecond) // joins the question of the other
			err := get(t.Context(), client)
			assert.Equal(t, time.Minute, time.Since(start))
			assert.ErrorIs(t, err, memfault.ErrNoAnswer) //nolint:testifylint // in a goroutine
			var timeout net.Error
			if assert.ErrorAs(t, err, &timeout) {
				assert.True(t, timeout.Timeout())
			}
		})
		group.Wait()
		asked := <-ctxs
		assert.Nil(t, asked.Value(key{}))
		assert.Empty(t, memfault.OperationName(asked))
		assert.Empty(t, ctxs, "one question for both")
		synctest.Wait()
		assert.Equal(t, int64(1), ended.Load())

		alone, cancelAlone := context.WithTimeout(t.Context(), time.Second)
		defer cancelAlone()
		require.ErrorIs(t, get(alone, client), context.DeadlineExceeded)
		synctest.Wait()
		assert.Equal(t, int64(2), ended.Load(), "no attempt waits any more, so its context has ended")
	})
}

func TestRotatingCredential_FunctionNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		never := make(chan struct{})
		gate := &gatekeeper{valid: "oat_1"}
		client := gate.client(t, memfault.OrganizationTokenFunc(func(context.Context) (string, error) {
			if asked.Add(1) == 1 {
				<-never
				return "oat_stale", nil
			}
			return "oat_1", nil
		}))
		require.ErrorIs(t, get(t.Context(), client), memfault.ErrNoAnswer)
		require.NoError(t, get(t.Context(), client), "the function is called again")
		close(never)
		synctest.Wait()
		require.NoError(t, get(t.Context(), client))
	})
}

func TestRotatingCredential_FunctionUsesItsClient(t *testing.T) {
	var client *memfault.Client
	_, client = newCloud(t)
	client = client.WithAuth(memfault.OrganizationTokenFunc(func(ctx context.Context) (string, error) {
		return "", get(ctx, client)
	}))
	require.ErrorContains(t, get(t.Context(), client), "waits for its own result")
}

// A 401 of a host that is not the client's own does not concern the credential.
func TestRotatingCredential_401OfOtherHost(t *testing.T) {
	tokens := newVault("oat_1", "oat_2")
	requests := 0
	client := newClient(t, memfault.OrganizationTokenFunc(tokens.get), quickRetries, memfault.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			if requests++; requests == 1 {
				return newResponse(302, "", "Location", "https://bucket.example/x")
			}
			assert.Empty(t, req.Header.Get("Authorization"))
			return newResponse(401, "")
		}),
	}))
	requireError(t, get(t.Context(), client), 401)
	assert.Equal(t, 2, requests)
	assert.Equal(t, 1, tokens.count())
}

func TestRotatingCredential_WrappedByAuthenticator(t *testing.T) {
	cloud, client := newCloud(t)
	inner := memfault.OrganizationTokenFunc(newVault(organizationToken).get)
	require.NoError(t, get(t.Context(), client.WithAuth(authFunc(inner.Authenticate))))
	assert.Len(t, cloud.Requests(""), 1)
}

// The repeated attempt reads a large file from its start, also if the server has responded
// before it had the whole of it.
func TestRotatingCredential_LargeBody(t *testing.T) {
	content := append([]byte("CORE\x01\x00\x00\x00\x00\x00\x00\x00"), bytes.Repeat([]byte{7}, 8<<20)...)
	for name, early := range map[string]bool{"early response": true, "late response": false} {
		t.Run(name, func(t *testing.T) {
			var sizes []int
			_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				valid := r.Header.Get("Memfault-Project-Key") == "new-key"
				if valid || !early {
					body, _ := io.ReadAll(r.Body)
					sizes = append(sizes, len(body))
				}
				if !valid {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				w.WriteHeader(http.StatusAccepted)
			})
			file := &memfault.File{Name: "core", Size: int64(len(content)), Content: bytes.NewReader(content)}
			result, err := client.WithAuth(memfault.ProjectKeyFunc(newVault("old-key", "new-key").get)).Uploads.RawCoredump(
				t.Context(), file, memfault.WithoutRetry())
			require.NoError(t, err)
			assert.Equal(t, int64(len(content)), result.Size)
			assert.Equal(t, len(content), sizes[len(sizes)-1])
		})
	}
}

// Each step of an upload asks, and each can be repeated.
func TestRotatingCredential_StepsOfUpload(t *testing.T) {
	cloud, client := newCloud(t)
	steps := newVault("old", projectKey, "old", projectKey)
	content := []byte("PK\x03\x04 a bug report")
	_, err := client.WithAuth(memfault.ProjectKeyFunc(steps.get)).Uploads.BugReport(t.Context(), memfault.ProjectRef{},
		&memfault.File{Name: "bug", Size: int64(len(content)), Content: bytes.NewReader(content)}, memfault.BugReportOptions{})
	require.NoError(t, err)
	assert.Len(t, cloud.Uploads(), 1)
	assert.Equal(t, 4, steps.count())
}

func TestRotatingCredential_ResumedDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newVault("oat_1", "oat_1", "oat_2", "oat_2", "oat_3")
		s := &script{responses: []func() (*http.Response, error){
			breaks(200, 10, "0123", "ETag", `"v1"`),
			status(401), breaks(206, 3, "45", "ETag", `"v1"`, "Content-Range", "bytes 4-9/10"),
			status(401), whole(206, "6789", "ETag", `"v1"`, "Content-Range", "bytes 6-9/10"),
		}}
		var file bytes.Buffer
		_, err := download(t.Context(), newScriptedClient(t, s).WithAuth(memfault.OrganizationTokenFunc(tokens.get)), 1, &file)
		require.NoError(t, err)
		assert.Equal(t, "0123456789", file.String())
		assert.Len(t, s.sentAt, 5)
	})
}

func TestRotatingCredential_PagesOfList(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.SeedFleet(25)
	tokens := newVault(organizationToken, "oat_old", organizationToken)
	devices, err := client.WithAuth(memfault.OrganizationTokenFunc(tokens.get)).Devices.List(sink,
		memfault.DeviceListOptions{ListOptions: memfault.ListOptions{PerPage: 10}}).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, devices, 25)
	assert.Equal(t, 4, tokens.count())
}

func TestError_TokenHint(t *testing.T) {
	for name, test := range map[string]struct {
		auth   memfault.Authenticator
		status int
		text   string
	}{
		"token 401":          {memfault.OrganizationToken("oat_1"), 401, "the organization token may have been deleted"},
		"token 403":          {memfault.OrganizationToken("oat_1"), 403, "a permission of the organization token may be missing"},
		"rotating token 403": {memfault.OrganizationTokenFunc(newVault("oat_1").get), 403, "a permission of the organization token may be missing"},
		"token 404":          {memfault.OrganizationToken("oat_1"), 404, ""},
		"password 403":       {memfault.BasicPassword("j@x", "p"), 403, ""},
		"custom 401":         {authFunc(func(*http.Request) error { return nil }), 401, ""},
	} {
		s := &script{responses: []func() (*http.Response, error){status(test.status)}}
		err := get(t.Context(), newScriptedClient(t, s).WithAuth(test.auth))
		requireError(t, err, test.status)
		if test.text == "" {
			assert.NotContains(t, err.Error(), "token", name)
		} else {
			require.ErrorContains(t, err, test.text, name)
		}
	}
}

// A token that a file contains, which something else replaces, or a secret manager serves.
func ExampleOrganizationTokenFunc() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	tokens := []string{"oat_deleted", cloud.OrganizationToken()}
	readToken := func(context.Context) (string, error) { // a program reads a file or asks a secret manager
		token := tokens[0]
		tokens = tokens[1:]
		return token, nil
	}

	client, err := memfault.NewClient(memfault.OrganizationTokenFunc(readToken), cloud.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	// Memfault rejects the first token, because it was deleted. The client asks for the token
	// again, and sends the request again.
	var response memfault.Response
	project, err := client.Projects.Get(context.Background(), cloud.Project(), memfault.WithResponse(&response))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(project.Slug, response.Attempts)
	// Output: smart-sink 2
}

func TestRotatingCredential_OnceForEachCallWithRetries(t *testing.T) {
	tokens := newVault("oat_1", "oat_2", "oat_3", "oat_4", "oat_5")
	s := &script{responses: []func() (*http.Response, error){status(401), status(503), status(401), status(200)}}
	err := get(t.Context(), newScriptedClient(t, s, quickRetries).WithAuth(memfault.OrganizationTokenFunc(tokens.get)))
	requireError(t, err, 401)
	assert.Len(t, s.sentAt, 3)
	assert.Equal(t, 3, tokens.count())
}
