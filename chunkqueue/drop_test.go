package chunkqueue

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

// bound returns a bound for n chunks of the form of c.
func bound(c []byte, n int) int64 {
	r := record{serial: "A", data: c}
	return int64(n)*r.cost() + r.cost()/2
}

func TestFull_Refuse(t *testing.T) {
	q := openNew(t, Options{Full: Refuse, MaxBytesPerDevice: bound(single(0), 3)})
	addAll(t, q, "A", single(0), single(1), single(2))
	require.ErrorIs(t, q.Add(testContext(t), "A", single(3)), ErrFull)
	addAll(t, q, "B", single(4))
	assert.Zero(t, q.Stats().Dropped)
	assert.Equal(t, 4, q.Stats().Chunks)

	q = openNew(t, Options{Full: Refuse, MaxBytes: bound(single(0), 3), MaxBytesPerDevice: 1 << 20})
	addAll(t, q, "A", single(0), single(1))
	addAll(t, q, "B", single(2))
	require.ErrorIs(t, q.Add(testContext(t), "C", single(3)), ErrFull)
}

func TestFull_DropsWholeMessagesOfTheDevice(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	var drops []Drop
	q := openNew(t, Options{
		MaxBytesPerDevice: bound(message(0, 4)[0], 9),
		OnDrop:            func(d Drop) { drops = append(drops, d) },
	})
	addAll(t, q, "B", message(9, 3)...)
	addAll(t, q, "A", message(0, 4)...)
	addAll(t, q, "A", message(1, 4)...)
	addAll(t, q, "A", message(2, 4)...) // drops message 0
	addAll(t, q, "A", single(3), single(4))
	require.Len(t, drops, 2)
	assert.Equal(t, "A", drops[0].Serial)
	assert.Equal(t, 4, drops[0].Chunks)
	assert.Equal(t, int64(8), q.Stats().Dropped)
	drain(t, q, service(t, cloud))
	assert.Equal(t, append(message(2, 4), single(3), single(4)), cloud.Chunks("A"))
	assert.Equal(t, message(9, 3), cloud.Chunks("B"))
}

// A message that is longer than the bound is dropped with its last chunks, which come later, also
// after a restart.
func TestFull_DropsTheEndOfADroppedMessage(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	path := filepath.Join(t.TempDir(), "chunks.db")
	long := message(0, 9)
	options := Options{MaxBytesPerDevice: bound(long[0], 5)}
	q, err := Open(path, options)
	require.NoError(t, err)
	addAll(t, q, "A", long[:7]...)
	assert.Zero(t, q.Stats().Chunks)
	require.NoError(t, q.Close())
	q = openAt(t, path, options)
	addAll(t, q, "A", long[7:]...)
	addAll(t, q, "A", message(1, 3)...)
	assert.Equal(t, int64(9), q.Stats().Dropped)
	drain(t, q, service(t, cloud))
	assert.Equal(t, message(1, 3), cloud.Chunks("A"))
}

// The rest of a message that was delivered in part is dropped last.
func TestFull_SparesAMessageThatHasBegun(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	begun := message(0, 6)
	q := openNew(t, Options{MaxBytesPerDevice: bound(begun[1], 8)})
	addAll(t, q, "A", begun[:3]...)
	drain(t, q, service(t, cloud))
	addAll(t, q, "A", begun[3:]...)
	addAll(t, q, "A", message(1, 3)...)
	addAll(t, q, "A", message(2, 3)...) // drops message 1
	addAll(t, q, "A", message(3, 3)...) // drops message 2
	drain(t, q, service(t, cloud))
	assert.Equal(t, append(message(0, 6), message(3, 3)...), cloud.Chunks("A"))
	assert.Equal(t, int64(6), q.Stats().Dropped)
}

func TestFull_OfAllDevicesDropsTheLargest(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	q := openNew(t, Options{MaxBytes: bound(single(0), 5), MaxBytesPerDevice: bound(single(0), 5)})
	addAll(t, q, "A", single(0), single(1), single(2))
	addAll(t, q, "B", single(3), single(4))
	addAll(t, q, "C", single(5)) // has nothing to drop: A has most
	addAll(t, q, "C", single(6)) // drops its own
	drain(t, q, service(t, cloud))
	assert.Equal(t, [][]byte{single(1), single(2)}, cloud.Chunks("A"))
	assert.Equal(t, [][]byte{single(3), single(4)}, cloud.Chunks("B"))
	assert.Equal(t, [][]byte{single(6)}, cloud.Chunks("C"))
}

// Whatever is added, dropped and delivered at the same time: each message arrives in order
// and without a gap, and the counts are right.
func TestFull_WithDeliveries(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Share: 0.3, Status: 503})
	q := openNew(t, Options{MaxBytesPerDevice: bound(message(10, 2)[1], 12), Sync: 1})
	stop := run(t, q, service(t, cloud))
	random := rand.New(rand.NewPCG(1, 2))
	added := 0
	sent := map[string][][]byte{}
	for n := range 300 {
		serial := fmt.Sprintf("DEVICE%d", random.IntN(3))
		for _, c := range message(n, 1+random.IntN(6)) {
			added++
			sent[serial] = append(sent[serial], c)
			addAll(t, q, serial, c)
		}
		if n%10 == 0 {
			require.NoError(t, q.Flush(testContext(t)))
		}
	}
	require.NoError(t, q.Flush(testContext(t)))
	require.NoError(t, stop())
	cloud.Heal()
	drain(t, q, service(t, cloud))
	stats := q.Stats()
	assert.Equal(t, int64(added), stats.Delivered+stats.Dropped)
	assert.Positive(t, stats.Dropped)
	for serial, want := range sent {
		highest := -1
		seen := map[int]bool{}
		for _, c := range cloud.Chunks(serial) {
			at := slices.IndexFunc(want, func(w []byte) bool { return string(w) == string(c) })
			if !seen[at] {
				require.Greater(t, at, highest, "the order of what arrives first")
				highest = at
			}
			seen[at] = true
		}
		for _, damage := range damages(cloud.Chunks(serial)) {
			t.Errorf("%s: %s", serial, damage)
		}
	}
}

// damages returns the messages that arrived with a gap. The end of a message can be missing, if its
// beginning was being sent when there was no room for the end.
func damages(chunks [][]byte) (found []string) {
	arrived := map[string]bool{}
	for _, c := range chunks {
		arrived[string(c)] = true
	}
	parts := map[string]int{}
	total := map[string]int{}
	for c := range arrived {
		first, _ := span([]byte(c))
		start := 2
		if first {
			start = 1
		}
		var n, part int
		if _, err := fmt.Sscanf(c[start:], "message %d part %d", &n, &part); err != nil {
			return []string{err.Error()}
		}
		parts[fmt.Sprint(n)]++
		total[fmt.Sprint(n)] = max(total[fmt.Sprint(n)], part+1)
	}
	for n := range parts {
		if parts[n] != total[n] {
			found = append(found, fmt.Sprintf("message %s: %d of %d chunks", n, parts[n], total[n]))
		}
	}
	return found
}
