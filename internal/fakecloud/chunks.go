package fakecloud

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"

	"github.com/memfault-go/memfault/internal/operation"
)

func (c *Cloud) chunkHandlers() map[operation.ID]handler {
	return map[operation.ID]handler{operation.ChunksUpload: c.uploadChunks}
}

// RefuseChunks makes the cloud answer a request that holds a chunk for which refuse
// returns a status with that status, and take nothing of it.
func (c *Cloud) RefuseChunks(refuse func(chunk []byte) (status int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuseChunk = refuse
}

// Chunks returns the chunks that were accepted for a device of the project that New
// makes, in their order, repeated ones too.
func (c *Cloud) Chunks(serial string) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.defaultProject().chunks[serial])
}

// uploadChunks refuses in the order that is known: the key, before this handler; then
// the length, the type, and the content.
func (c *Cloud) uploadChunks(r *request) reply {
	if r.ContentLength <= 0 {
		return fail(http.StatusLengthRequired, "Content-Length must be set.")
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var chunks [][]byte
	switch {
	case err == nil && kind == "application/octet-stream":
		chunks = [][]byte{r.body}
	case err == nil && kind == "multipart/mixed":
		if chunks, err = splitChunks(r.body, params["boundary"]); err != nil {
			return fail(http.StatusBadRequest, err.Error())
		}
	default:
		return fail(http.StatusUnsupportedMediaType, "Unsupported content type")
	}
	for _, chunk := range chunks {
		if c.refuseChunk == nil {
			break
		}
		if status := c.refuseChunk(chunk); status != 0 {
			return fail(status, "a chunk was refused")
		}
	}
	if r.project.chunks == nil {
		r.project.chunks = map[string][][]byte{}
	}
	serial := r.PathValue("device_serial")
	r.project.chunks[serial] = append(r.project.chunks[serial], chunks...)
	return reply{status: http.StatusAccepted, header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}, body: []byte("Accepted")}
}

// splitChunks takes a multipart body apart. Each part needs its Content-Length, and
// lines end in CRLF.
func splitChunks(body []byte, boundary string) ([][]byte, error) {
	if boundary == "" || !bytes.HasSuffix(body, []byte("\r\n--"+boundary+"--\r\n")) {
		return nil, errors.New("the multipart body does not end")
	}
	var chunks [][]byte
	for parts := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return chunks, nil
		}
		if err != nil {
			return nil, err
		}
		chunk, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		if length, err := strconv.Atoi(part.Header.Get("Content-Length")); err != nil || length != len(chunk) || length == 0 {
			return nil, errors.New("the Content-Length of a part is missing or wrong")
		}
		chunks = append(chunks, chunk)
	}
}
