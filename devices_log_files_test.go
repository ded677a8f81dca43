package memfault_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return packed.Bytes()
}

// readLog returns the lines of a log file until an error.
func readLog(ctx context.Context, client *memfault.Client) ([]memfault.LogLine, error) {
	var lines []memfault.LogLine
	for line, err := range client.Devices.ReadLogFile(ctx, sink, "A", "c") {
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func TestReadLogFile_Forms(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	text := func(lines ...string) (all []memfault.LogLine) {
		for _, line := range lines {
			all = append(all, memfault.LogLine{Line: line})
		}
		return all
	}
	objects := "{\"line\":\"one\",\"level\":\"I\"}\n\n{\"ts\":2,\"line\":\"two \\u00fc\"}\r\nno object\n{\"other\":1}\n"
	asObjects := []memfault.LogLine{
		{Line: "one", JSON: []byte(`{"line":"one","level":"I"}`)},
		{Line: "two ü", JSON: []byte(`{"ts":2,"line":"two \u00fc"}`)},
		{Line: "no object"},
		{Line: `{"other":1}`},
	}
	for name, c := range map[string]struct {
		content []byte
		want    []memfault.LogLine
	}{
		"empty":             {nil, nil},
		"one byte":          {[]byte("x"), text("x")},
		"text":              {[]byte("one\n\ntwo\r\nthree\n"), text("one", "", "two", "three")},
		"no last line end":  {[]byte("one\ntwo"), text("one", "two")},
		"long lines":        {[]byte(long + "\n" + long + long + "\nend"), text(long, long+long, "end")},
		"text, packed":      {gzipped(t, "one\n"+long+"\n"), text("one", long)},
		"objects":           {[]byte(objects), asObjects},
		"objects, packed":   {gzipped(t, objects), asObjects},
		"packed twice over": {append(gzipped(t, "one\n"), gzipped(t, "two\n")...), text("one", "two")},
		"text first":        {[]byte("{boot}\n{\"line\":\"one\"}\n"), text("{boot}", `{"line":"one"}`)},
		"not a text":        {[]byte("{\"line\":1}\n"), text(`{"line":1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			cloud.SetLogFile("A", "c", c.content)
			got, err := readLog(t.Context(), client)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestReadLogFile_ResumesAfterBrokenConnection(t *testing.T) {
	cloud, client := newCloud(t)
	var content strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&content, "{\"line\":\"line %d\"}\n", i)
	}
	cloud.SetLogFile("A", "c", gzipped(t, content.String()))
	cloud.Fail(memfaulttest.Fault{CutBodyAfter: 5000, Times: 3})
	lines, err := readLog(t.Context(), client)
	require.NoError(t, err)
	require.Len(t, lines, 10_000)
	assert.Equal(t, "line 9999", lines[9999].Line)

	cloud.SetLogFile("A", "c", []byte("one\ntwo\nthree"))
	cloud.Heal()
	cloud.Fail(memfaulttest.Fault{CutBodyAfter: 10, Times: 1})
	cloud.Fail(memfaulttest.Fault{CutBodyAfter: -1})
	errorsSeen := 0
	var got []string
	for line, err := range client.Devices.ReadLogFile(t.Context(), sink, "A", "c") {
		if err != nil {
			errorsSeen++
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Equal(t, 1, strings.Count(err.Error(), "memfault: device_log_files.download"))
			assert.Zero(t, line)
			continue
		}
		got = append(got, line.Line)
	}
	assert.Equal(t, 1, errorsSeen, "the error must be yielded once")
	assert.Equal(t, []string{"one", "two"}, got, "a truncated line must not be yielded")
}

func TestReadLogFile_DamagedFile(t *testing.T) {
	packed := gzipped(t, strings.Repeat("one\n", 1000))
	wrongSum := bytes.Clone(packed)
	wrongSum[len(wrongSum)-5]++
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"cut":           {packed[:len(packed)-9], "unexpected EOF"},
		"wrong sum":     {wrongSum, "invalid checksum"},
		"header only":   {packed[:2], "EOF"},
		"not packed":    {[]byte("\x1f\x8b is no gzip"), "gzip"},
		"endless line":  {bytes.Repeat([]byte("x"), 16<<20), "line of 16 MiB or more"},
		"endless, long": {bytes.Repeat([]byte("x"), 17<<20), "line of 16 MiB or more"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			cloud.SetLogFile("A", "c", c.content)
			_, err := readLog(t.Context(), client)
			require.ErrorContains(t, err, "memfault: device_log_files.download: ")
			require.ErrorContains(t, err, c.want)
		})
	}
	cloud, client := newCloud(t)
	_, err := readLog(t.Context(), client)
	require.ErrorIs(t, err, memfault.ErrNotFound)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = readLog(ctx, client)
	require.ErrorIs(t, err, context.Canceled)

	almost := strings.Repeat("x", 16<<20-2)
	cloud.SetLogFile("A", "c", []byte(almost+"\nend"))
	lines, err := readLog(t.Context(), client)
	require.NoError(t, err)
	require.Len(t, lines, 2)
}

func TestReadLogFile_StopsWithLoop(t *testing.T) {
	gone := make(chan struct{})
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "one\ntwo\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	for line, err := range client.Devices.ReadLogFile(t.Context(), sink, "A", "c") {
		require.NoError(t, err)
		assert.Equal(t, "one", line.Line)
		break
	}
	<-gone
}

func TestReadLogFile_UsesLittleMemory(t *testing.T) {
	packed := gzipped(t, strings.Repeat(strings.Repeat("x", 1023)+"\n", 64<<10))
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(packed) })
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	lines := 0
	for _, err := range client.Devices.ReadLogFile(t.Context(), sink, "A", "c") {
		require.NoError(t, err)
		if lines++; lines == 60<<10 {
			runtime.GC()
			runtime.ReadMemStats(&during)
		}
	}
	assert.Equal(t, 64<<10, lines)
	assert.Less(t, int64(during.HeapAlloc)-int64(before.HeapAlloc), int64(2<<20))
}

func ExampleDevicesService_ReadLogFile_lines() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.SetLogFile("ABCD1234", "5c2d0f7e", []byte("boot 1\npump started\n"))
	client := cloud.Client(nil)

	for line, err := range client.Devices.ReadLogFile(context.Background(), cloud.Project(), "ABCD1234", "5c2d0f7e") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(line.Line)
	}
	// Output:
	// boot 1
	// pump started
}
