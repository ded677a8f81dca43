package memfault_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// FuzzChunksUpload checks that the package mime/multipart and the fake cloud both read the
// chunks of a request as the caller gave them. Each byte of sizes is the size of a chunk.
func FuzzChunksUpload(f *testing.F) {
	f.Add([]byte("one\r\ntwo"), []byte{5, 3})
	f.Add([]byte("\r\n--x--\r\n"), []byte{2, 5, 2})
	f.Add([]byte("Content-Length: 3\r\n\r\nabc"), []byte{19, 2, 3})
	f.Add([]byte{0, 0xff, '\r', '\n', '-', '-'}, []byte{1, 1, 1, 1, 1, 1})
	f.Add([]byte("alone"), []byte{5})
	f.Add([]byte("abc"), []byte{1, 0, 2})
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, content, sizes []byte) {
		if len(sizes) > 200 {
			return
		}
		var chunks [][]byte
		empty := len(sizes) == 0
		for _, size := range sizes {
			n := min(int(size), len(content))
			chunks, content = append(chunks, content[:n:n]), content[n:]
			empty = empty || n == 0
		}
		cloud := memfaulttest.NewInMemoryServer(t)
		cloud.AcceptDamagedChunks()
		transport := &recordingTransport{next: cloud.HTTPClient().Transport}
		client := newClient(t, memfault.ProjectKey(projectKey),
			append(cloud.Options(), memfault.WithHTTPClient(&http.Client{Transport: transport}))...)
		err := client.Chunks.Upload(t.Context(), "A", chunks)
		if empty {
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			require.Nil(t, transport.header)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, chunks, cloud.Chunks("A"))
		assert.Equal(t, chunks, partsOf(t, transport.header, transport.body))
		assert.Equal(t, int64(len(transport.body)), transport.length)
	})
}

// recordingTransport keeps the last request.
type recordingTransport struct {
	next   http.RoundTripper
	header http.Header
	body   []byte
	length int64
}

func (r *recordingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.header, r.body, r.length = req.Header, body, req.ContentLength
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(bytes.NewReader(body))
	return r.next.RoundTrip(req)
}

// partsOf reads the parts of a request with the package mime/multipart, or its only chunk.
func partsOf(t *testing.T, header http.Header, body []byte) [][]byte {
	t.Helper()
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	require.NoError(t, err)
	if kind == "application/octet-stream" {
		return [][]byte{body}
	}
	require.Equal(t, "multipart/mixed", kind)
	var parts [][]byte
	for reader := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		require.NoError(t, err)
		content, err := io.ReadAll(part)
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(len(content)), part.Header.Get("Content-Length"))
		parts = append(parts, content)
	}
}
