package fakecloud

import (
	"hash/maphash"
	"net/http"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// maxWaiting limits the chunks that chunkWatch remembers of one device. The oldest go first. Of
// the accepted ones, it remembers at least so many.
const maxWaiting = 10_000

// chunkWatch watches whether a client sends the chunks of a device in order. What they contain
// does not show the order of whole messages, so it watches retries: it remembers the chunks of
// requests that failed and may be retried. If another chunk is accepted first, those before it are
// overtaken. If an overtaken chunk is accepted after all, the client changed the order. A chunk
// that was accepted before overtakes none: a relay that was killed sends again what it had not
// noted as accepted.
//
// It compares content, so it cannot distinguish two chunks with the same content. If a client
// drops a chunk after another one overtook it, and the device then sends the same bytes again,
// a violation is reported that did not happen.
type chunkWatch struct {
	seed    maphash.Seed
	waiting map[watchedDevice][]waitingChunk
	done    map[watchedDevice]*doneChunks
}

// doneChunks are the hashes of the last chunks of a device that were accepted.
type doneChunks struct{ recent, older map[uint64]bool }

func (d *doneChunks) add(hash uint64) {
	if len(d.recent) >= maxWaiting {
		d.recent, d.older = nil, d.recent
	}
	if d.recent == nil {
		d.recent = map[uint64]bool{}
	}
	d.recent[hash] = true
}

func (d *doneChunks) has(hash uint64) bool { return d != nil && (d.recent[hash] || d.older[hash]) }

type watchedDevice struct {
	project *project
	serial  string
}

type waitingChunk struct {
	hash      uint64
	overtaken bool
}

func newChunkWatch() chunkWatch {
	return chunkWatch{seed: maphash.MakeSeed(), waiting: map[watchedDevice][]waitingChunk{}, done: map[watchedDevice]*doneChunks{}}
}

func (w *chunkWatch) hashes(chunks [][]byte) []uint64 {
	var all []uint64
	for _, chunk := range chunks {
		all = append(all, maphash.Bytes(w.seed, chunk))
	}
	return all
}

// find returns the index of a waiting chunk, or -1. It prefers a chunk that is not overtaken.
func find(waiting []waitingChunk, hash uint64) int {
	if at := slices.Index(waiting, waitingChunk{hash: hash}); at >= 0 {
		return at
	}
	return slices.Index(waiting, waitingChunk{hash: hash, overtaken: true})
}

// failed remembers the chunks of a request that may be retried. A chunk that waits already is a
// retry of the same one.
func (w *chunkWatch) failed(device watchedDevice, chunks [][]byte) {
	waiting := w.waiting[device]
	unmatched := slices.Clone(waiting)
	for _, hash := range w.hashes(chunks) {
		if at := find(unmatched, hash); at >= 0 {
			unmatched = slices.Delete(unmatched, at, at+1)
			continue
		}
		if w.done[device].has(hash) {
			continue
		}
		waiting = append(waiting, waitingChunk{hash: hash})
	}
	w.waiting[device] = waiting[max(0, len(waiting)-maxWaiting):]
}

// rejected forgets the chunks of a request that must not be retried.
func (w *chunkWatch) rejected(device watchedDevice, chunks [][]byte) {
	for _, hash := range w.hashes(chunks) {
		if at := find(w.waiting[device], hash); at >= 0 {
			w.remove(device, at)
		}
	}
}

func (w *chunkWatch) remove(device watchedDevice, at int) {
	if w.waiting[device] = slices.Delete(w.waiting[device], at, at+1); len(w.waiting[device]) == 0 {
		delete(w.waiting, device)
	}
}

// accepted reports whether the chunks of a request arrived in order.
func (w *chunkWatch) accepted(device watchedDevice, chunks [][]byte) bool {
	inOrder := true
	done := w.done[device]
	if done == nil {
		done = &doneChunks{}
		w.done[device] = done
	}
	for _, hash := range w.hashes(chunks) {
		waiting := w.waiting[device]
		at := find(waiting, hash)
		repeated := at < 0 && done.has(hash)
		done.add(hash)
		if repeated {
			continue
		}
		before := at
		if at < 0 {
			before = len(waiting)
		}
		if at < 0 || !waiting[at].overtaken {
			for i := range waiting[:before] {
				waiting[i].overtaken = true
			}
		}
		if at >= 0 {
			inOrder = inOrder && !waiting[at].overtaken
			w.remove(device, at)
		}
	}
	return inOrder
}

func (c *Cloud) acceptedInOrder(p *project, serial string, chunks [][]byte) {
	if !c.watch.accepted(watchedDevice{p, serial}, chunks) {
		c.recorder.addViolation("chunks of " + serial + " out of order")
	}
}

// watchFailure records a request whose chunks were not accepted. The status is 0 if the
// request got no response.
func (c *Cloud) watchFailure(op *operation.Operation, r *http.Request, body []byte, status int) {
	if op.Name != operation.ChunksUpload.Name || status/100 == 2 {
		return
	}
	chunks, refused := chunksIn(r.Header, body)
	c.mu.Lock()
	defer c.mu.Unlock()
	device := watchedDevice{c.byProjectKey(r.Header.Get(projectKeyHeader)).project, r.PathValue("device_serial")}
	switch {
	case device.project == nil || refused.status != 0:
	case status == 0 || status == http.StatusTooManyRequests || status >= 500:
		c.watch.failed(device, chunks)
	default:
		c.watch.rejected(device, chunks)
	}
}
