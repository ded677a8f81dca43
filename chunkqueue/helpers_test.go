package chunkqueue

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// testContext ends with the test, and before a hang would.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func openAt(t testing.TB, path string, options Options) *Queue {
	q, err := Open(path, options)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, q.Close()) })
	return q
}

func openNew(t testing.TB, options Options) *Queue {
	return openAt(t, filepath.Join(t.TempDir(), "chunks.db"), options)
}

func addAll(t testing.TB, q *Queue, serial string, chunks ...[]byte) {
	for _, c := range chunks {
		require.NoError(t, q.Add(testContext(t), serial, c))
	}
}

// single returns a chunk that is a message of its own.
func single(n int) []byte { return append([]byte{0x08}, fmt.Sprintf("chunk %d", n)...) }

// message returns the chunks of a message.
func message(n, parts int) [][]byte {
	chunks := make([][]byte, parts)
	for i := range chunks {
		header := []byte{0x80, byte(i)}
		if i == 0 {
			header = []byte{0x08}
		}
		if i < parts-1 {
			header[0] |= 0x40
		}
		chunks[i] = append(header, fmt.Sprintf("message %d part %d", n, i)...)
	}
	return chunks
}

// run runs the queue until the function returned is called.
func run(t testing.TB, q *Queue, service *memfault.ChunksService) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- q.Run(ctx, service) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-result
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// drain delivers until the queue is empty.
func drain(t testing.TB, q *Queue, service *memfault.ChunksService) {
	stop := run(t, q, service)
	require.Eventually(t, func() bool { return q.Stats().Chunks == 0 }, time.Minute, 5*time.Millisecond)
	require.NoError(t, stop())
}

func service(t *testing.T, cloud *memfaulttest.Server) *memfault.ChunksService {
	return cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey())).Chunks
}
