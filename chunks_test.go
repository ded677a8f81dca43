package memfault_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// newRelay is newCloud with a client that uses the project key.
func newRelay(t testing.TB, opts ...memfault.Option) (*memfaulttest.Server, *memfault.Client) {
	t.Helper()
	cloud, client := newCloud(t, opts...)
	return cloud, client.WithAuth(memfault.ProjectKey(projectKey))
}

func TestChunksUpload_OneChunk(t *testing.T) {
	cloud, client := newRelay(t)
	chunk := []byte{0, 1, 2, 0xff, '\r', '\n'}
	require.NoError(t, client.Chunks.Upload(t.Context(), "SN 1/+", [][]byte{chunk}))
	require.NoError(t, client.Chunks.Upload(t.Context(), "SN 1/+", [][]byte{{7}}), "a short chunk is valid")
	assert.Equal(t, [][]byte{chunk, {7}}, cloud.Chunks("SN 1/+"))
	seen := cloud.Requests("chunks.upload")[0]
	header := seen.Header
	assert.Equal(t, "application/octet-stream", header.Get("Content-Type"))
	assert.Equal(t, "project key", seen.Credential)
	assert.Empty(t, header.Get("Authorization"))
	assert.Empty(t, header.Get("Content-Encoding"))
}

func TestChunksUpload_SeveralChunks(t *testing.T) {
	var got *http.Request
	var body []byte
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	client = client.WithAuth(memfault.ProjectKey("d3b0"))
	require.NoError(t, client.Chunks.Upload(t.Context(), "A", [][]byte{[]byte("one\r\n"), {0}, []byte("three")}))
	kind, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	require.NoError(t, err)
	assert.Equal(t, "multipart/mixed", kind)
	part := "--" + params["boundary"] + "\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s\r\n"
	want := fmt.Sprintf(part, 5, "one\r\n") + fmt.Sprintf(part, 1, "\x00") + fmt.Sprintf(part, 5, "three") + "--" + params["boundary"] + "--\r\n"
	assert.Equal(t, want, string(body))
	assert.Equal(t, int64(len(want)), got.ContentLength, "the length is known before")
	assert.Empty(t, got.TransferEncoding)
}

func TestChunksUpload_RetrySendsSameChunks(t *testing.T) {
	cloud, client := newRelay(t)
	cloud.Fail(memfaulttest.Fault{DropResponse: true, Times: 1})
	cloud.Fail(failOnce(503))
	require.NoError(t, client.Chunks.Upload(t.Context(), "A", [][]byte{[]byte("one"), []byte("two")}))
	assert.Equal(t, [][]byte{[]byte("one"), []byte("two"), []byte("one"), []byte("two")}, cloud.Chunks("A"), "chunks with a lost response arrive at least once")
	assert.Len(t, cloud.Requests("chunks.upload"), 3)
}

// manyChunks returns chunks that differ.
func manyChunks(n int) [][]byte {
	chunks := make([][]byte, n)
	for i := range chunks {
		chunks[i] = fmt.Appendf(nil, "chunk %d", i)
	}
	return chunks
}

func TestChunksUpload_SplitsAt500(t *testing.T) {
	for n, requests := range map[int]int{499: 1, 500: 1, 501: 2, 1000: 2, 1700: 4} {
		cloud, client := newRelay(t)
		chunks := manyChunks(n)
		require.NoError(t, client.Chunks.Upload(t.Context(), "A", chunks))
		assert.Equal(t, chunks, cloud.Chunks("A"), "in order")
		sent := cloud.Requests("chunks.upload")
		require.Len(t, sent, requests)
		for _, request := range sent {
			assert.LessOrEqual(t, strings.Count(string(request.Body), "Content-Type: application/octet-stream"), 500)
		}
	}
}

func TestChunksUpload_FailsBetweenRequests(t *testing.T) {
	chunks := manyChunks(1700)
	sent := 0
	cloud, client := newRelay(t, memfault.WithObserver(func(context.Context, memfault.Attempt) { sent++ }))
	cloud.RejectChunks(func(chunk []byte) int {
		if string(chunk) == "chunk 1000" {
			return http.StatusRequestEntityTooLarge
		}
		return 0
	})
	err := client.Chunks.Upload(t.Context(), "A", chunks)
	require.ErrorIs(t, err, memfault.ErrTooLarge)
	require.ErrorContains(t, err, "; Memfault has accepted the first 1000 of 1700 chunks")
	assert.Equal(t, chunks[:1000], cloud.Chunks("A"))
	assert.Equal(t, 3, sent, "later chunks must not be sent")

	cloud.RejectChunks(func([]byte) int { return http.StatusBadRequest })
	err = client.Chunks.Upload(t.Context(), "A", chunks)
	require.ErrorIs(t, err, memfault.ErrBadRequest)
	assert.NotContains(t, err.Error(), "accepted the first")

	chunks[1699] = nil
	sent = 0
	require.ErrorContains(t, client.Chunks.Upload(t.Context(), "A", chunks), "chunk 1699 must not be empty")
	assert.Zero(t, sent, "all chunks are checked before the first request")
}

func TestChunksUpload_ContextEndsBetweenRequests(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cloud, client := newRelay(t, memfault.WithObserver(func(context.Context, memfault.Attempt) { cancel() }))
	err := client.Chunks.Upload(ctx, "A", manyChunks(600))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "the first 500 of 600 chunks")
	assert.Len(t, cloud.Chunks("A"), 500)
}

// net/http may read the body of a request after the call has returned.
func TestChunksUpload_CopiesChunks(t *testing.T) {
	for _, n := range []int{1, 2} {
		var body io.Reader
		client := newClient(t, memfault.ProjectKey("d3b0"), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			body = req.Body
			return newResponse(202, "")
		})}))
		chunks := [][]byte{[]byte("first"), []byte("second")}[:n]
		require.NoError(t, client.Chunks.Upload(t.Context(), "A", chunks))
		for _, chunk := range chunks {
			clear(chunk)
		}
		sent, err := io.ReadAll(body)
		require.NoError(t, err)
		assert.Contains(t, string(sent), "first")
		assert.NotContains(t, string(sent), "\x00")
	}
}

func TestChunksUpload_InvalidInput(t *testing.T) {
	cloud, client := newRelay(t)
	require.ErrorContains(t, client.Chunks.Upload(t.Context(), "A", nil), "chunks must not be empty")
	require.ErrorContains(t, client.Chunks.Upload(t.Context(), "A", [][]byte{{1}, nil}), "chunk 1 must not be empty")
	require.ErrorContains(t, client.Chunks.Upload(t.Context(), "", [][]byte{{1}}), "device_serial must not be empty")
	require.ErrorIs(t, client.WithAuth(memfault.OrganizationToken("oat_1")).Chunks.Upload(t.Context(), "A", [][]byte{{1}}), memfault.ErrWrongCredential)
	assert.Empty(t, cloud.Requests(""))
}

func TestChunksUpload_Rejected(t *testing.T) {
	cloud, client := newRelay(t)
	for status, want := range map[int]error{400: memfault.ErrBadRequest, 413: memfault.ErrTooLarge} {
		cloud.RejectChunks(func([]byte) int { return status })
		require.ErrorIs(t, client.Chunks.Upload(t.Context(), "A", [][]byte{{1}}), want)
	}
	err := client.WithAuth(memfault.ProjectKey("wrong")).Chunks.Upload(t.Context(), "A", [][]byte{{1}})
	require.ErrorIs(t, err, memfault.ErrForbidden)
	assert.Empty(t, cloud.Chunks("A"))
}

func TestCheckProjectKey(t *testing.T) {
	cloud, client := newRelay(t)
	require.NoError(t, client.Chunks.CheckProjectKey(t.Context()))
	require.ErrorIs(t, client.WithAuth(memfault.ProjectKey("wrong")).Chunks.CheckProjectKey(t.Context()), memfault.ErrForbidden)
	require.ErrorIs(t, client.WithAuth(memfault.OrganizationToken("oat_1")).Chunks.CheckProjectKey(t.Context()), memfault.ErrWrongCredential)
	assert.Equal(t, "0", cloud.Requests("chunks.upload")[0].Header.Get("Content-Length"))
	cloud.Fail(memfaulttest.Fault{Status: 418})
	requireError(t, client.Chunks.CheckProjectKey(t.Context()), 418)
}

func ExampleChunksService_NewSender() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)
	ctx := context.Background()

	sender := client.WithAuth(memfault.ProjectKey(cloud.ProjectKey())).Chunks.NewSender(memfault.ChunkSenderOptions{})
	export := strings.NewReader("[1] MC:AQID:\n[2] MC:BAUG:\n")
	for chunk, err := range memfault.DecodeChunkExport(export) {
		if err != nil {
			log.Fatal(err)
		}
		if err := sender.Send(ctx, "ABCD1234", chunk, func(err error) { fmt.Println("accepted:", err == nil) }); err != nil {
			log.Fatal(err)
		}
	}
	if err := sender.Close(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cloud.Chunks("ABCD1234"))
	// Output:
	// accepted: true
	// accepted: true
	// [[1 2 3] [4 5 6]]
}
