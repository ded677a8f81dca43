package memfault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// ChunksService relays chunks: the pieces, opaque to all but Memfault, in which the
// firmware SDK hands out what a device recorded. It takes a project key.
type ChunksService struct{ client *Client }

// Upload sends chunks of one device, in their order, in one request: a single one
// as it is, several as multipart/mixed. Memfault wants the chunks of a device one
// request after the other, in the order in which its packetizer made them; see
// NewSender, which keeps both for many devices. A repeated chunk does no harm, so a
// lost request is sent again.
//
// Success means that Memfault queued the chunks, not that it could read them. A
// chunk cannot be empty; a short one is valid, because a message may end in one.
// ErrTooLarge and ErrBadRequest concern the request as a whole.
//
// Memfault: https://docs.memfault.com/api/upload-chunk
func (s *ChunksService) Upload(ctx context.Context, deviceSerial string, chunks ...[]byte) error {
	return s.upload(ctx, deviceSerial, chunks)
}

func (s *ChunksService) upload(ctx context.Context, deviceSerial string, chunks [][]byte, opts ...CallOption) error {
	if len(chunks) == 0 {
		return invalid("chunks.upload: there is no chunk")
	}
	for i, chunk := range chunks {
		if len(chunk) == 0 {
			return invalid("chunks.upload: chunk %d is empty", i)
		}
	}
	return exec(ctx, clientOf(s), operation.ChunksUpload, input{path: []string{deviceSerial}, body: chunkPayload(chunks)}, opts)
}

// CheckProjectKey checks the project key without sending anything: an upload without a body is
// refused for its length (411) if the key is good, and before that (403,
// ErrForbidden) if it is not. Seen only in one program; not documented by Memfault.
func (s *ChunksService) CheckProjectKey(ctx context.Context, opts ...CallOption) error {
	err := exec(ctx, clientOf(s), operation.ChunksUpload, input{path: []string{"probe"}}, opts)
	var answer *Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusLengthRequired {
		return nil
	}
	return err
}

// chunkPayload returns the body of an upload. Its size is known, because Memfault
// takes no body without a Content-Length.
func chunkPayload(chunks [][]byte) *payload {
	if len(chunks) == 1 {
		return bytesPayload("application/octet-stream", chunks[0])
	}
	boundary := rand.Text()
	var parts net.Buffers
	var size int64
	for _, chunk := range chunks {
		head := fmt.Sprintf("--%s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", boundary, len(chunk))
		parts = append(parts, []byte(head), chunk, []byte("\r\n"))
		size += int64(len(head) + len(chunk) + len("\r\n"))
	}
	end := "--" + boundary + "--\r\n"
	parts = append(parts, []byte(end))
	return &payload{
		contentType: "multipart/mixed; boundary=" + boundary,
		size:        size + int64(len(end)),
		open: func() io.ReadCloser {
			unread := slices.Clone(parts) // reading uses it up
			return io.NopCloser(&unread)
		},
	}
}
