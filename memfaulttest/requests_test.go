package memfaulttest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestRequests_StatusCodeAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234", LogFiles: []memfaulttest.LogFile{{ID: "c1", Content: []byte("lines")}}})
		client, start := cloud.Client(t), time.Now()
		cloud.Fail(memfaulttest.Fault{Operation: "devices.retrieve", Status: 503, RetryAfter: "20", Times: 1})
		cloud.Fail(memfaulttest.Fault{Operation: "devices.retrieve", Drop: true, Times: 1})
		cloud.Fail(memfaulttest.Fault{Operation: "devices.retrieve", DropResponse: true, Times: 1})
		cloud.Fail(memfaulttest.Fault{Operation: "devices.retrieve", CutBodyAfter: 1, Times: 1})
		_, err := client.Devices.Get(t.Context(), cloud.Project(), "ABCD1234")
		require.NoError(t, err)
		var statuses []int
		for _, r := range cloud.Requests("devices.retrieve") {
			statuses = append(statuses, r.StatusCode)
		}
		// The client retries three times. A cut response has a status, a dropped one has none.
		assert.Equal(t, []int{503, 0, 0, 200}, statuses[:4])
		first := cloud.Requests("devices.retrieve")
		assert.Equal(t, start, first[0].Time)
		assert.Equal(t, start.Add(20*time.Second), first[1].Time.Truncate(time.Second))

		_, err = client.Devices.Get(t.Context(), cloud.Project(), "missing")
		require.ErrorIs(t, err, memfault.ErrNotFound)
		var text writerTo
		_, err = client.Devices.DownloadLogFile(t.Context(), cloud.Project(), "ABCD1234", "c1", &text)
		require.NoError(t, err)
		all := cloud.Requests("")
		assert.Equal(t, 404, all[len(all)-2].StatusCode)
		assert.Equal(t, 200, all[len(all)-1].StatusCode, "of a file that is sent as a stream")
	})
}

type writerTo []byte

func (w *writerTo) Write(p []byte) (int, error) { *w = append(*w, p...); return len(p), nil }
