package deliver

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReply(t *testing.T) {
	for _, subject := range []string{
		"$JS.ACK.CHUNKS.p7-123.1.4711.42.1700000000000000000.17",
		"$JS.ACK.domain.hash.CHUNKS.p7-123.1.4711.42.1700000000000000000.17",
		"$JS.ACK.domain.hash.CHUNKS.p7-123.1.4711.42.1700000000000000000.17.random",
	} {
		r, err := newReply(subject)
		require.NoError(t, err)
		assert.Equal(t, subject, r.subject(chunk{sequence: 4711, consumer: 42, time: 1700000000000000000}))
		assert.Equal(t, strings.NewReplacer("4711", "1", ".42.", ".2.", "1700000000000000000", "3").Replace(subject), r.subject(chunk{sequence: 1, consumer: 2, time: 3}))
	}
	for _, subject := range []string{"", "x", "$JS.ACK.CHUNKS.p7-123.1.4711", "$JS.ACK.CHUNKS.p7-123.2.4711.42.1700000000000000000.17"} {
		_, err := newReply(subject)
		require.Error(t, err, subject)
	}
}

// There can be as many chunks as the store has room for.
func TestChunk_IsSmall(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(chunk{}), uintptr(32))
}

func TestBudget_LeavesMemoryForHealthyDevices(t *testing.T) {
	const size = 1000
	count := func(b *Budget, of health, first bool) (n int) {
		for b.acquire(size, of, first) {
			n++
		}
		return n
	}
	b := NewBudget(800 * (size + Overhead))
	assert.Equal(t, 400, count(b, sick, false))
	assert.Zero(t, count(b, untried, false))
	assert.Equal(t, 200, count(b, sick, true))
	assert.Equal(t, 100, count(NewBudget(100*(size+Overhead)), untried, true))
	assert.Equal(t, 200, count(b, healthy, false))
	for range 100 {
		b.release(size)
	}
	assert.Zero(t, count(b, sick, true))
	assert.Equal(t, 100, count(b, untried, true))
}
