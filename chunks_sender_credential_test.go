package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func newRotatingSender(t testing.TB, gate *gatekeeper, key func(context.Context) (string, error), options memfault.ChunkSenderOptions, opts ...memfault.Option) *memfault.ChunkSender {
	t.Helper()
	gate.status = 403
	if gate.serve == nil {
		gate.serve = func(*http.Request) (*http.Response, error) { return newResponse(202, "") }
	}
	return gate.client(t, memfault.ProjectKeyFunc(key), opts...).Chunks.NewSender(options)
}

// A sender whose key was rejected for an hour continues within about a second of a new key.
func TestChunkSender_PauseEndsWithChangedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, gate := newVault("old-key"), &gatekeeper{valid: "new-key"}
		var pauses []error
		sender := newRotatingSender(t, gate, keys.get, memfault.ChunkSenderOptions{OnPause: func(err error) { pauses = append(pauses, err) }})
		ledger := newChunkLedger()
		for s := range 10 {
			ledger.send(t, sender, fmt.Sprint(s), chunkTexts(3)...)
		}
		time.Sleep(time.Hour + 500*time.Millisecond)
		require.ErrorIs(t, sender.Stats().Paused, memfault.ErrForbidden)
		require.Len(t, pauses, 1)
		assert.Less(t, len(gate.requests()), 60)
		assert.InDelta(t, 3600, keys.count(), 120, "about once a second")
		keys.set("new-key")
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		require.NoError(t, sender.Stats().Paused)
		require.NoError(t, sender.Close(t.Context()))
		accepted, _ := ledger.count(t)
		assert.Equal(t, 30, accepted)
	})
}

// Another wrong key costs a few probes, with growing waits, not one each second.
func TestChunkSender_ChangedKeyIsRejectedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, gate := newVault("old-key"), &gatekeeper{valid: "new-key"}
		sender := newRotatingSender(t, gate, keys.get, memfault.ChunkSenderOptions{})
		require.NoError(t, sender.Send(t.Context(), "A", []byte{1}, nil))
		time.Sleep(time.Hour)
		before := len(gate.requests())
		keys.set("other-key")
		time.Sleep(1100 * time.Millisecond)
		assert.Contains(t, gate.requests()[before:], "other-key")
		assert.LessOrEqual(t, len(gate.requests()), before+3)
		time.Sleep(10 * time.Minute)
		assert.Less(t, len(gate.requests()), before+15)
		keys.set("new-key")
		require.NoError(t, sender.Close(t.Context()))
	})
}

// A function that returns another wrong key each time costs a few probes more, not two each
// second.
func TestChunkSender_AnotherWrongKeyEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, valid atomic.Int64
		gate := &gatekeeper{valid: "valid"}
		sender := newRotatingSender(t, gate, func(context.Context) (string, error) {
			if valid.Load() > 0 {
				return "valid", nil
			}
			return fmt.Sprint("wrong-", asked.Add(1)), nil
		}, memfault.ChunkSenderOptions{})
		require.NoError(t, sender.Send(t.Context(), "A", []byte{1}, nil))
		time.Sleep(time.Hour)
		assert.LessOrEqual(t, len(gate.requests()), 60)
		assert.LessOrEqual(t, asked.Load(), int64(80))
		valid.Store(1)
		start := time.Now()
		require.NoError(t, sender.Close(t.Context()))
		assert.LessOrEqual(t, time.Since(start), 5*time.Minute)
	})
}

// The responses to other calls with the same credential do not hide the change.
func TestChunkSender_OtherCallsSeeChangedKeyFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, gate := newVault("old-key"), &gatekeeper{valid: "new-key", status: 403}
		gate.serve = func(*http.Request) (*http.Response, error) { return newResponse(202, "") }
		client := gate.client(t, memfault.ProjectKeyFunc(keys.get))
		sender := client.Chunks.NewSender(memfault.ChunkSenderOptions{})
		require.NoError(t, sender.Send(t.Context(), "A", []byte{1}, nil))
		time.Sleep(time.Hour + 500*time.Millisecond)
		keys.set("new-key")
		require.NoError(t, client.Chunks.Upload(t.Context(), "B", [][]byte{{1}}))
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		require.NoError(t, sender.Stats().Paused)
		require.NoError(t, sender.Close(t.Context()))
	})
}

// A function that fails pauses the sender, until the function succeeds.
func TestChunkSender_KeyFunctionFails(t *testing.T) {
	for name, fail := range map[string]func() (string, error){
		"error": func() (string, error) { return "", errors.New("the vault is sealed") },
		"panic": func() (string, error) { panic("s3cret") },
		"empty": func() (string, error) { return "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sealed atomic.Bool
				sealed.Store(true)
				gate := &gatekeeper{valid: "new-key"}
				sender := newRotatingSender(t, gate, func(context.Context) (string, error) {
					if sealed.Load() {
						return fail()
					}
					return "new-key", nil
				}, memfault.ChunkSenderOptions{})
				ledger := newChunkLedger()
				ledger.send(t, sender, "A", chunkTexts(3)...)
				time.Sleep(time.Hour + 500*time.Millisecond)
				require.Error(t, sender.Stats().Paused)
				assert.NotContains(t, sender.Stats().Paused.Error(), "s3cret")
				assert.Empty(t, gate.requests())
				sealed.Store(false)
				time.Sleep(1100 * time.Millisecond)
				synctest.Wait()
				require.NoError(t, sender.Stats().Paused)
				require.NoError(t, sender.Close(t.Context()))
				accepted, _ := ledger.count(t)
				assert.Equal(t, 3, accepted)
			})
		})
	}
}

// If the sender is paused for a reason other than the key, it does not ask for the key.
func TestChunkSender_KeyIsNotAskedForOtherPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, gate := newVault("key"), &gatekeeper{valid: "key"}
		sender := newRotatingSender(t, gate, keys.get, memfault.ChunkSenderOptions{},
			memfault.WithRateLimiter(brokenLimiter{time.Now().Add(time.Hour)}))
		require.NoError(t, sender.Send(t.Context(), "A", []byte{1}, nil))
		time.Sleep(time.Hour - time.Second)
		assert.Zero(t, keys.count())
		assert.Less(t, sender.Stats().Requests, int64(30))
		require.NoError(t, sender.Close(t.Context()))
	})
}

// A function that blocks holds up neither Close nor the deadline of the chunks.
func TestChunkSender_KeyFunctionBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		sender := newRotatingSender(t, &gatekeeper{valid: "new-key"}, func(ctx context.Context) (string, error) {
			if asked.Add(1) <= 2 {
				return "old-key", nil
			}
			<-ctx.Done()
			return "", ctx.Err()
		}, memfault.ChunkSenderOptions{})
		ledger := newChunkLedger()
		ledger.send(t, sender, "A", "1")
		time.Sleep(10 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, sender.Close(ctx), context.DeadlineExceeded)
		assert.LessOrEqual(t, time.Since(start), 2*time.Second)
		_, reported := ledger.count(t)
		assert.Equal(t, 1, reported)
	})
}

// Keys that rotate while a sender runs cost neither a chunk nor a pause.
func TestChunkSender_RotationWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, gate := newVault("key-0"), &gatekeeper{valid: "key-0"}
		var pauses atomic.Int64
		gate.serve = func(*http.Request) (*http.Response, error) {
			time.Sleep(20 * time.Millisecond)
			return newResponse(202, "")
		}
		sender := newRotatingSender(t, gate, func(ctx context.Context) (string, error) {
			time.Sleep(time.Millisecond)
			return keys.get(ctx)
		}, memfault.ChunkSenderOptions{OnPause: func(error) { pauses.Add(1) }})
		ledger := newChunkLedger()
		for i := range 50 {
			for s := range 200 {
				ledger.send(t, sender, fmt.Sprint(s), chunkText(i))
			}
			time.Sleep(13 * time.Millisecond)
			if i%5 == 0 {
				key := fmt.Sprint("key-", i)
				gate.set(key)
				keys.set(key)
			}
		}
		require.NoError(t, sender.Close(t.Context()))
		accepted, _ := ledger.count(t)
		assert.Equal(t, 10_000, accepted)
		assert.Zero(t, pauses.Load())
	})
}
