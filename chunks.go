package memfault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/memfault-go/memfault/internal/operation"
)

// ChunksService uploads chunks. A chunk is a piece of the data that a device recorded, as the
// firmware SDK outputs it; package chunk reads what is in it.
//
// [ChunksService.Upload] sends some chunks of one device. A gateway with many devices uses a
// [ChunkSender]. [DecodeChunkExport] reads chunks from a log.
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

// ChunksAddress is where a device sends its chunks; see [ParseChunksURL].
type ChunksAddress struct {
	DeviceSerial string // unescaped
	BaseURL      string // of the current host of chunks, for [BaseURLs.Chunks]
}

const (
	chunksHost    = "chunks.memfault.com"
	chunksHostNRF = "chunks-nrf.memfault.com" // deprecated; see BaseURLs
	chunksPath    = "/api/v0/chunks/"
)

// ParseChunksURL parses the address to which a device sends its chunks, such as
// https://chunks-nrf.memfault.com/api/v0/chunks/ABCD1234. It is meant for relays that receive
// the address from the device. Only the serial is taken from it: for both known hosts, BaseURL
// is https://chunks.memfault.com.
//
// ParseChunksURL fails with [ErrInvalidArgument] if the address is not https, does not
// contain chunks.memfault.com or chunks-nrf.memfault.com as its host, or contains a port, a
// user name, a query or a fragment. Exactly one path segment must follow /api/v0/chunks/.
func ParseChunksURL(address string) (ChunksAddress, error) {
	fail := func(problem string) (ChunksAddress, error) {
		return ChunksAddress{}, invalid("ParseChunksURL: %s", problem)
	}
	u, err := url.Parse(address)
	if err != nil { // its text would contain the address, which may contain a password
		return fail("the text does not parse as a URL")
	}
	host := strings.ToLower(u.Host)
	segment, ok := strings.CutPrefix(u.EscapedPath(), chunksPath)
	serial, err := url.PathUnescape(segment)
	switch {
	case u.Scheme != "https":
		return fail("the scheme must be https")
	case u.User != nil || strings.ContainsAny(address, "?#"):
		return fail("the URL must not contain a user name, a query or a fragment")
	case host != chunksHost && host != chunksHostNRF:
		return fail("the host must be " + chunksHost + " or " + chunksHostNRF + ", without a port")
	case !ok || err != nil || strings.Contains(segment, "/"):
		return fail("the path must be " + chunksPath + " and one segment")
	case checkSegment(serial) != nil || !utf8.ValidString(serial) || strings.ContainsFunc(serial, isControl):
		return fail("invalid serial")
	}
	return ChunksAddress{DeviceSerial: serial, BaseURL: "https://" + chunksHost}, nil
}
