package fakecloud

import (
	"encoding/base64"
	"mime"
	"net/http"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// maxChunks limits the bytes of chunks that the cloud keeps, over all projects.
const maxChunks = 256 << 20

// chunkLog contains the accepted chunks of a project, by serial.
type chunkLog map[string][][]byte

// keptChunk identifies the device of the next oldest chunk.
type keptChunk struct {
	project *project
	serial  string
}

func (c *Cloud) chunkHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{operation.ChunksUpload: c.uploadChunks}
}

// RejectChunks sets a function that decides which chunks the cloud rejects. If reject returns
// a status other than 0 for a chunk, the cloud responds with that status and accepts no chunk
// of the request.
func (c *Cloud) RejectChunks(reject func(chunk []byte) (status int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejectChunk = reject
}

// Chunks returns the chunks that the cloud accepted for a device of the default project, in
// the order of arrival. A chunk that arrived twice is contained twice. The cloud keeps at most
// 256 MiB of chunks in all; the oldest go first.
func (c *Cloud) Chunks(serial string) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seeded.chunks[serial])
}

// uploadChunks does its checks in the known order: the project key first, before this
// handler, and then the length, the content type and the content.
//
// UNCERTAIN(chunks-transfer-encoding): whether Memfault accepts a body of unknown length, in chunked
// transfer encoding. A public relay sends it, so the fake cloud accepts it; another program of
// Memfault avoids it on purpose, and so does the client.
func (c *Cloud) uploadChunks(r *request) reply {
	if len(r.body) == 0 {
		return fail(http.StatusLengthRequired, "Content-Length must be set.")
	}
	chunks, refused := chunksIn(r.Header, r.body)
	if refused.status != 0 {
		return refused
	}
	for _, chunk := range chunks {
		if c.rejectChunk == nil {
			break
		}
		if status := c.rejectChunk(chunk); status != 0 {
			return fail(status, "A chunk was rejected")
		}
	}
	serial := r.PathValue("device_serial")
	c.received(r.project, traits{serial: serial}, false)
	c.acceptedInOrder(r.project, serial, chunks)
	c.keepChunks(r.project, serial, chunks)
	for _, chunk := range chunks {
		c.decodeChunk(r.project, serial, chunk)
	}
	return reply{status: http.StatusAccepted, header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}, body: []byte("Accepted")}
}

func (c *Cloud) keepChunks(p *project, serial string, chunks [][]byte) {
	if p.chunks == nil {
		p.chunks = chunkLog{}
	}
	for _, chunk := range chunks {
		p.chunks[serial] = append(p.chunks[serial], chunk)
		c.chunkOrder = append(c.chunkOrder, keptChunk{p, serial})
		c.chunkBytes += len(chunk)
	}
	for c.chunkBytes > c.maxChunks {
		oldest := c.chunkOrder[0]
		left := oldest.project.chunks[oldest.serial]
		c.logProcessing(oldest.project, ProcessingLogEntry{DeviceSerial: oldest.serial, Message: "A chunk was dropped to keep others"})
		c.chunkBytes -= len(left[0])
		left[0] = nil
		oldest.project.chunks[oldest.serial] = left[1:]
		c.chunkOrder = c.chunkOrder[1:]
	}
}

// chunksIn returns the chunks of a request, or the response that rejects it.
func chunksIn(header http.Header, body []byte) ([][]byte, reply) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/octet-stream":
		chunk, err := decodeChunk(header.Get("Content-Encoding"), body)
		if err != nil {
			return nil, fail(http.StatusBadRequest, err.Error())
		}
		return [][]byte{chunk}, reply{}
	case err == nil && kind == "multipart/mixed":
		chunks, err := splitChunks(body, params["boundary"])
		if err != nil {
			return nil, fail(http.StatusBadRequest, err.Error())
		}
		return chunks, reply{}
	}
	return nil, fail(http.StatusUnsupportedMediaType, "Unsupported content type")
}

// decodeChunk decodes the body of a request with a single chunk. Other encodings than base64
// are ignored.
//
// UNCERTAIN(chunks-base64-multipart): whether base64 is decoded in a multipart request too; the
// fake cloud does not.
func decodeChunk(encoding string, body []byte) ([]byte, error) {
	if encoding != "base64" {
		return slices.Clone(body), nil
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(decoded, body)
	return decoded[:n], err
}
