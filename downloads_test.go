package memfault_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// randomBytes returns the same n bytes each time.
func randomBytes(n int) []byte {
	content := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	return content
}

// addRecording adds a recording with the given content.
func addRecording(cloud *memfaulttest.Server, content []byte) (id int64) {
	return cloud.AddRecordings(memfaulttest.Recording{DeviceSerial: "A", Content: content})[0]
}

func download(ctx context.Context, client *memfault.Client, id int64, w io.Writer, opts ...memfault.CallOption) (*memfault.DownloadResult, error) {
	return client.Recordings.Download(ctx, sink, strconv.FormatInt(id, 10), w, opts...)
}

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestDownload_Files(t *testing.T) {
	cloud, client := newCloud(t)
	dump, elf, symbols, recorded, logged := randomBytes(100_000), []byte("\x7fELF core"), []byte("\x7fELF symbols"), randomBytes(50), []byte("boot\n")
	coredumpID := cloud.AddCoredumps(memfaulttest.Coredump{DeviceSerial: "A", Content: dump, ELF: elf, Symbols: symbols})[0]
	traces, err := client.Traces.List(sink, memfault.TraceListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	trace, err := client.Traces.Get(t.Context(), sink, traces[0].ID)
	require.NoError(t, err)
	symbolID := trace.Coredump.SymbolFile.ID
	recordingID := addRecording(cloud, recorded)
	cloud.SetLogFile("A/1", "c-1", logged)
	cloud.SetLogFile("A/1", "empty", nil)
	for name, c := range map[string]struct {
		call func(context.Context, io.Writer) (*memfault.DownloadResult, error)
		want []byte
		file string
		kind string
	}{
		"coredump": {func(ctx context.Context, w io.Writer) (*memfault.DownloadResult, error) {
			return client.Coredumps.Download(ctx, sink, coredumpID, w, memfault.CoredumpDownloadOptions{})
		}, dump, fmt.Sprintf("coredump-%d.bin", coredumpID), "application/octet-stream"},
		"coredump as ELF": {func(ctx context.Context, w io.Writer) (*memfault.DownloadResult, error) {
			return client.Coredumps.Download(ctx, sink, coredumpID, w, memfault.CoredumpDownloadOptions{Format: memfault.CoredumpFormatELF})
		}, elf, fmt.Sprintf("coredump-%d.elf", coredumpID), "application/octet-stream"},
		"symbols": {func(ctx context.Context, w io.Writer) (*memfault.DownloadResult, error) {
			return client.Coredumps.DownloadSymbols(ctx, sink, symbolID, w)
		}, symbols, "symbols.elf", "application/octet-stream"},
		"recording": {func(ctx context.Context, w io.Writer) (*memfault.DownloadResult, error) {
			return download(ctx, client, recordingID, w)
		}, recorded, fmt.Sprintf("recording-%d.bin", recordingID), "application/octet-stream"},
		"log file": {func(ctx context.Context, w io.Writer) (*memfault.DownloadResult, error) {
			return client.Devices.DownloadLogFile(ctx, sink, "A/1", "c-1", w)
		}, logged, "c-1.log", "text/plain; charset=utf-8"},
		"empty": {func(ctx context.Context, w io.Writer) (*memfault.DownloadResult, error) {
			return client.Devices.DownloadLogFile(ctx, sink, "A/1", "empty", w)
		}, nil, "empty.log", "text/plain; charset=utf-8"},
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			got, err := c.call(t.Context(), &file)
			require.NoError(t, err)
			assert.Equal(t, c.want, file.Bytes())
			short, long := md5.Sum(c.want), sha256.Sum256(c.want)
			assert.Equal(t, &memfault.DownloadResult{
				Size: int64(len(c.want)), Filename: c.file, ContentType: c.kind,
				MD5: hex.EncodeToString(short[:]), SHA256: hex.EncodeToString(long[:]),
			}, got)
		})
	}
	for _, seen := range cloud.Requests("")[2:] { // after those that read the trace
		assert.Equal(t, "identity", seen.Header.Get("Accept-Encoding"), "lengths and offsets must be exact")
		assert.Empty(t, seen.Header.Get("Accept"))
		assert.Empty(t, seen.Header.Get("Range"))
	}
}

func TestDownload_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	_, err := client.Coredumps.Download(ctx, sink, 0, io.Discard, memfault.CoredumpDownloadOptions{})
	require.ErrorContains(t, err, "coredumps.download: coredump_id must not be empty or less than 1")
	_, err = client.Coredumps.DownloadSymbols(ctx, sink, -1, io.Discard)
	require.ErrorContains(t, err, "symbol_id")
	_, err = client.Recordings.Download(ctx, sink, "", io.Discard)
	require.ErrorContains(t, err, "id must not be empty")
	_, err = client.Devices.DownloadLogFile(ctx, sink, "A", "..", io.Discard)
	require.ErrorContains(t, err, "cid")
	for _, name := range []string{"Range", "if-range", "Accept-Encoding"} {
		_, err = client.Recordings.Download(ctx, sink, "1", io.Discard, memfault.WithHeader(name, "x"))
		require.ErrorContains(t, err, "cannot be set by the caller")
	}
	_, err = download(ctx, client, addRecording(cloud, []byte("x")), nil)
	require.ErrorContains(t, err, "nil writer")
	_, err = client.Coredumps.Download(ctx, sink, 1, nil, memfault.CoredumpDownloadOptions{})
	require.ErrorContains(t, err, "nil writer")
	_, err = client.Recordings.Download(nil, sink, "1", io.Discard) //nolint:staticcheck // the package checks it
	require.ErrorContains(t, err, "nil context")
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	assert.Empty(t, cloud.Requests(""), "nothing must be sent")

	_, err = client.Recordings.Download(ctx, sink, "1", io.Discard)
	require.ErrorIs(t, err, memfault.ErrNotFound)
	cloud.Fail(failOnce(http.StatusServiceUnavailable))
	_, err = download(ctx, client, addRecording(cloud, []byte("x")), io.Discard)
	require.NoError(t, err, "the first attempt must be retried as well")
}

func TestCoredumpsDownload_NotReady(t *testing.T) {
	cloud, client := newCloud(t)
	id := cloud.AddCoredumps(memfaulttest.Coredump{DeviceSerial: "A", Content: []byte("dump"), NotReady: 2})[0]
	for range 2 {
		var file bytes.Buffer
		_, err := client.Coredumps.Download(t.Context(), sink, id, &file, memfault.CoredumpDownloadOptions{})
		require.ErrorIs(t, err, memfault.ErrNotReady)
		apiError := requireError(t, err, http.StatusOK)
		assert.Equal(t, "coredumps.download", apiError.Operation)
		assert.NotEmpty(t, apiError.RequestID)
		assert.Empty(t, file.Bytes())
	}
	_, err := client.Coredumps.Download(t.Context(), sink, id, io.Discard, memfault.CoredumpDownloadOptions{})
	require.NoError(t, err)
}

func TestDownload_ResumesAfterBrokenConnection(t *testing.T) {
	for name, ignored := range map[string]bool{"ranges": false, "no ranges": true} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			content := randomBytes(1 << 20)
			id := addRecording(cloud, content)
			cut := []int{300_000, 300_000, 1}
			if ignored {
				cloud.IgnoreRanges()
				cut = []int{300_000, 600_000, 600_001}
			}
			for _, n := range cut {
				cloud.Fail(memfaulttest.Fault{CutBodyAfter: n, Times: 1})
			}
			var file bytes.Buffer
			var response memfault.Response
			got, err := download(t.Context(), client, id, &file, memfault.WithResponse(&response))
			require.NoError(t, err)
			assert.True(t, bytes.Equal(content, file.Bytes()), "wrong content")
			long := sha256.Sum256(content)
			assert.Equal(t, hex.EncodeToString(long[:]), got.SHA256)
			assert.Equal(t, int64(len(content)), got.Size)
			assert.Equal(t, 4, response.Attempts)

			var ranges []string
			short := md5.Sum(content)
			for i, seen := range cloud.Requests("custom_data_recordings.download") {
				ranges = append(ranges, seen.Header.Get("Range"))
				if i > 0 {
					assert.Equal(t, `"`+hex.EncodeToString(short[:])+`"`, seen.Header.Get("If-Range"))
				}
			}
			assert.Equal(t, []string{"", "bytes=300000-", "bytes=600000-", "bytes=600001-"}, ranges)
		})
	}
}

func TestDownload_BreaksBeforeFirstByte(t *testing.T) {
	cloud, client := newCloud(t)
	id := addRecording(cloud, []byte("content"))
	cloud.Fail(memfaulttest.Fault{CutBodyAfter: -1, Times: 4})
	var file bytes.Buffer
	_, err := download(t.Context(), client, id, &file)
	require.NoError(t, err)
	assert.Equal(t, "content", file.String())

	cloud.Fail(memfaulttest.Fault{CutBodyAfter: -1})
	before := len(cloud.Requests(""))
	_, err = download(t.Context(), client, id, &file)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Len(t, cloud.Requests("")[before:], 5, "MaxAttempts attempts without a byte")
}

func TestDownload_ContinuesWhileBytesArrive(t *testing.T) {
	cloud, client := newCloud(t)
	content := randomBytes(20_000)
	cloud.Fail(memfaulttest.Fault{CutBodyAfter: 1000})
	var file bytes.Buffer
	_, err := download(t.Context(), client, addRecording(cloud, content), &file)
	require.NoError(t, err)
	assert.Equal(t, content, file.Bytes())
	assert.Len(t, cloud.Requests(""), 20)
}

func TestDownload_WithoutRetry(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.Fault{CutBodyAfter: 10})
	var file bytes.Buffer
	_, err := download(t.Context(), client, addRecording(cloud, randomBytes(100)), &file, memfault.WithoutRetry())
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, 10, file.Len())
	assert.Len(t, cloud.Requests(""), 1)
}

func TestDownload_FileChanges(t *testing.T) {
	for _, ignored := range []bool{false, true} {
		cloud, client := newCloud(t)
		content := randomBytes(1000)
		id := addRecording(cloud, content)
		if ignored {
			cloud.IgnoreRanges()
		}
		cloud.Fail(memfaulttest.Fault{CutBodyAfter: 500, Times: 1})
		var file bytes.Buffer
		_, err := download(t.Context(), client, id, writerFunc(func(p []byte) (int, error) {
			cloud.SetRecordingContent(id, bytes.ToUpper(content))
			return file.Write(p)
		}))
		requireError(t, err, http.StatusOK)
		require.ErrorContains(t, err, "the file changed")
		assert.Equal(t, content[:500], file.Bytes())
	}
}

func TestDownload_WriterFails(t *testing.T) {
	cloud, client := newCloud(t)
	id := addRecording(cloud, randomBytes(1<<20))
	full := errors.New("disk full")
	_, err := download(t.Context(), client, id, writerFunc(func([]byte) (int, error) { return 0, full }))
	require.ErrorIs(t, err, full)
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	_, err = download(t.Context(), client, id, writerFunc(func(p []byte) (int, error) { return len(p) - 1, nil }))
	require.ErrorIs(t, err, io.ErrShortWrite)
	assert.Len(t, cloud.Requests(""), 2, "an error of the writer must not be retried")
}

func TestDownload_ContextCanceled(t *testing.T) {
	gone := make(chan struct{})
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 500))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := download(ctx, client, 1, writerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	}))
	require.ErrorIs(t, err, context.Canceled)
	<-gone
}

func TestDownload_RedirectWithoutCredential(t *testing.T) {
	content := randomBytes(1000)
	var seen []http.Header
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Clone())
		w.Header().Set("ETag", `"v1"`)
		if len(seen) == 1 {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(content[:400])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	defer cdn.Close()
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		assert.NotEmpty(t, r.Header.Get("Authorization"))
		http.Redirect(w, r, cdn.URL+"/file?X-Amz-Signature=secret", http.StatusFound)
	})
	var file bytes.Buffer
	_, err := download(t.Context(), client, 1, &file)
	require.NoError(t, err)
	assert.Equal(t, content, file.Bytes())
	require.Len(t, seen, 2)
	assert.Equal(t, "bytes=400-", seen[1].Get("Range"))
	assert.Equal(t, `"v1"`, seen[1].Get("If-Range"))
	for _, header := range seen {
		assert.Empty(t, header.Get("Authorization"))
		assert.Empty(t, header.Get("Referer"))
	}
}

func TestDownload_Filename(t *testing.T) {
	for disposition, want := range map[string]string{
		`attachment; filename="a b.elf"`:                                        "a b.elf",
		`attachment; filename*=UTF-8''k%C3%BC.so`:                               "kü.so",
		`attachment; filename="../../etc/passwd"`:                               "passwd",
		`attachment; filename="C:\\dir\\x.elf"`:                                 "x.elf",
		`attachment; filename="dir/.."`:                                         "",
		`attachment; filename="/"`:                                              "",
		`attachment; filename="CON"`:                                            "_CON",
		`attachment; filename="com1.log"`:                                       "_com1.log",
		`attachment; filename="Nul .txt"`:                                       "_Nul .txt",
		`attachment; filename="console.log"`:                                    "console.log",
		`attachment; filename="a:b.txt"`:                                        "a_b.txt",
		`attachment; filename="a<b>|?*.txt"`:                                    "a_b____.txt",
		`attachment; filename="a.bin. ."`:                                       "a.bin",
		`attachment; filename=". ."`:                                            "",
		"attachment; filename=\"" + strings.Repeat("n", 300) + ".elf\"":         strings.Repeat("n", 251) + ".elf",
		"attachment; filename*=UTF-8''" + strings.Repeat("%C3%BC", 200) + ".so": strings.Repeat("ü", 126) + ".so",
		"attachment; filename=\"a." + strings.Repeat("n", 300) + "\"":           "a." + strings.Repeat("n", 253),
		`attachment`: "",
		`;;`:         "",
		``:           "",
	} {
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Disposition", disposition)
			_, _ = io.WriteString(w, "x")
		})
		got, err := client.Coredumps.DownloadSymbols(t.Context(), sink, 1, io.Discard)
		require.NoError(t, err)
		assert.Equal(t, want, got.Filename, disposition)
	}
}

func TestDownload_ConstantMemory(t *testing.T) {
	const size = 64 << 20
	part := make([]byte, 1<<16)
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for range size / len(part) {
			_, _ = w.Write(part)
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := download(t.Context(), client, 1, io.Discard)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.Equal(t, int64(size), got.Size)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}

func ExampleCoredumpsService_Download_asELF() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	id := cloud.AddCoredumps(memfaulttest.Coredump{DeviceSerial: "ABCD1234", ELF: []byte("\x7fELF…"), NotReady: 1})[0]
	client := cloud.Client(nil)

	for {
		var file bytes.Buffer // rather a file
		download, err := client.Coredumps.Download(context.Background(), cloud.Project(), id, &file, memfault.CoredumpDownloadOptions{Format: memfault.CoredumpFormatELF})
		if errors.Is(err, memfault.ErrNotReady) {
			fmt.Println("not ready") // come back later
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(download.Size, "bytes, MD5", download.MD5)
		break
	}
	// Output:
	// not ready
	// 7 bytes, MD5 1b265a4efc40a24836ff1bd728afd225
}

func TestDownload_HTMLPageInsteadOfFile(t *testing.T) {
	requests := 0
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>sign in</body></html>")
	})
	var file bytes.Buffer
	_, err := client.Coredumps.Download(t.Context(), sink, 1, &file, memfault.CoredumpDownloadOptions{})
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	_, err = client.Coredumps.DownloadSymbols(t.Context(), sink, 1, &file)
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	assert.Empty(t, file.String())
	assert.Equal(t, 2, requests)

	_, err = client.Recordings.Download(t.Context(), sink, "r1", &file)
	require.NoError(t, err, "a recording can be an HTML page")
	assert.Contains(t, file.String(), "sign in")
}
