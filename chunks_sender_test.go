package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud"
)

// outcome counts what done was called with, chunk by chunk.
type outcome struct {
	mu      sync.Mutex
	results map[string][]error
	order   map[string][]string // chunk texts by serial, as done told of them
}

func newOutcome() *outcome {
	return &outcome{results: map[string][]error{}, order: map[string][]string{}}
}

func (o *outcome) of(serial, chunk string) func(error) {
	return func(err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.results[serial+" "+chunk] = append(o.results[serial+" "+chunk], err)
		o.order[serial] = append(o.order[serial], chunk)
	}
}

// count returns how many chunks were accepted and how many reported, and fails if done
// was called twice for any.
func (o *outcome) count(t testing.TB) (accepted, reported int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for chunk, results := range o.results {
		require.Len(t, results, 1, chunk)
		if results[0] == nil {
			accepted++
		} else {
			reported++
		}
	}
	return accepted, reported
}

func chunkText(i int) string { return fmt.Sprintf("chunk-%03d", i) }

// requireInOrder fails unless the chunks arrived in order, each at least once: a batch
// may have come again, but nothing of it after what followed it.
func requireInOrder(t testing.TB, arrived [][]byte, n int) {
	t.Helper()
	next, seen := 0, map[string]bool{}
	for _, chunk := range arrived {
		text := string(chunk)
		if text == chunkText(next) {
			next++
		} else {
			require.True(t, seen[text], "%s came in place of %s", text, chunkText(next))
		}
		seen[text] = true
	}
	require.Equal(t, n, next)
}

func TestSenderUnderFire(t *testing.T) {
	const serials, chunks = 1000, 20
	cloud, client := newRelay(t, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 10, MinWait: time.Millisecond, MaxWait: 20 * time.Millisecond}))
	cloud.Fail(fakecloud.Fault{Drop: true, Every: 100})
	cloud.Fail(fakecloud.Fault{DropResponse: true, Every: 100})
	cloud.Fail(fakecloud.Fault{Status: 429, Every: 100})
	cloud.Fail(fakecloud.Fault{Status: 503, RetryAfter: "0", Every: 100})
	cloud.Fail(fakecloud.Fault{Delay: 5 * time.Millisecond})
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
	told := newOutcome()
	for i := range chunks {
		for s := range serials {
			serial := fmt.Sprintf("SN-%04d", s)
			require.NoError(t, sender.Send(t.Context(), serial, []byte(chunkText(i)), told.of(serial, chunkText(i))))
		}
	}
	require.NoError(t, sender.Close(t.Context()))
	accepted, reported := told.count(t)
	assert.Equal(t, serials*chunks, accepted)
	assert.Zero(t, reported)
	for s := range serials {
		serial := fmt.Sprintf("SN-%04d", s)
		requireInOrder(t, cloud.Chunks(serial), chunks)
		require.Len(t, told.order[serial], chunks)
		assert.IsIncreasing(t, told.order[serial], "done comes in order too")
	}
	// newCloud fails the test if two requests of one device ever overlapped.
}

func TestSenderThatIsClosedInTheMiddle(t *testing.T) {
	const serials, chunks = 200, 20
	cloud, client := newRelay(t)
	cloud.Fail(fakecloud.Fault{Drop: true, Every: 50})
	cloud.Fail(fakecloud.Fault{Status: 503, RetryAfter: "3600", Every: 50})
	cloud.Fail(fakecloud.Fault{Delay: 5 * time.Millisecond})
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{Concurrency: 16, BatchSize: 3})
	told := newOutcome()
	for i := range chunks {
		for s := range serials {
			serial := fmt.Sprintf("SN-%04d", s)
			require.NoError(t, sender.Send(t.Context(), serial, []byte(chunkText(i)), told.of(serial, chunkText(i))))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := sender.Close(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	accepted, reported := told.count(t)
	assert.Equal(t, serials*chunks, accepted+reported, "each chunk is told of")
	require.ErrorContains(t, err, fmt.Sprintf(" %d chunks were not accepted", reported))
	assert.NotZero(t, accepted)
	assert.NotZero(t, reported)
	for s := range serials {
		serial := fmt.Sprintf("SN-%04d", s)
		assert.IsIncreasing(t, told.order[serial])
		arrived := map[string]bool{}
		for _, chunk := range cloud.Chunks(serial) {
			arrived[string(chunk)] = true
		}
		for i := range chunks {
			if results := told.results[serial+" "+chunkText(i)]; results[0] == nil {
				assert.True(t, arrived[chunkText(i)], "%s %d was told to be accepted", serial, i)
			}
		}
	}
	require.ErrorIs(t, sender.Send(t.Context(), "A", []byte{1}, nil), memfault.ErrSenderClosed)
	require.ErrorIs(t, sender.Close(t.Context()), context.DeadlineExceeded, "closing again says the same")
}

// senderOver returns a sender whose requests answer handles, on a bubble's clock.
func senderOver(t *testing.T, options memfault.ChunkSenderOptions, handle roundTripper, opts ...memfault.Option) *memfault.ChunkSender {
	t.Helper()
	client := newClient(t, memfault.ProjectKey("d3b0"), append(opts, memfault.WithHTTPClient(&http.Client{Transport: handle}))...)
	return client.Chunks.NewSender(options)
}

func serialOf(req *http.Request) string {
	return req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
}

func TestRetryAfterHoldsOneDeviceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		told := map[string]time.Duration{}
		var mu sync.Mutex
		held := 0
		sender := senderOver(t, memfault.ChunkSenderOptions{Concurrency: 1}, func(req *http.Request) (*http.Response, error) {
			if serialOf(req) == "HELD" {
				if held++; held == 1 {
					return newResponse(429, "", "Retry-After", "300")
				}
			}
			return newResponse(202, "")
		})
		for _, serial := range []string{"HELD", "A", "B", "HELD"} {
			require.NoError(t, sender.Send(t.Context(), serial, []byte{1}, func(err error) {
				require.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				told[serial] = time.Since(start)
			}))
			synctest.Wait()
		}
		require.NoError(t, sender.Close(t.Context()))
		assert.Equal(t, map[string]time.Duration{"A": 0, "B": 0, "HELD": 300 * time.Second}, told, "even with a single worker, and beyond MaxWait")
		assert.Equal(t, 3, held, "the refused batch again as it was, and then the next")
	})
}

func TestOneBadChunkCostsNoOther(t *testing.T) {
	for _, status := range []int{400, 413} {
		cloud, client := newRelay(t)
		cloud.RefuseChunks(func(chunk []byte) int {
			if string(chunk) == chunkText(13) || string(chunk) == chunkText(14) {
				return status
			}
			return 0
		})
		cloud.Fail(fakecloud.Fault{Delay: 20 * time.Millisecond, Times: 1}) // so that the rest is one batch
		sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
		told := newOutcome()
		for i := range 40 {
			require.NoError(t, sender.Send(t.Context(), "A", []byte(chunkText(i)), told.of("A", chunkText(i))))
		}
		require.NoError(t, sender.Close(t.Context()))
		accepted, reported := told.count(t)
		assert.Equal(t, 38, accepted)
		assert.Equal(t, 2, reported)
		requireError(t, told.results["A "+chunkText(13)][0], status)
		requireError(t, told.results["A "+chunkText(14)][0], status)
		assert.IsIncreasing(t, told.order["A"])
		var arrived []string
		for _, chunk := range cloud.Chunks("A") {
			arrived = append(arrived, string(chunk))
		}
		assert.Len(t, arrived, 38)
		assert.IsIncreasing(t, arrived)
	}
}

func TestOtherRefusalsFailTheBatch(t *testing.T) {
	for _, status := range []int{403, 404, 411, 415, 500} {
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		sender := client.WithAuth(memfault.ProjectKey("d3b0")).Chunks.NewSender(memfault.ChunkSenderOptions{})
		var got error
		require.NoError(t, sender.Send(t.Context(), "A", []byte{1}, func(err error) { got = err }))
		require.NoError(t, sender.Close(t.Context()))
		requireError(t, got, status)
	}
}

func TestSendChecksItsInput(t *testing.T) {
	cloud, client := newRelay(t)
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{MaxPendingBytes: 4})
	no := func(error) { t.Error("done of a chunk that was not taken") }
	require.ErrorContains(t, sender.Send(t.Context(), "A", nil, no), "empty")
	require.ErrorContains(t, sender.Send(t.Context(), "", []byte{1}, no), "device_serial must not be empty")
	require.ErrorContains(t, sender.Send(t.Context(), "..", []byte{1}, no), "device_serial")
	require.ErrorIs(t, sender.Send(t.Context(), "A", make([]byte, 5), no), memfault.ErrTooLarge)
	require.Error(t, sender.Send(nil, "A", []byte{1}, no)) //nolint:staticcheck // the very mistake
	require.Error(t, sender.Flush(nil))                    //nolint:staticcheck // the very mistake
	require.Error(t, sender.Close(nil))                    //nolint:staticcheck // the very mistake

	token := client.WithAuth(memfault.OrganizationToken("oat_1")).Chunks.NewSender(memfault.ChunkSenderOptions{})
	require.ErrorIs(t, token.Send(t.Context(), "A", []byte{1}, no), memfault.ErrWrongCredential)
	require.NoError(t, token.Close(t.Context()))
	bad := client.Chunks.NewSender(memfault.ChunkSenderOptions{BatchSize: -1})
	require.ErrorContains(t, bad.Send(t.Context(), "A", []byte{1}, no), "negative")
	assert.Empty(t, cloud.Requests(""))
}

func TestSendCopiesTheChunk(t *testing.T) {
	cloud, client := newRelay(t)
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
	buffer := []byte("first")
	require.NoError(t, sender.Send(t.Context(), "A", buffer, nil))
	copy(buffer, "XXXXX")
	require.NoError(t, sender.Close(t.Context()))
	assert.Equal(t, "first", string(cloud.Chunks("A")[0]))
}

func TestContextOfSendDoesNotEndTheRequest(t *testing.T) {
	cloud, client := newRelay(t)
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
	ctx, cancel := context.WithCancelCause(t.Context())
	require.NoError(t, sender.Send(ctx, "A", []byte("x"), nil))
	cancel(errors.New("the caller moved on"))
	require.NoError(t, sender.Close(t.Context()))
	assert.Len(t, cloud.Chunks("A"), 1)
}

// BenchmarkChunkSender relays 20 chunks from each of 1,000 devices through requests of
// 5 ms. The metric times-as-fast compares it with one POST after the other.
func BenchmarkChunkSender(b *testing.B) {
	_, client := newServer(b, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(5 * time.Millisecond)
		w.WriteHeader(http.StatusAccepted)
	})
	client = client.WithAuth(memfault.ProjectKey("d3b0"))
	const sample = 100
	start := time.Now()
	for range sample {
		require.NoError(b, client.Chunks.Upload(b.Context(), "A", [][]byte{make([]byte, 100)}))
	}
	each := time.Since(start) / sample
	var took time.Duration
	rounds := 0
	for b.Loop() {
		start = time.Now()
		sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
		for range 20 {
			for s := range 1000 {
				require.NoError(b, sender.Send(b.Context(), fmt.Sprint(s), make([]byte, 100), nil))
			}
		}
		require.NoError(b, sender.Close(b.Context()))
		took += time.Since(start)
		rounds++
	}
	b.ReportMetric(float64(each)*20_000*float64(rounds)/float64(took), "times-as-fast")
}
