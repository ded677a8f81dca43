package fakecloud_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

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

func TestViolations_Credentials(t *testing.T) {
	cloud := fakecloud.New()
	handler := cloud.Handler()
	post(t.Context(), handler, "/elsewhere", "Authorization", "Bearer x")
	post(t.Context(), handler, "/api/v0/chunks/A", "Authorization", "Bearer x", "Memfault-Project-Key", fakecloud.ProjectKey)
	assert.Len(t, cloud.Violations(), 2)
}
