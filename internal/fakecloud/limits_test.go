package fakecloud

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/operation"
)

func TestRequests_Limits(t *testing.T) {
	c := New()
	list, upload := operation.DevicesList, operation.UploadCommitMAR.Name
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/first", nil)
	first, done := c.begin(list, r)
	done()
	for range maxRequests {
		c.recorder.keep(&Request{Operation: upload})
	}
	assert.Len(t, c.Requests(""), maxRequests)
	assert.Empty(t, c.Requests(list.Name), "the oldest goes first")
	assert.Equal(t, 1, c.RequestCount(list.Name))
	assert.Equal(t, maxRequests+1, c.RequestCount(""))
	c.keepBody(first, []byte("late"))
	assert.Zero(t, c.recorder.bodies, "nothing is kept of a forgotten request")

	c = New()
	body := bytes.Repeat([]byte("x"), maxRequestBody)
	for range maxRequestBodies/maxRequestBody + 5 {
		record, done := c.begin(list, r)
		c.keepBody(record, body)
		done()
	}
	require.Len(t, c.Requests(""), maxRequestBodies/maxRequestBody)
	assert.Equal(t, maxRequestBodies, c.recorder.bodies)
}

func TestChunks_Limit(t *testing.T) {
	c := New()
	c.maxChunks = 10
	p := c.seeded
	c.keepChunks(p, "A", [][]byte{[]byte("11111"), []byte("22")})
	c.keepChunks(p, "B", [][]byte{[]byte("333")})
	assert.Len(t, c.Chunks("A"), 2)
	c.keepChunks(p, "B", [][]byte{[]byte("4")})
	assert.Equal(t, [][]byte{[]byte("22")}, c.Chunks("A"), "the oldest goes first")
	assert.Equal(t, [][]byte{[]byte("333"), []byte("4")}, c.Chunks("B"))
	c.keepChunks(p, "A", [][]byte{[]byte("55555555555")})
	assert.Empty(t, c.Chunks("A"), "larger than the limit")
	assert.Zero(t, c.chunkBytes)
	assert.Len(t, p.processingLog.entries, 5, "one entry for each chunk that was dropped")
}

func TestChunkWatch_Limit(t *testing.T) {
	w, device := newChunkWatch(), watchedDevice{serial: "A"}
	var chunks [][]byte
	for i := range maxWaiting + 5 {
		chunks = append(chunks, []byte{byte(i), byte(i >> 8)})
	}
	w.failed(device, chunks)
	assert.Len(t, w.waiting[device], maxWaiting)
}

func TestMessages_OldestAreDropped(t *testing.T) {
	c := New()
	large := &chunk.Message{Type: chunk.MessageRecording, Payload: make([]byte, maxMessages/4)}
	for i := range 5 {
		serial := []string{"A", "B"}[i%2]
		c.keepMessage(c.seeded, serial, c.seeded.decoder(serial), large)
	}
	assert.Equal(t, []int{2, 1}, []int{len(c.Messages("A")), len(c.Messages("B"))}, "each has a little overhead")
	assert.LessOrEqual(t, c.messageBytes, maxMessages)
}

func TestApplyEvent_OldestAreDropped(t *testing.T) {
	c := New()
	for i := range maxKept + 10 {
		c.applyEvent(c.seeded, "A", &chunk.Event{Type: chunk.EventTrace, Trace: &chunk.Trace{Reboot: true, Reason: i % 2 * firstError}})
	}
	assert.Len(t, c.seeded.diagnostics.events, maxKept)
	assert.Len(t, c.seeded.device("A").reboots, maxKeptDevice)
	assert.Len(t, c.seeded.diagnostics.issues, 1)
}
