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

// The page of a captive portal is not a success of an operation that returns nothing, even if its
// body is empty. Memfault's own responses can have that type as well.
func TestChunks_EmptyPage(t *testing.T) {
	respond := func(status int) *memfault.Client {
		return newClient(t, memfault.ProjectKey("d3b0"), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return newResponse(status, "", "Content-Type", "text/html; charset=utf-8")
		})}))
	}
	err := respond(200).Chunks.Upload(t.Context(), "A", [][]byte{{1}})
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	require.ErrorContains(t, err, "HTML page")
	require.NoError(t, respond(202).Chunks.Upload(t.Context(), "A", [][]byte{{1}}))
	require.ErrorIs(t, respond(200).DeviceConfig.UpdateAttributes(t.Context(), "A", nil), memfault.ErrNoAnswer)
}
