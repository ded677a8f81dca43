package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// chunkLedger records the calls of done functions.
type chunkLedger struct {
	mu      sync.Mutex
	start   time.Time
	results map[string][]error       // by serial and chunk
	times   map[string]time.Duration // of the calls
	order   map[string][]string      // chunk texts by serial
}

func newChunkLedger() *chunkLedger {
	return &chunkLedger{
		start: time.Now(), results: map[string][]error{}, times: map[string]time.Duration{}, order: map[string][]string{},
	}
}

func (l *chunkLedger) done(serial, chunk string) func(error) {
	return func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		key := serial + " " + chunk
		l.results[key] = append(l.results[key], err)
		l.times[key] = time.Since(l.start)
		l.order[serial] = append(l.order[serial], chunk)
	}
}

// send sends chunks and records what happens to them.
func (l *chunkLedger) send(t testing.TB, sender *memfault.ChunkSender, serial string, chunks ...string) {
	t.Helper()
	for _, chunk := range chunks {
		require.NoError(t, sender.Send(t.Context(), serial, []byte(chunk), l.done(serial, chunk)))
	}
}

// count returns how many chunks were accepted and how many reported. It fails if a done
// function was called twice or out of order.
func (l *chunkLedger) count(t testing.TB) (accepted, reported int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for chunk, results := range l.results {
		require.Len(t, results, 1, chunk)
		if results[0] == nil {
			accepted++
		} else {
			reported++
		}
	}
	for _, order := range l.order {
		require.IsNonDecreasing(t, order)
	}
	return accepted, reported
}

func chunkText(i int) string { return fmt.Sprintf("chunk-%05d", i) }

func chunkTexts(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = chunkText(i)
	}
	return texts
}

// requireInOrder fails unless the chunks arrived in order, each at least once: a batch can
// have been repeated, but nothing of it after its successor.
func requireInOrder(t testing.TB, arrived [][]byte, n int) {
	t.Helper()
	next, seen := 0, map[string]bool{}
	for _, chunk := range arrived {
		text := string(chunk)
		if text == chunkText(next) {
			next++
		} else {
			require.True(t, seen[text], "%s arrived instead of %s", text, chunkText(next))
		}
		seen[text] = true
	}
	require.Equal(t, n, next)
}

// senderOver returns a sender whose requests go to handle, on the clock of a bubble.
func senderOver(t testing.TB, options memfault.ChunkSenderOptions, handle roundTripper, opts ...memfault.Option) *memfault.ChunkSender {
	t.Helper()
	client := newClient(t, memfault.ProjectKey("d3b0"), append(opts, memfault.WithHTTPClient(&http.Client{Transport: handle}))...)
	return client.Chunks.NewSender(options)
}

func serialOf(req *http.Request) string {
	return req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
}

func TestChunkSender_ManyDevicesWithFaults(t *testing.T) {
	const serials, chunks = 1000, 20
	cloud, client := newRelay(t, memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Millisecond, MaxWait: 20 * time.Millisecond}))
	cloud.Fail(memfaulttest.Fault{Drop: true, Every: 100})
	cloud.Fail(memfaulttest.Fault{DropResponse: true, Every: 100})
	cloud.Fail(memfaulttest.Fault{Status: 429, Every: 100})
	cloud.Fail(memfaulttest.Fault{Status: 503, RetryAfter: "0", Every: 100})
	cloud.Fail(memfaulttest.Fault{Status: 500, Every: 100})
	cloud.Fail(memfaulttest.Fault{Delay: 5 * time.Millisecond})
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
	ledger := newChunkLedger()
	for _, chunk := range chunkTexts(chunks) {
		for s := range serials {
			ledger.send(t, sender, fmt.Sprintf("SN-%04d", s), chunk)
		}
	}
	require.NoError(t, sender.Close(t.Context()))
	accepted, reported := ledger.count(t)
	assert.Equal(t, serials*chunks, accepted)
	assert.Zero(t, reported)
	for s := range serials {
		serial := fmt.Sprintf("SN-%04d", s)
		requireInOrder(t, cloud.Chunks(serial), chunks)
		require.Len(t, ledger.order[serial], chunks)
	}
	// newCloud fails the test if two requests of one device ever overlapped.
}

func TestChunkSender_CloseWithPendingChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const serials, chunks = 200, 20
		cloud, client := newCloudInBubble(t)
		client = client.WithAuth(memfault.ProjectKey(projectKey))
		cloud.Fail(memfaulttest.Fault{Drop: true, Every: 50})
		cloud.Fail(memfaulttest.Fault{Status: 503, RetryAfter: "3600", Every: 50})
		cloud.Fail(memfaulttest.Fault{Delay: 5 * time.Millisecond})
		sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{Concurrency: 16, BatchSize: 3})
		ledger := newChunkLedger()
		for _, chunk := range chunkTexts(chunks) {
			for s := range serials {
				ledger.send(t, sender, fmt.Sprintf("SN-%04d", s), chunk)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := sender.Close(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		accepted, reported := ledger.count(t)
		assert.Equal(t, serials*chunks, accepted+reported, "each chunk is reported")
		require.ErrorContains(t, err, fmt.Sprintf(" %d chunks were not accepted", reported))
		assert.NotZero(t, accepted)
		assert.NotZero(t, reported)
		for s := range serials {
			serial := fmt.Sprintf("SN-%04d", s)
			arrived := map[string]bool{}
			for _, chunk := range cloud.Chunks(serial) {
				arrived[string(chunk)] = true
			}
			for _, chunk := range chunkTexts(chunks) {
				if results := ledger.results[serial+" "+chunk]; results[0] == nil {
					assert.True(t, arrived[chunk], "%s of %s was reported as accepted", chunk, serial)
				} else {
					require.ErrorContains(t, results[0], "memfault: the chunk sender was closed before the chunk was accepted: ")
					require.ErrorIs(t, results[0], memfault.ErrNotDelivered)
					require.ErrorIs(t, results[0], memfault.ErrSenderClosed)
				}
			}
		}
		require.ErrorIs(t, sender.Send(t.Context(), "A", []byte{1}, nil), memfault.ErrSenderClosed)
		require.ErrorIs(t, sender.Close(t.Context()), context.DeadlineExceeded, "the same error again")
	})
}

func TestChunkSender_BatchesFillWhileRequestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int64
		sender := senderOver(t, memfault.ChunkSenderOptions{BatchSize: 4, MaxBatchBytes: 4000}, func(req *http.Request) (*http.Response, error) {
			sizes = append(sizes, req.ContentLength)
			time.Sleep(time.Second)
			return newResponse(202, "Accepted")
		})
		for i := range 12 {
			require.NoError(t, sender.Send(t.Context(), "A", make([]byte, 10+i/9*1500), nil))
			synctest.Wait()
		}
		require.NoError(t, sender.Flush(t.Context()))
		require.Len(t, sizes, 5, "1 chunk, 4, 4, 2 because of their size, and 1")
		assert.Equal(t, int64(10), sizes[0])
		for _, size := range sizes {
			assert.LessOrEqual(t, size, int64(4000), "the body of a request")
		}
		require.NoError(t, sender.Close(t.Context()))
	})
}

// A batch is never larger than a request of Upload, so that it succeeds or fails as a whole.
func TestChunkSender_BatchSizeIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parts []int
		sender := senderOver(t, memfault.ChunkSenderOptions{BatchSize: 10_000}, func(req *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(req.Body)
			require.NoError(t, err)
			parts = append(parts, strings.Count(string(body), "Content-Type: application/octet-stream"))
			time.Sleep(time.Second)
			return newResponse(202, "Accepted")
		})
		for range 1201 {
			require.NoError(t, sender.Send(t.Context(), "A", []byte("chunk"), nil))
			synctest.Wait()
		}
		require.NoError(t, sender.Close(t.Context()))
		assert.Equal(t, []int{0, 500, 500, 200}, parts, "a single chunk has no parts")
		assert.Equal(t, int64(4), sender.Stats().Requests)
	})
}

func TestChunkSender_RetryAfterDelaysOneDevice(t *testing.T) {
	for retryAfter, wait := range map[string]time.Duration{
		"300": 300 * time.Second, "7200": time.Hour, "99999999999999999999": time.Hour,
	} {
		for _, status := range []int{429, 503} {
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				sender := senderOver(t, memfault.ChunkSenderOptions{Concurrency: 4}, func(req *http.Request) (*http.Response, error) {
					if serialOf(req) == "HELD" {
						if requests++; requests == 1 {
							return newResponse(status, "", "Retry-After", retryAfter)
						}
					}
					return newResponse(202, "")
				})
				ledger := newChunkLedger()
				for i, serial := range []string{"HELD", "A", "B", "HELD"} {
					ledger.send(t, sender, serial, chunkText(i))
					synctest.Wait()
				}
				assert.Equal(t, 1, sender.Stats().HeldDevices)
				require.NoError(t, sender.Close(t.Context()))
				assert.Zero(t, ledger.times["A "+chunkText(1)])
				assert.Zero(t, ledger.times["B "+chunkText(2)])
				assert.Equal(t, wait, ledger.times["HELD "+chunkText(0)], "also beyond RetryPolicy.MaxWait")
				assert.Equal(t, 3, requests, "the same batch first, then the next one")
			})
		}
	}
}

func TestChunkSender_IsolatesBadChunk(t *testing.T) {
	for _, status := range []int{400, 413} {
		cloud, client := newRelay(t)
		cloud.RejectChunks(func(chunk []byte) int {
			if string(chunk) == chunkText(13) || string(chunk) == chunkText(14) {
				return status
			}
			return 0
		})
		cloud.Fail(memfaulttest.Fault{Delay: 20 * time.Millisecond, Times: 1}) // so that the other chunks are one batch
		sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
		ledger := newChunkLedger()
		ledger.send(t, sender, "A", chunkTexts(40)...)
		require.NoError(t, sender.Close(t.Context()))
		accepted, reported := ledger.count(t)
		assert.Equal(t, 38, accepted)
		assert.Equal(t, 2, reported)
		requireError(t, ledger.results["A "+chunkText(13)][0], status)
		requireError(t, ledger.results["A "+chunkText(14)][0], status)
		var arrived []string
		for _, chunk := range cloud.Chunks("A") {
			arrived = append(arrived, string(chunk))
		}
		assert.Len(t, arrived, 38)
		assert.IsIncreasing(t, arrived)
	}
}

func TestChunkSender_InvalidInput(t *testing.T) {
	cloud, client := newRelay(t)
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{MaxPendingBytes: 4})
	done := func(error) { t.Error("done of a chunk that was not queued") }
	require.ErrorContains(t, sender.Send(t.Context(), "A", nil, done), "empty")
	require.ErrorContains(t, sender.Send(t.Context(), "", []byte{1}, done), "device_serial must not be empty")
	require.ErrorContains(t, sender.Send(t.Context(), "..", []byte{1}, done), "device_serial")
	require.ErrorIs(t, sender.Send(t.Context(), "A", make([]byte, 5), done), memfault.ErrTooLarge)
	for _, sender := range []*memfault.ChunkSender{sender, nil, new(memfault.ChunkSender)} {
		require.ErrorIs(t, sender.Send(nil, "A", []byte{1}, done), memfault.ErrInvalidArgument) //nolint:staticcheck // the mistake that is tested
		require.ErrorIs(t, sender.Flush(nil), memfault.ErrInvalidArgument)                      //nolint:staticcheck // the mistake that is tested
		require.ErrorIs(t, sender.Close(nil), memfault.ErrInvalidArgument)                      //nolint:staticcheck // the mistake that is tested
		sender.Resume()
		assert.Zero(t, sender.Stats())
	}

	token := client.WithAuth(memfault.OrganizationToken("oat_1")).Chunks.NewSender(memfault.ChunkSenderOptions{})
	require.ErrorIs(t, token.Send(t.Context(), "A", []byte{1}, done), memfault.ErrWrongCredential)
	require.NoError(t, token.Flush(t.Context()))
	require.NoError(t, token.Close(t.Context()))
	for _, options := range []memfault.ChunkSenderOptions{
		{BatchSize: -1}, {MaxBatchBytes: -1}, {Concurrency: -1}, {MaxPendingBytes: -1}, {MaxPendingPerDevice: -1}, {GiveUpAfter: -1},
	} {
		invalid := client.Chunks.NewSender(options)
		require.ErrorIs(t, invalid.Send(t.Context(), "A", []byte{1}, done), memfault.ErrInvalidArgument)
		require.ErrorContains(t, invalid.Send(t.Context(), "A", []byte{1}, done), "negative")
	}
	assert.Empty(t, cloud.Requests(""))
}

func TestChunkSender_CopiesChunk(t *testing.T) {
	cloud, client := newRelay(t)
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
	buffer := []byte("first")
	require.NoError(t, sender.Send(t.Context(), "A", buffer, nil))
	copy(buffer, "XXXXX")
	require.NoError(t, sender.Close(t.Context()))
	assert.Equal(t, "first", string(cloud.Chunks("A")[0]))
}

// The requests do not carry the context of a Send: neither its end nor its values.
func TestChunkSender_ContextOfSend(t *testing.T) {
	type key struct{}
	seen := context.Context(nil)
	cloud, client := newRelay(t)
	client = client.WithAuth(authFunc(func(req *http.Request) error {
		seen = req.Context()
		req.Header.Set("Memfault-Project-Key", projectKey)
		return nil
	}))
	sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
	ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, 1))
	require.NoError(t, sender.Send(ctx, "A", []byte("x"), nil))
	cancel(errors.New("the caller moved on"))
	require.NoError(t, sender.Close(t.Context()))
	assert.Len(t, cloud.Chunks("A"), 1)
	assert.Nil(t, seen.Value(key{}))
}

func TestChunkSender_WaitErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sender := senderOver(t, memfault.ChunkSenderOptions{MaxPendingBytes: 1000, MaxPendingPerDevice: 1000}, func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}, memfault.WithTimeout(0))
		ledger := newChunkLedger()
		ledger.send(t, sender, "A", strings.Repeat("x", 600))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, sender.Send(t.Context(), "A", make([]byte, 600), nil), memfault.ErrDeviceFull)
		err := sender.Send(ctx, "B", make([]byte, 600), func(error) { t.Error("the chunk was not queued") })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "memfault: waiting for room for a chunk: ")
		err = sender.Flush(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "memfault: flushing chunks: ")

		flushed := make(chan error)
		go func() { flushed <- sender.Flush(context.Background()) }()
		synctest.Wait()
		closing, stop := context.WithCancelCause(t.Context())
		stop(errors.New("shutdown"))
		err = sender.Close(closing)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "memfault: closing the chunk sender: 1 chunks were not accepted: context canceled: shutdown")
		if err := <-flushed; err != nil { // all chunks may have been reported before it returned
			require.ErrorIs(t, err, memfault.ErrSenderClosed)
		}
		_, reported := ledger.count(t)
		assert.Equal(t, 1, reported)
	})
}

func TestChunkSender_CalledByDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sender := senderOver(t, memfault.ChunkSenderOptions{}, func(*http.Request) (*http.Response, error) { return newResponse(202, "") })
		gate := make(chan struct{})
		require.NoError(t, sender.Send(t.Context(), "A", []byte{1}, func(error) {
			assert.ErrorIs(t, sender.Flush(context.Background()), memfault.ErrInvalidArgument)
			assert.ErrorIs(t, sender.Close(context.Background()), memfault.ErrInvalidArgument)
			assert.NoError(t, sender.Send(context.Background(), "A", []byte{1}, func(error) { <-gate }))
		}))
		synctest.Wait()
		require.ErrorContains(t, sender.Flush(context.Background()), "memfault: flushing chunks: a done function has not returned for 10 s: ")
		err := sender.Close(context.Background())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "memfault: closing the chunk sender: 1 done functions have not returned: ")
		close(gate)
	})
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
