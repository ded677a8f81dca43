package relay_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/usertests/relay"
	"github.com/memfault-go/memfault/memfaulttest"
)

func start(t *testing.T) (*memfaulttest.Server, *relay.Relay) {
	cloud := memfaulttest.NewInMemoryServer(t)
	cloud.AcceptDamagedChunks() // the chunks are numbers
	r := relay.New(cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey())))
	t.Cleanup(func() { require.NoError(t, r.Close(time.Minute)) })
	return cloud, r
}

// post sends a chunk to the relay as a device does, and returns the status.
func post(r *relay.Relay, serial string, chunk []byte) int {
	recorder := httptest.NewRecorder()
	r.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/chunks/"+serial, bytes.NewReader(chunk)))
	return recorder.Code
}

func TestRelay_DeliversAfterOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, r := start(t)
		outage := memfaulttest.BadGateway()
		cloud.Fail(outage)
		time.AfterFunc(10*time.Minute, cloud.Heal)
		for i := range 5 {
			go func() { assert.Equal(t, http.StatusAccepted, post(r, "ABCD1234", []byte{byte(i)})) }()
			synctest.Wait()
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		assert.Equal(t, [][]byte{{0}, {1}, {2}, {3}, {4}}, cloud.Chunks("ABCD1234"))
	})
}

func TestRelay_ThrottledDeviceDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, r := start(t)
		cloud.Fail(memfaulttest.Fault{Device: "NOISY", Times: 1, Status: 429, RetryAfter: "300"})
		start := time.Now()
		done := make(chan time.Duration)
		go func() {
			assert.Equal(t, http.StatusAccepted, post(r, "NOISY", []byte{1}))
			done <- time.Since(start)
		}()
		synctest.Wait()
		for i := range 20 {
			require.Equal(t, http.StatusAccepted, post(r, fmt.Sprint("QUIET-", i), []byte{1}))
		}
		assert.Less(t, time.Since(start), time.Second)
		assert.GreaterOrEqual(t, <-done, 5*time.Minute)
	})
}

func TestRelay_InvalidInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, r := start(t)
		assert.Equal(t, http.StatusBadRequest, post(r, "ABCD1234", nil))
		assert.Equal(t, http.StatusRequestEntityTooLarge, post(r, "ABCD1234", make([]byte, 2<<20)))
		assert.Zero(t, cloud.RequestCount(""))
	})
}
