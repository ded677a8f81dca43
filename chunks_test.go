package memfault_test

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud"
)

// newRelay is newCloud with a client that holds the project key.
func newRelay(t testing.TB, opts ...memfault.Option) (*fakecloud.Cloud, *memfault.Client) {
	t.Helper()
	cloud, client := newCloud(t, opts...)
	return cloud, client.WithAuth(memfault.ProjectKey(fakecloud.ProjectKey))
}

func TestUploadOneChunk(t *testing.T) {
	cloud, client := newRelay(t)
	chunk := []byte{0, 1, 2, 0xff, '\r', '\n'}
	require.NoError(t, client.Chunks.Upload(t.Context(), "SN 1/+", [][]byte{chunk}))
	require.NoError(t, client.Chunks.Upload(t.Context(), "SN 1/+", [][]byte{{7}}), "a short chunk is valid")
	assert.Equal(t, [][]byte{chunk, {7}}, cloud.Chunks("SN 1/+"))
	header := cloud.Requests("chunks.upload")[0].Header
	assert.Equal(t, "application/octet-stream", header.Get("Content-Type"))
	assert.Equal(t, fakecloud.ProjectKey, header.Get("Memfault-Project-Key"))
	assert.Empty(t, header.Get("Authorization"))
	assert.Empty(t, header.Get("Content-Encoding"))
}

func TestUploadSeveralChunks(t *testing.T) {
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

func TestUploadRepeatsTheSameChunks(t *testing.T) {
	cloud, client := newRelay(t)
	cloud.Fail(fakecloud.Fault{DropResponse: true, Times: 1})
	cloud.Fail(failOnce(503))
	require.NoError(t, client.Chunks.Upload(t.Context(), "A", [][]byte{[]byte("one"), []byte("two")}))
	assert.Equal(t, [][]byte{[]byte("one"), []byte("two"), []byte("one"), []byte("two")}, cloud.Chunks("A"), "a lost answer makes it at least once")
	assert.Len(t, cloud.Requests("chunks.upload"), 3)
}

func TestBadChunksAreRefusedUnsent(t *testing.T) {
	cloud, client := newRelay(t)
	require.ErrorContains(t, client.Chunks.Upload(t.Context(), "A", nil), "chunks must not be empty")
	require.ErrorContains(t, client.Chunks.Upload(t.Context(), "A", [][]byte{{1}, nil}), "chunk 1 must not be empty")
	require.ErrorContains(t, client.Chunks.Upload(t.Context(), "", [][]byte{{1}}), "device_serial must not be empty")
	require.ErrorIs(t, client.WithAuth(memfault.OrganizationToken("oat_1")).Chunks.Upload(t.Context(), "A", [][]byte{{1}}), memfault.ErrWrongCredential)
	assert.Empty(t, cloud.Requests(""))
}

func TestChunksThatMemfaultRefuses(t *testing.T) {
	cloud, client := newRelay(t)
	for status, want := range map[int]error{400: memfault.ErrBadRequest, 413: memfault.ErrTooLarge} {
		cloud.RefuseChunks(func([]byte) int { return status })
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
	cloud.Fail(fakecloud.Fault{Status: 418})
	requireError(t, client.Chunks.CheckProjectKey(t.Context()), 418)
}

func TestChunkExport(t *testing.T) {
	log := strings.Join([]string{
		"[00:00:01] <inf> boot",
		"[00:00:02] <inf> mflt: MC:AQID:",
		"MC:BAUG: MC:Bwg=:\r",
		"MC:CAK",               // 4: cut off
		"x MC:C!K: y MC:CQ==:", // 5: damaged, and a good one behind it
		"BMC:30: is a motor controller, and so is MC: 7",
		"0a0B0c0D0e",
		"0a0b0c0d0",        // 8: an odd number of digits
		"0a0b0czd0e0f0001", // 9: a damaged digit
		"feedbacks decadence 12345678 is prose",
		"MC:::",
		"MC:AA=A:", // 12: padding within
		"MC:Cg==:",
	}, "\n")
	var chunks []string
	var damaged []int
	for chunk, err := range memfault.DecodeChunkExport(strings.NewReader(log)) {
		if err == nil {
			chunks = append(chunks, fmt.Sprintf("%x", chunk))
			continue
		}
		var damage *memfault.ChunkExportError
		require.ErrorAs(t, err, &damage)
		require.ErrorContains(t, err, fmt.Sprintf("line %d holds a damaged chunk", damage.Line))
		damaged = append(damaged, damage.Line)
	}
	assert.Equal(t, []string{"010203", "040506", "0708", "09", "0a0b0c0d0e", "0a"}, chunks)
	assert.Equal(t, []int{4, 5, 8, 9, 12}, damaged)
}

func TestChunkExportOfAnySize(t *testing.T) {
	line := "x " + strings.Repeat("y", 300) + " MC:AQID:\n"
	long := strings.Repeat("z", 3<<20) + "\n" + "MC:" + strings.Repeat("A", 2<<20) + ":\n"
	reader := io.MultiReader(&repeat{text: line, left: 100_000}, strings.NewReader(long), strings.NewReader("MC:BA==:"))
	good, bad := 0, 0
	for _, err := range memfault.DecodeChunkExport(reader) {
		if err != nil {
			bad++
			require.ErrorContains(t, err, "line 100002 holds a damaged chunk: the line is longer than 1 MiB")
			continue
		}
		good++
	}
	assert.Equal(t, 100_001, good)
	assert.Equal(t, 1, bad)
}

// repeat reads a text again and again.
type repeat struct {
	text string
	left int
	rest string
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestChunkExportEndsWithTheReadersError(t *testing.T) {
	reader := io.MultiReader(strings.NewReader("MC:AQID:\nMC:BA==:"), brokenReader{})
	var chunks int
	var last error
	for _, err := range memfault.DecodeChunkExport(reader) {
		require.NoError(t, last, "it comes last")
		if last = err; err == nil {
			chunks++
		}
	}
	require.ErrorIs(t, last, io.ErrClosedPipe)
	assert.Equal(t, 2, chunks)
	for _, err := range memfault.DecodeChunkExport(nil) {
		require.Error(t, err)
	}
	for range memfault.DecodeChunkExport(strings.NewReader("MC:AQID:MC:BA==:")) {
		break
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func FuzzChunkExport(f *testing.F) {
	f.Add("a MC:AQID: b\n0a0b0c0d\nMC:AA=A:MC:")
	f.Fuzz(func(t *testing.T, log string) {
		last := 0
		for chunk, err := range memfault.DecodeChunkExport(strings.NewReader(log)) {
			if (err == nil) != (len(chunk) > 0) {
				t.Fatalf("%q, %v", chunk, err)
			}
			var damage *memfault.ChunkExportError
			if err != nil {
				require.ErrorAs(t, err, &damage)
				require.GreaterOrEqual(t, damage.Line, last)
				require.LessOrEqual(t, damage.Line, strings.Count(log, "\n")+1)
				last = damage.Line
			}
		}
	})
}

func ExampleChunksService_NewSender() {
	cloud := fakecloud.New()
	client, stop := exampleClient(cloud)
	defer stop()
	ctx := context.Background()

	sender := client.WithAuth(memfault.ProjectKey(fakecloud.ProjectKey)).Chunks.NewSender(memfault.ChunkSenderOptions{})
	log := strings.NewReader("[1] MC:AQID:\n[2] MC:BAUG:\n")
	for chunk, err := range memfault.DecodeChunkExport(log) {
		if err != nil {
			panic(err)
		}
		if err := sender.Send(ctx, "ABCD1234", chunk, func(err error) { fmt.Println("accepted:", err == nil) }); err != nil {
			panic(err)
		}
	}
	if err := sender.Close(ctx); err != nil {
		panic(err)
	}
	fmt.Println(cloud.Chunks("ABCD1234"))
	// Output:
	// accepted: true
	// accepted: true
	// [[1 2 3] [4 5 6]]
}
