package memfault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// ChunksService uploads chunks. A chunk is a piece of the data that a device recorded, as the
// firmware SDK outputs it. Only Memfault can decode it.
type ChunksService struct{ client *Client }

// Upload uploads chunks of one device, in order, in requests of at most 500 chunks, one after the
// other: a single chunk as it is, several as multipart/mixed. Memfault requires that the chunks
// of a device arrive in the order in which its packetizer created them, and never in two
// requests at the same time. A [ChunkSender] does both for many devices. A repeated chunk does
// no harm, so a lost request is retried.
//
// If a request fails, Memfault has accepted the chunks of the requests before it, and the later
// chunks are not sent. The text of the error contains the number of accepted chunks, if there are
// any. It is safe to upload all chunks again.
//
// Success means that Memfault queued the chunks, not that it could decode them. A chunk
// must not be empty; it can be short, because the last chunk of a message can be. If Upload
// fails with [ErrTooLarge] or [ErrBadRequest], the cause can be any of the chunks, or their
// total size. Memfault does not document a limit; its command-line tool sends 500 chunks a
// request.
//
// Credentials: [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/upload-chunk
func (s *ChunksService) Upload(ctx context.Context, deviceSerial string, chunks [][]byte, opts ...CallOption) error {
	if len(chunks) == 0 {
		return invalid("chunks.upload: chunks must not be empty")
	}
	if i := slices.IndexFunc(chunks, func(chunk []byte) bool { return len(chunk) == 0 }); i >= 0 {
		return invalid("chunks.upload: chunk %d must not be empty", i)
	}
	for accepted := 0; accepted < len(chunks); accepted += chunksPerRequest {
		batch := chunks[accepted:min(accepted+chunksPerRequest, len(chunks))]
		err := exec(ctx, clientOf(s), operation.ChunksUpload, requestParams{path: []string{deviceSerial}, body: chunkPayload(batch)}, opts)
		if err != nil && accepted > 0 {
			return fmt.Errorf("%w; Memfault has accepted the first %d of %d chunks", err, accepted, len(chunks))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// chunksPerRequest is the largest number of chunks in a request.
const chunksPerRequest = 500

// CheckProjectKey checks the project key without uploading anything. It sends an upload
// without a body, which Memfault rejects with 411, because of its length, if the key is valid.
// Otherwise Memfault rejects it with 403, and CheckProjectKey fails with [ErrForbidden].
//
// Credentials: [ProjectKey].
//
// Not documented by Memfault; observed only in one program.
func (s *ChunksService) CheckProjectKey(ctx context.Context, opts ...CallOption) error {
	err := exec(ctx, clientOf(s), operation.ChunksUpload, requestParams{path: []string{"probe"}}, opts)
	var response *Error
	if errors.As(err, &response) && response.StatusCode == http.StatusLengthRequired {
		return nil
	}
	return err
}

// chunkPayload returns the body of an upload: a copy of the chunks, because net/http may
// still read it after the call has returned. Its size is known, because Memfault accepts no
// body without a Content-Length.
func chunkPayload(chunks [][]byte) *payload {
	if len(chunks) == 1 {
		return bytesPayload("application/octet-stream", append([]byte(nil), chunks[0]...))
	}
	const header = "--%s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
	boundary := rand.Text()
	size := 0
	for _, chunk := range chunks {
		size += len(header) + len(boundary) + len(chunk) + len("00000\r\n")
	}
	body := make([]byte, 0, size+len(boundary)+len("----\r\n"))
	for _, chunk := range chunks {
		body = fmt.Appendf(body, header, boundary, len(chunk))
		body = append(append(body, chunk...), "\r\n"...)
	}
	body = append(body, "--"+boundary+"--\r\n"...)
	return bytesPayload("multipart/mixed; boundary="+boundary, body)
}
