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

// RefuseChunks sets a function that decides which chunks the cloud rejects. If refuse
// returns a status other than 0 for a chunk, the cloud responds with that status and accepts
// no chunk of the request.
func (c *Cloud) RefuseChunks(refuse func(chunk []byte) (status int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuseChunk = refuse
}

// Chunks returns the chunks that the cloud accepted for a device of the default project, in
// the order of arrival. A chunk that arrived twice is contained twice.
func (c *Cloud) Chunks(serial string) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.defaultProject().chunks[serial])
}

// uploadChunks does its checks in the known order: the project key first, before this
// handler, and then the length, the content type and the content.
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
			return fail(status, "A chunk was rejected")
		}
	}
	if r.project.chunks == nil {
		r.project.chunks = map[string][][]byte{}
	}
	serial := r.PathValue("device_serial")
	r.project.chunks[serial] = append(r.project.chunks[serial], chunks...)
	return reply{status: http.StatusAccepted, header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}, body: []byte("Accepted")}
}

// splitChunks returns the parts of a multipart body. Each part must have a Content-Length,
// and lines must end with CRLF.
func splitChunks(body []byte, boundary string) ([][]byte, error) {
	if boundary == "" || !bytes.HasSuffix(body, []byte("\r\n--"+boundary+"--\r\n")) {
		return nil, errors.New("the multipart body has no closing boundary")
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
			return nil, errors.New("missing or wrong Content-Length of a part")
		}
		chunks = append(chunks, chunk)
	}
}
