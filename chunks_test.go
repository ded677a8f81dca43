package memfault_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

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
	require.NoError(t, client.Chunks.Upload(t.Context(), "SN_1-a", [][]byte{chunk}))
	require.NoError(t, client.Chunks.Upload(t.Context(), "SN_1-a", [][]byte{{7}}), "a short chunk is valid")
	assert.Equal(t, [][]byte{chunk, {7}}, cloud.Chunks("SN_1-a"))
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

func TestParseChunksURL(t *testing.T) {
	for address, serial := range map[string]string{
		"https://chunks-nrf.memfault.com/api/v0/chunks/ABCD1234":        "ABCD1234",
		"https://chunks.memfault.com/api/v0/chunks/nrf-352656100000001": "nrf-352656100000001",
		"HTTPS://Chunks-NRF.Memfault.com/api/v0/chunks/a":               "a",
		"https://chunks.memfault.com/api/v0/chunks/a%20b+c%2Fd%C3%A9":   "a b+c/dé",
		"https://chunks.memfault.com/api/v0/chunks/a:b@c":               "a:b@c",
		"https://chunks.memfault.com/api/v0/chunks/...":                 "...",
	} {
		got, err := memfault.ParseChunksURL(address)
		require.NoError(t, err, address)
		assert.Equal(t, memfault.ChunksAddress{DeviceSerial: serial, BaseURL: "https://chunks.memfault.com"}, got)
	}
}

func TestParseChunksURL_InvalidInput(t *testing.T) {
	const base = "https://chunks-nrf.memfault.com/api/v0/chunks/"
	for name, address := range map[string]string{
		"empty":            "",
		"http":             strings.Replace(base, "https", "http", 1) + "s3cret",
		"no scheme":        "//chunks.memfault.com/api/v0/chunks/s3cret",
		"another host":     "https://evil.example/api/v0/chunks/s3cret",
		"host as prefix":   "https://chunks.memfault.com.evil.example/api/v0/chunks/s3cret",
		"host of devices":  "https://device-nrf.memfault.com/api/v0/chunks/s3cret",
		"trailing dot":     "https://chunks.memfault.com./api/v0/chunks/s3cret",
		"port":             "https://chunks.memfault.com:443/api/v0/chunks/s3cret",
		"user":             "https://jane:s3cret@chunks.memfault.com/api/v0/chunks/a",
		"empty user":       "https://@chunks.memfault.com/api/v0/chunks/s3cret",
		"query":            base + "a?key=s3cret",
		"empty query":      base + "s3cret?",
		"fragment":         base + "a#s3cret",
		"empty fragment":   base + "s3cret#",
		"no serial":        base,
		"no path":          "https://chunks.memfault.com",
		"two segments":     base + "a/s3cret",
		"trailing slash":   base + "s3cret/",
		"another path":     "https://chunks.memfault.com/api/v1/chunks/s3cret",
		"escaped path":     "https://chunks.memfault.com/api%2Fv0/chunks/s3cret",
		"longer path":      "https://chunks.memfault.com/x/api/v0/chunks/s3cret",
		"dots":             base + "..",
		"escaped dots":     base + "%2e%2E",
		"dots in the path": "https://chunks.memfault.com/api/v0/chunks/../chunks/s3cret",
		"bad escape":       base + "s3cret%zz",
		"control":          base + "s3cret%0A",
		"not UTF-8":        base + "s3cret%ff",
		"space":            " " + base + "s3cret",
	} {
		got, err := memfault.ParseChunksURL(address)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		assert.Zero(t, got, name)
		requireNoSecret(t, err.Error())
	}
}

// FuzzParseChunksURL checks that an accepted address contains nothing but a serial, and that the
// address of any valid serial is accepted.
func FuzzParseChunksURL(f *testing.F) {
	const base = "https://chunks.memfault.com/api/v0/chunks/"
	f.Add("https://chunks-nrf.memfault.com/api/v0/chunks/ABCD1234", "ABCD1234")
	f.Add("https://a@chunks.memfault.com/api/v0/chunks/%2F?x#y", "a/b?c#d")
	f.Add("HTTPS://Chunks.Memfault.com/api/v0/chunks/a%20b+c", "\u0085é%2F")
	f.Add("https://chunks.memfault.com:443/api/v0/chunks/%2e%2e", "..")
	f.Add("https://chunks.memfault.com/api%2Fv0/chunks/a", "\xff\x00")
	f.Fuzz(func(t *testing.T, address, serial string) {
		got, err := memfault.ParseChunksURL(address)
		if err == nil {
			require.Equal(t, "https://chunks.memfault.com", got.BaseURL)
			lower := strings.ToLower(address)
			require.True(t, strings.HasPrefix(lower, "https://chunks.memfault.com/") || strings.HasPrefix(lower, "https://chunks-nrf.memfault.com/"), address)
			again, err := memfault.ParseChunksURL(base + url.PathEscape(got.DeviceSerial))
			require.NoError(t, err)
			require.Equal(t, got, again)
		} else {
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			require.Zero(t, got)
		}
		valid := !isNoSegment(serial) && utf8.ValidString(serial) && !strings.ContainsFunc(serial, func(r rune) bool { return r < ' ' || r == 0x7f })
		got, err = memfault.ParseChunksURL(base + url.PathEscape(serial))
		require.Equal(t, valid, err == nil, "%q: %v", serial, err)
		if valid {
			require.Equal(t, serial, got.DeviceSerial)
		}
	})
}

func ExampleParseChunksURL() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()

	// A device reports where it sends its chunks, and then a chunk.
	address, err := memfault.ParseChunksURL("https://chunks-nrf.memfault.com/api/v0/chunks/ABCD1234")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(address.DeviceSerial, address.BaseURL)
	gateway := cloud.Client(nil, memfault.ProjectKey(cloud.ProjectKey())) // its default host of chunks is the current one
	if err := gateway.Chunks.Upload(context.Background(), address.DeviceSerial, [][]byte{[]byte("a chunk")}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", cloud.Chunks("ABCD1234")[0])
	// Output:
	// ABCD1234 https://chunks.memfault.com
	// a chunk
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
