package main

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
	"github.com/memfault-go/memfault/memfaulttest"
)

// startServer is newServer for a test that sends damaged chunks.
func startServer(t *testing.T) (cloud *memfaulttest.Server, url string) {
	t.Helper()
	cloud, err := memfaulttest.Start()
	require.NoError(t, err)
	t.Cleanup(cloud.Close)
	return cloud, serveHandler(t, cloud)
}

// device encodes messages of a device.
func device(kind chunk.EventType, info any) []byte {
	return firmware.Message(chunk.MessageEvent, "", false,
		firmware.CBOR(pairs{2, int(kind), 3, 1, 10, "main", 9, "2.0.1", 6, "evt-1", 4, info}))
}

func chunks(messages ...[]byte) (all [][]byte) {
	for _, m := range messages {
		all = append(all, firmware.Chunks(m, 40, firmware.CRCAfter)...)
	}
	return all
}

// stream reads the sections that the server sends.
func stream(t *testing.T, url string) (next func() string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/fake/live", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	return func() string {
		var section strings.Builder
		for lines.Scan() {
			line, isData := strings.CutPrefix(lines.Text(), "data: ")
			if !isData {
				return section.String()
			}
			section.WriteString(line + "\n")
		}
		require.NoError(t, lines.Err())
		t.Fatal("the stream ended")
		return ""
	}
}

func TestLive(t *testing.T) {
	cloud, url := startServer(t)
	client := newClient(t, cloud, url).WithAuth(memfault.ProjectKey(cloud.ProjectKey()))
	next := stream(t, url)
	assert.Contains(t, next(), "Nothing yet.")

	// Several uploads may be shown by one section, so each is read before the next.
	upload := func(serial string, data ...[]byte) string {
		require.NoError(t, client.Chunks.Upload(t.Context(), serial, data))
		return next()
	}
	logs := chunks(device(chunk.EventLogs, []any{3, "no <b>water</b>\x1b[2J"}))
	section := upload("A1", logs[0])
	assert.Contains(t, section, "<h3>A1</h3>\n<p><small>1 chunk</small></p>\n<ul>\n</ul>", "the message is incomplete")
	section = upload("A1", logs[1:]...)
	assert.Contains(t, section, "<p><small>main 2.0.1 on evt-1, 2 chunks</small></p>")
	assert.Contains(t, section, "</time> logs: 1 line\n<pre>error: &#34;no &lt;b&gt;water&lt;/b&gt;\\x1b[2J&#34;</pre></li>\n")

	dump := firmware.Message(chunk.MessageCoredump, "", true, firmware.Coredump(0, block(10, "2.0.1"),
		block(2, "B3"), block(5, "\x00\x94\x00\x00"), block(1, "stack")))
	section = upload("B2", chunks(dump, device(chunk.EventTrace, pairs{1, 7, 5, 0}))...)
	assert.Contains(t, section, "</time> coredump HardFault, 92 bytes</li>")
	assert.Less(t, strings.Index(section, "reboot PowerOnReset"), strings.Index(section, "coredump HardFault"), "the newest message must be first")
	assert.Less(t, strings.Index(section, "<h3>B2</h3>"), strings.Index(section, "<h3>A1</h3>"), "the device that sent last must be first")

	section = upload("A1", append(chunks(dump)[1:], []byte("text"))...)
	assert.Contains(t, section, `<li class="damaged"><time>`)
	assert.Contains(t, section, "Damaged: no first chunk in chunk 3")
	assert.Contains(t, section, "Damaged: not a chunk in chunk 4")
	assert.Less(t, strings.Index(section, "<h3>A1</h3>"), strings.Index(section, "<h3>B2</h3>"))
	section = upload("A1", chunks(dump)...)
	assert.Contains(t, section, "2.0.1, calls itself B3, ")
	section = upload("A1", chunks(firmware.Message(chunk.MessageMAR, "", false, []byte("archive")), firmware.Message(chunk.MessageEvent, "", false, []byte{0xa1}))...)
	assert.Contains(t, section, "MAR message of 7 bytes")
	assert.Contains(t, section, "Damaged: event: byte 0: cut off")

	_, page := send(t, http.MethodGet, url+"/", "")
	assert.Contains(t, page, section)

	// An empty chunk has no content that could be shown.
	require.NoError(t, client.Chunks.Upload(t.Context(), "A1", [][]byte{logs[0]}))
	next()
	requireEmptyChunk(t, cloud, url)
	section = upload("A1", logs[1:]...)
	assert.Equal(t, 2, strings.Count(section, "logs: 1 line"), "with the one before")
}

// requireEmptyChunk uploads a chunk without content, which the client refuses to send.
func requireEmptyChunk(t *testing.T, cloud *memfaulttest.Server, url string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v0/chunks/A1", strings.NewReader("\n"))
	require.NoError(t, err)
	request.Header = http.Header{"Memfault-Project-Key": {cloud.ProjectKey()}, "Content-Type": {"application/octet-stream"}, "Content-Encoding": {"base64"}}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusAccepted, response.StatusCode)
}

// What was carried out is shown, also if the response was lost, and nothing else.
func TestLive_Faults(t *testing.T) {
	cloud, url := startServer(t)
	client := newClient(t, cloud, url).WithAuth(memfault.ProjectKey(cloud.ProjectKey()))
	next := stream(t, url)
	next()
	cloud.Fail(memfaulttest.Fault{Status: 503, Times: 1})
	require.Error(t, client.Chunks.Upload(t.Context(), "A1", chunks(device(chunk.EventTrace, pairs{1, 1, 5, 0}))))
	cloud.Heal()
	cloud.Fail(memfaulttest.Fault{DropResponse: true, Times: 1})
	require.Error(t, client.Chunks.Upload(t.Context(), "A1", chunks(device(chunk.EventTrace, pairs{1, 2, 5, 0}))))
	section := next()
	assert.NotContains(t, section, "UserShutdown")
	assert.Contains(t, section, "UserReset")
}

// The server drops the oldest chunks.
func TestSender_Unread(t *testing.T) {
	chunks := [][]byte{{1}, {1}, {2}, {1}}
	s := &sender{}
	assert.Len(t, s.unread(chunks), 4)
	s.last = chunks[1]
	assert.Len(t, s.unread(chunks), 2)
	assert.Len(t, s.unread(chunks[1:]), 2)
	assert.Len(t, s.unread(chunks[2:]), 2, "also the last chunk was dropped")
	s.last = chunks[3]
	assert.Empty(t, s.unread(chunks[3:]))
}

func TestArrivals_Limits(t *testing.T) {
	cloud, url := startServer(t)
	client := newClient(t, cloud, url).WithAuth(memfault.ProjectKey(cloud.ProjectKey()))
	var many [][]byte
	for i := range maxMessages + 5 {
		many = append(many, chunks(device(chunk.EventHeartbeat, pairs{1, []any{i}}))...)
	}
	for i := range maxDevices + 5 {
		require.NoError(t, client.Chunks.Upload(t.Context(), fmt.Sprintf("D%d", i), many))
	}
	_, page := send(t, http.MethodGet, url+"/", "")
	assert.Equal(t, maxDevices, strings.Count(page, "<h3>"))
	assert.Equal(t, maxDevices*maxMessages, strings.Count(page, "<time>"))
	assert.Contains(t, page, "<h3>D24</h3>")
	assert.NotContains(t, page, "<h3>D4</h3>")
	assert.Contains(t, page, "[0]=14")
	assert.NotContains(t, page, "[0]=4<")
}

type pairs = firmware.Map

// block is a block of a coredump.
func block(kind byte, data string) firmware.Block {
	return firmware.Block{Kind: kind, Data: []byte(data)}
}
