package fakecloud_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

func post(ctx context.Context, handler http.Handler, path string, header ...string) int {
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader("a chunk"))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, req)
	return recorder.Code
}

func TestViolations_ConcurrentChunkUploads(t *testing.T) {
	cloud := fakecloud.New()
	cloud.AcceptDamagedChunks()
	handler := cloud.Handler()
	var inside, leave sync.WaitGroup
	inside.Add(2)
	leave.Add(1)
	cloud.Fail(fakecloud.Fault{Before: func() {
		inside.Done()
		leave.Wait()
	}})
	header := []string{"Memfault-Project-Key", fakecloud.ProjectKey, "Content-Type", "application/octet-stream"}
	for _, serials := range [][2]string{{"A", "B"}, {"C", "C"}} {
		var running sync.WaitGroup
		for _, serial := range serials {
			running.Go(func() {
				assert.Equal(t, http.StatusAccepted, post(t.Context(), handler, "/api/v0/chunks/"+serial, header...))
			})
		}
		inside.Wait() // both requests are in flight
		inside.Add(2)
		leave.Done()
		running.Wait()
		leave.Add(1)
		if serials[0] != serials[1] {
			require.Empty(t, cloud.Violations(), "two devices may upload concurrently")
		}
	}
	assert.Equal(t, []string{"two concurrent chunk uploads for C"}, cloud.Violations())
}

// flushed calls do when a response is flushed.
type flushed struct {
	*httptest.ResponseRecorder
	do func()
}

func (f *flushed) Flush() { f.do() }

// A client that has the whole response may send its next request before the handler has ended.
func TestViolations_NextUploadAfterWholeResponse(t *testing.T) {
	cloud := fakecloud.New()
	cloud.AcceptDamagedChunks()
	handler := cloud.Handler()
	cloud.Fail(fakecloud.Fault{CutBodyAfter: 100, Times: 1})
	header := []string{"Memfault-Project-Key", fakecloud.ProjectKey, "Content-Type", "application/octet-stream"}
	next := 0
	first := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v0/chunks/A", strings.NewReader("a chunk"))
	for i := 0; i < len(header); i += 2 {
		first.Header.Set(header[i], header[i+1])
	}
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		handler.ServeHTTP(&flushed{httptest.NewRecorder(), func() { next = post(t.Context(), handler, "/api/v0/chunks/A", header...) }}, first)
	})
	assert.Equal(t, http.StatusAccepted, next)
	assert.Empty(t, cloud.Violations())
}

func TestViolations_Credentials(t *testing.T) {
	cloud := fakecloud.New()
	handler := cloud.Handler()
	post(t.Context(), handler, "/elsewhere", "Authorization", "Bearer x")
	post(t.Context(), handler, "/api/v0/chunks/A", "Authorization", "Bearer x", "Memfault-Project-Key", fakecloud.ProjectKey)
	assert.Len(t, cloud.Violations(), 2)
}

func TestRequests_Record(t *testing.T) {
	x := newTester(t)
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	x.cloud.SetClock(func() time.Time { return now })
	large := strings.Repeat("x", 64<<10)
	x.do("PATCH", "/api/v0/organizations/acme/projects/smart-sink/devices/a%2Fb?x=1&x=a%2Bb&y", `{"nickname":"n"}`,
		"authorization", "Bearer "+fakecloud.OrgToken, "X-Trace", "7")
	x.chunk("S1", large)
	x.chunk("S1", large+"y")
	seen := x.cloud.Requests("")
	require.Len(t, seen, 3)
	assert.Equal(t, fakecloud.Request{
		Operation: "devices.update", Method: "PATCH", Path: "/api/v0/organizations/acme/projects/smart-sink/devices/a%2Fb",
		Query:  map[string][]string{"x": {"1", "a+b"}, "y": {""}},
		Header: http.Header{"Authorization": {"REDACTED"}, "X-Trace": {"7"}}, Body: []byte(`{"nickname":"n"}`), Credential: "organization token",
		StatusCode: 404, Time: now,
	}, seen[0])
	assert.Equal(t, "REDACTED", seen[1].Header.Get(keyHeader))
	assert.Equal(t, []any{large, false}, []any{string(seen[1].Body), seen[1].Truncated})
	assert.Equal(t, []any{large, true}, []any{string(seen[2].Body), seen[2].Truncated})
	assert.Equal(t, 2, x.cloud.RequestCount("chunks.upload"))
	assert.Equal(t, 3, x.cloud.RequestCount(""))

	x.ok(x.upload("/bugreports", "a file", ""))
	put := x.cloud.Requests("upload.put_file")[0]
	assert.Empty(t, put.Body)
	assert.Empty(t, put.Credential)
	assert.True(t, strings.HasSuffix(put.Path, "/a%2fb%2Bc+d"), put.Path)
}

func TestRequests_Credential(t *testing.T) {
	x := newTester(t)
	basic := func(name, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
	}
	for _, c := range []struct{ header, value, want string }{
		{"X", "y", ""},
		{keyHeader, "wrong", "project key"},
		{"Authorization", "Bearer x", "organization token"},
		{"Authorization", basic("", fakecloud.OrgToken), "organization token"},
		{"Authorization", basic(fakecloud.OrgToken, ""), "organization token"},
		{"Authorization", basic(fakecloud.Email, fakecloud.Password), "email and password"},
		{"Authorization", basic(fakecloud.Email, fakecloud.APIKey), "email and API key"},
		{"Authorization", basic(fakecloud.Email, "wrong"), "email and password"},
	} {
		x.do("GET", root, "", c.header, c.value)
		seen := x.cloud.Requests("")
		assert.Equal(t, c.want, seen[len(seen)-1].Credential, c.value)
		if c.want != "" {
			assert.Equal(t, "REDACTED", seen[len(seen)-1].Header.Get(c.header))
		}
	}
}

func TestRequests_UnknownOperation(t *testing.T) {
	x := newTester(t)
	assert.Equal(t, 404, x.do("GET", "/api/v0/elsewhere?x=1", "").status)
	seen := x.cloud.Requests("")
	require.Len(t, seen, 1)
	assert.Equal(t, []string{"", "/api/v0/elsewhere", "1"}, []string{seen[0].Operation, seen[0].Path, seen[0].Query.Get("x")})
	assert.Equal(t, 1, x.cloud.RequestCount(""))
}

func TestCloud_DefaultProjectDeleted(t *testing.T) {
	x := newTester(t)
	x.ok(x.do("DELETE", root, "", "Authorization", "Bearer "+fakecloud.OrgToken))
	x.cloud.AddDevices(fakecloud.Device{Serial: "S1"})
	x.cloud.AddRelease(fakecloud.Release{Version: "1.0.0"})
	x.cloud.AddInstalls(fakecloud.Install{Serial: "S2", Version: "1.0.0"})
	assert.Empty(t, x.cloud.Chunks("S1"))
}

func TestAddDevices_ReplacesDevice(t *testing.T) {
	x := newTester(t)
	x.cloud.SeedFleet(3)
	x.cloud.AddCohorts(fakecloud.Cohort{Slug: "lab"})
	x.cloud.AddDevices(fakecloud.Device{Serial: "SINK-0002", Cohort: "lab", Nickname: "bench", OwnerRef: "o", Description: "d"})
	assert.Equal(t, 3, x.count("/devices", "paging.total_count"))
	d := x.get("/devices/SINK-0002")
	assert.Equal(t, []any{"lab", "bench", "d", nil}, []any{d.at("data.cohort.slug"), d.at("data.nickname"), d.at("data.description"), d.at("data.last_seen")})
	x.cloud.SeedFleet(4)
	assert.Equal(t, 4, x.count("/devices", "paging.total_count"))
	assert.Equal(t, "lab", x.get("/devices/SINK-0002").at("data.cohort.slug"))
	assert.Equal(t, 1, x.count("/devices?owner_ref=o", "paging.total_count"))
}
