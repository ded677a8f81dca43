package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

var sentinels = []error{
	memfault.ErrBadRequest, memfault.ErrUnauthorized, memfault.ErrForbidden, memfault.ErrNotFound, memfault.ErrConflict, memfault.ErrTooLarge,
	memfault.ErrRateLimited, memfault.ErrUnavailable, memfault.ErrWrongCredential, memfault.ErrNoBuildID, memfault.ErrNotReady,
}

func TestError_KindOfStatus(t *testing.T) {
	for status, want := range map[int]error{
		400: memfault.ErrBadRequest, 401: memfault.ErrUnauthorized, 403: memfault.ErrForbidden, 404: memfault.ErrNotFound,
		405: nil, 409: memfault.ErrConflict, 411: nil, 413: memfault.ErrTooLarge, 415: nil, 418: nil, 429: memfault.ErrRateLimited,
		500: nil, 501: nil, 502: memfault.ErrUnavailable, 503: memfault.ErrUnavailable, 504: memfault.ErrUnavailable, 529: memfault.ErrUnavailable,
	} {
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		err := get(t.Context(), client, memfault.WithoutRetry())
		requireError(t, err, status)
		for _, sentinel := range sentinels {
			assert.Equal(t, errors.Is(want, sentinel), errors.Is(err, sentinel), "%d %v", status, sentinel)
		}
	}
}

func TestError_DecodesEnvelope(t *testing.T) {
	html := memfaulttest.BadGateway().Body
	for name, c := range map[string]struct {
		body string
		want memfault.Error
	}{
		"whole":           {`{"error":{"code":1003,"http_code":404,"message":"gone","type":"NotFoundError"}}`, memfault.Error{Code: 1003, Type: "NotFoundError", Message: "gone"}},
		"message alone":   {`{"error":{"message":"Content-Length must be set.","http_code":411}}`, memfault.Error{Message: "Content-Length must be set."}},
		"message object":  {`{"error":{"code":1000,"message":{"0":{"x":["bad"]}},"type":"T"}}`, memfault.Error{Code: 1000, Type: "T", Details: []byte(`{"0":{"x":["bad"]}}`)}},
		"message list":    {`{"error":{"message":["a","b"]}}`, memfault.Error{Details: []byte(`["a","b"]`)}},
		"null message":    {`{"error":{"message":null}}`, memfault.Error{}},
		"odd types":       {`{"error":{"code":"E1","type":7,"message":"m"}}`, memfault.Error{Message: "m"}},
		"error is text":   {`{"error":"nope"}`, memfault.Error{Message: "nope"}},
		"API gateway":     {`{"message":"Forbidden"}`, memfault.Error{Message: "Forbidden"}},
		"no envelope":     {`{"x":1}`, memfault.Error{}},
		"plain text":      {"upstream timed out\n", memfault.Error{Message: "upstream timed out"}},
		"HTML":            {html, memfault.Error{}},
		"empty":           {"", memfault.Error{}},
		"binary":          {"\x00\x01\x02", memfault.Error{}},
		"a long text":     {strings.Repeat("x", 400), memfault.Error{}},
		"cut-off JSON":    {`{"error":{"message":"g`, memfault.Error{Message: `{"error":{"message":"g`}},
		"JSON, not a map": {`[1]`, memfault.Error{Message: "[1]"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Request-Id", "r-9")
				w.WriteHeader(http.StatusTeapot)
				_, _ = io.WriteString(w, c.body)
			})
			got := requireError(t, get(t.Context(), client), http.StatusTeapot)
			assert.Equal(t, c.want.Code, got.Code)
			assert.Equal(t, c.want.Type, got.Type)
			assert.Equal(t, c.want.Message, got.Message)
			assert.Equal(t, string(c.want.Details), string(got.Details))
			assert.Equal(t, c.body, string(got.Body))
			assert.Equal(t, "r-9", got.RequestID)
			assert.Equal(t, "projects.retrieve", got.Operation)
			assert.Equal(t, http.MethodGet, got.Method)
			assert.Contains(t, got.Error(), "memfault: projects.retrieve: 418 I'm a teapot")
			assert.Contains(t, got.Error(), "[request r-9]")
			assert.NotContains(t, got.Error(), "<html>")
			if c.want.Details != nil {
				assert.Contains(t, got.Error(), string(c.want.Details))
			}
		})
	}
}

func TestError_KeepsStartOfLargeBody(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, strings.Repeat("<p>", 1<<20))
	})
	assert.Len(t, requireError(t, get(t.Context(), client), 400).Body, 64<<10)
}

func TestError_400ForTooBigFileIsErrTooLarge(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"Uploaded file is too big (max 100 MB)"}}`)
	})
	err := get(t.Context(), client)
	require.ErrorIs(t, err, memfault.ErrTooLarge)
	require.ErrorIs(t, err, memfault.ErrBadRequest)
	require.ErrorContains(t, err, "max 100 MB")
}

func TestRetry_500NotRetried(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Devices.Get(t.Context(), memfault.ProjectRef{Organization: "acme", Project: "nope"}, "A")
	assert.Equal(t, "InternalError", requireError(t, err, 500).Type)
	assert.Len(t, cloud.Requests(""), 1)
}

func TestError_HTMLOfProxy(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.BadGateway())
	err := get(t.Context(), client)
	require.ErrorIs(t, err, memfault.ErrUnavailable)
	assert.Equal(t, "memfault: projects.retrieve: 502 Bad Gateway ["+"request "+requireError(t, err, 502).RequestID+"]", err.Error())
}

func TestError_KeepsHeaderValuesOfCaller(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"code":1003,"type":"NotFoundError","message":"no such device"}}`)
	})
	err := get(t.Context(), client, memfault.WithHeader("X-Note", "an error"), memfault.WithHeader("X-Batch", "1003"))
	got := requireError(t, err, http.StatusNotFound)
	assert.Equal(t, 1003, got.Code)
	assert.Equal(t, "no such device", got.Message)
}

// Errors of work with several parts name the part, alone and joined, in one line.
func TestMoveDevices_ErrorsNameTheDevice(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A"})
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	serials := []string{"A", "GONE-1", "GONE\n2", ""}
	moves, err := client.Cohorts.MoveDevices(t.Context(), sink, "beta", serials, memfault.MoveDevicesOptions{})
	require.NoError(t, moves[0].Err)
	for _, move := range moves[1:] {
		require.ErrorContains(t, move.Err, fmt.Sprintf("memfault: device %q: devices.update: ", move.DeviceSerial))
		require.ErrorContains(t, err, fmt.Sprintf("device %q: devices.update: ", move.DeviceSerial))
		require.ErrorIs(t, err, move.Err)
	}
	requireError(t, moves[1].Err, 404)
	require.ErrorIs(t, err, memfault.ErrNotFound)
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	require.ErrorContains(t, err, "memfault: MoveDevices: 3 of 4 devices were not moved: device ")
	assert.Equal(t, 1, strings.Count(err.Error(), "memfault: "))
	assert.NotContains(t, err.Error(), "\n")
}

func TestMoveDevices_LongErrorIsCut(t *testing.T) {
	_, client := newCloud(t)
	serials := make([]string, 150)
	for i := range serials {
		serials[i] = fmt.Sprintf("GONE-%d", i)
	}
	_, err := client.Cohorts.MoveDevices(t.Context(), sink, "beta", serials, memfault.MoveDevicesOptions{})
	require.ErrorContains(t, err, "and 50 more")
	require.ErrorContains(t, err, `"GONE-99"`)
	assert.NotContains(t, err.Error(), `"GONE-100"`)
}

func TestSymbolsDir_ErrorsNameTheFile(t *testing.T) {
	cloud, client := newCloud(t)
	dir := t.TempDir()
	for _, name := range []string{"a.elf", "b.elf"} { // ELF files that end after their first bytes
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("\x7fELF\x02\x01\x01"), 0o600))
	}
	results, err := client.Uploads.SymbolsDir(t.Context(), sink, dir, memfault.SymbolsDirOptions{})
	require.Len(t, results, 2)
	for _, result := range results {
		require.ErrorContains(t, result.Err, fmt.Sprintf("memfault: file %q: ", result.Path))
		require.ErrorContains(t, err, fmt.Sprintf("file %q: ", result.Path))
	}
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	assert.NotContains(t, err.Error(), "\n")
	assert.Empty(t, cloud.Requests(""))
}

func TestEventsUpload_ErrorNamesTheDevice(t *testing.T) {
	_, client := newCloud(t)
	err := client.WithAuth(memfault.ProjectKey(projectKey)).Events.Upload(t.Context(), []memfault.EventCreate{
		{Type: memfault.EventTypeTrace, DeviceSerial: "ABCD1234", HardwareVersion: "evt-1"},
	})
	require.ErrorContains(t, err, `event 0: device "ABCD1234": `)
}

func TestErrTemporary(t *testing.T) {
	for status, want := range map[int]bool{
		200: false, 302: false, 400: false, 401: false, 403: false, 404: false, 408: false, 409: false, 413: false, 422: false,
		429: true, 500: true, 501: false, 502: true, 503: true, 504: true, 529: true,
	} {
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "null")
		})
		err := client.Do(t.Context(), memfault.Request{Path: "/x"}, new(memfault.Project), memfault.WithoutRetry())
		require.Error(t, err)
		assert.Equal(t, want, errors.Is(err, memfault.ErrTemporary), "%d: %v", status, err)
	}

	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.Fault{Drop: true})
	_, err := client.Devices.Get(t.Context(), sink, "A", memfault.WithoutRetry())
	require.ErrorIs(t, err, memfault.ErrTemporary, "no complete response")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Devices.Get(ended, sink, "A")
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	require.NotErrorIs(t, err, memfault.ErrTemporary, "a context that ended")
	_, err = client.Devices.Get(t.Context(), sink, "")
	require.NotErrorIs(t, err, memfault.ErrTemporary, "refused here")
}

// A context that ends while the client waits before a retry: the last response is temporary, but
// what ended the call is not.
func TestErrTemporary_ContextEndedAfterResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		cloud.Fail(memfaulttest.Fault{Status: http.StatusServiceUnavailable, RetryAfter: "20"})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := client.Devices.Get(ctx, sink, "A")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, memfault.ErrUnavailable)
		requireError(t, err, http.StatusServiceUnavailable)
		require.NotErrorIs(t, err, memfault.ErrTemporary)
	})
}
