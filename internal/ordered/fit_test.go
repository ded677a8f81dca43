package ordered_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/ordered"
)

// relay sends n items of one device to a service that returns kind for a batch that rejects
// reports, and returns the items that were reported and the number of requests.
func relay(t *testing.T, n int, content func(i int) []byte, rejects func(items [][]byte) bool) (reported []int, requests int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := newSender(func(_ context.Context, _ string, items [][]byte) ordered.Outcome {
			<-gate
			if rejects(items) {
				return outcome(ordered.TooMuch)
			}
			return ordered.Outcome{}
		})
		for i := range n {
			require.NoError(t, s.Send(t.Context(), "A", content(i), func(err error) {
				if err != nil {
					reported = append(reported, i)
				}
			}))
		}
		close(gate)
		requireClosed(t, s)
		requests = s.Stats().Requests
	})
	return reported, requests
}

func text(i int) []byte { return fmt.Appendf(nil, "%05d", i) }

func TestFit_RoomForTenItems(t *testing.T) {
	reported, requests := relay(t, 10_000, text, func(items [][]byte) bool { return len(items) > 10 })
	assert.Empty(t, reported)
	assert.LessOrEqual(t, requests, int64(1_012))
	t.Logf("%d requests, at least 1000 are needed", requests)
}

func TestFit_RoomForBytes(t *testing.T) {
	size := func(i int) int { return 10 + i%7*300 }
	reported, requests := relay(t, 5_000, func(i int) []byte { return make([]byte, size(i)) }, func(items [][]byte) bool {
		total := 0
		for _, item := range items {
			total += len(item)
		}
		return total > 20_000
	})
	assert.Empty(t, reported)
	needed := int64(5_000 * 910 / 20_000)
	assert.LessOrEqual(t, requests, needed*3/2)
	t.Logf("%d requests, at least %d are needed", requests, needed)
}

func TestFit_RoomChanges(t *testing.T) {
	room, requests := 10, 0
	reported, total := relay(t, 20_000, text, func(items [][]byte) bool {
		switch requests++; requests {
		case 200:
			room = 3
		case 600:
			room = 1000
		}
		return len(items) > room
	})
	assert.Empty(t, reported)
	// 200 requests of 10, 400 of 3, and 168 of 100, had the sender known it.
	assert.LessOrEqual(t, total, int64(768*5/4))
	t.Logf("%d requests, about 768 are needed", total)
}

func TestFit_ItemsAtFault(t *testing.T) {
	tests := map[string]struct {
		bad  func(i int) bool
		most int64 // requests for 1000 items
	}{
		"none":       {func(int) bool { return false }, 11},
		"one":        {func(i int) bool { return i == 260 }, 11 + 24},
		"the first":  {func(i int) bool { return i == 0 }, 11 + 10},
		"two":        {func(i int) bool { return i == 13 || i == 14 }, 11 + 30},
		"each 100th": {func(i int) bool { return i%100 == 50 }, 11 + 10*24},
		"each third": {func(i int) bool { return i%3 == 0 }, 1400},
		"all":        {func(int) bool { return true }, 1000 + 10},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bad := map[string]bool{}
			var want []int
			for i := range 1000 {
				if test.bad(i) {
					bad[string(text(i))] = true
					want = append(want, i)
				}
			}
			reported, requests := relay(t, 1000, text, func(items [][]byte) bool {
				for _, item := range items {
					if bad[string(item)] {
						return true
					}
				}
				return false
			})
			assert.Equal(t, want, reported)
			assert.LessOrEqual(t, requests, test.most)
			t.Logf("%d requests for 1000 items, %d of them at fault", requests, len(want))
		})
	}
}

// Items at fault among requests that have room for ten items.
func TestFit_ItemsAtFaultAndRoomForTen(t *testing.T) {
	bad := map[string]bool{string(text(77)): true, string(text(501)): true}
	reported, requests := relay(t, 1000, text, func(items [][]byte) bool {
		for _, item := range items {
			if bad[string(item)] {
				return true
			}
		}
		return len(items) > 10
	})
	assert.Equal(t, []int{77, 501}, reported)
	assert.LessOrEqual(t, requests, int64(160))
	t.Logf("%d requests for 1000 items", requests)
}
