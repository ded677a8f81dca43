package memfaulttest_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
	"github.com/memfault-go/memfault/memfaulttest"
)

// board is a server with a device that sends messages, and what can be read of them.
type board struct {
	*memfaulttest.Server
	t       *testing.T
	client  *memfault.Client
	gateway *memfault.Client
}

func newBoard(t *testing.T) *board {
	t.Helper()
	cloud := memfaulttest.NewServer(t)
	return &board{cloud, t, cloud.Client(t), cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))}
}

// captured is the time of the events of package firmware.
var captured = time.Unix(1700000000, 0).UTC()

// send sends a message in chunks of 30 bytes.
func (b *board) send(serial string, kind chunk.MessageType, payload []byte) {
	b.t.Helper()
	chunks := firmware.Chunks(firmware.Message(kind, "", kind == chunk.MessageCoredump, payload), 30, firmware.CRCAfter)
	require.NoError(b.t, b.gateway.Chunks.Upload(b.t.Context(), serial, chunks))
}

func (b *board) event(serial string, kind chunk.EventType, info any, more ...any) {
	b.t.Helper()
	b.send(serial, chunk.MessageEvent, firmware.CBOR(append(firmware.Event(kind, info), more...)))
}

func collect[T any](b *board, pager *memfault.Pager[T]) []T {
	b.t.Helper()
	items, err := pager.Collect(b.t.Context())
	require.NoError(b.t, err)
	return items
}

func (b *board) device(serial string) *memfault.Device {
	b.t.Helper()
	d, err := b.client.Devices.Get(b.t.Context(), b.Project(), serial)
	require.NoError(b.t, err)
	return d
}

func (b *board) issues() []memfault.Issue {
	return collect(b, b.client.Issues.List(b.Project(), memfault.IssueListOptions{}))
}

func (b *board) traces() []memfault.Trace {
	return collect(b, b.client.Traces.List(b.Project(), memfault.TraceListOptions{}))
}

func (b *board) log() (messages []string) {
	for _, e := range collect(b, b.client.ProcessingLog.List(b.Project(), memfault.ProcessingLogListOptions{})) {
		var fields struct {
			Level   string `json:"level"`
			Serial  string `json:"device_serial"`
			Message string `json:"message"`
		}
		require.NoError(b.t, json.Unmarshal(e.Raw, &fields))
		messages = append(messages, fields.Level+" "+fields.Serial+" "+fields.Message)
	}
	return messages
}

func TestChunks_RebootNamesDevice(t *testing.T) {
	b := newBoard(t)
	reboot := firmware.Map{1, 0x0007, 4, 17, 5, 0}
	b.event("URL-1", chunk.EventTrace, reboot)
	d := b.device("URL-1")
	assert.Equal(t, "1.2.3+host", d.LastSeenSoftwareVersion.Version)
	assert.Equal(t, "main-fw", d.LastSeenSoftwareVersion.SoftwareType.Name)
	assert.Equal(t, "evt-1", d.HardwareVersion.Name)
	reboots := collect(b, b.client.Devices.ListReboots(b.Project(), "URL-1", memfault.RebootListOptions{}))
	require.Len(t, reboots, 1)
	assert.Equal(t, memfault.RebootReasonPowerOnReset, reboots[0].Reason)
	assert.Equal(t, captured, reboots[0].Time.Time)
	assert.EqualValues(t, 17, *reboots[0].MCUReasonRegister)
	assert.Empty(t, b.issues(), "no error")

	b.event("URL-1", chunk.EventTrace, reboot, 7, "BOARD-2")
	assert.Equal(t, "1.2.3+host", b.device("BOARD-2").LastSeenSoftwareVersion.Version)
	assert.Len(t, collect(b, b.client.Devices.ListReboots(b.Project(), "BOARD-2", memfault.RebootListOptions{})), 1)
	assert.Len(t, collect(b, b.client.Devices.ListReboots(b.Project(), "URL-1", memfault.RebootListOptions{})), 1, "the data names another one")
	assert.Len(t, b.Messages("URL-1"), 2)
	assert.Empty(t, b.Messages("BOARD-2"), "by the serial of the request")
	assert.Empty(t, b.log())
}

func TestChunks_ErrorsBecomeIssues(t *testing.T) {
	b := newBoard(t)
	b.event("A", chunk.EventTrace, firmware.Map{1, 0x8001, 2, 0x0800_1000, 3, 0x0800_2000, 5, 0})
	b.event("B", chunk.EventTrace, firmware.Map{1, 0x8001, 2, 0x0800_1000, 5, 0})
	b.event("B", chunk.EventTrace, firmware.Map{1, 0x8001, 2, 0x0800_1004, 5, 0})
	b.event("B", chunk.EventTrace, firmware.Map{6, 2, 2, 0x0800_1000, 7, -5, 8, []byte("write failed: EIO")})
	b.event("B", chunk.EventTrace, firmware.Map{1, 0x9400, 2, 0x0800_1000, 5, 1}) // the coredump follows
	titles := map[string]int{}
	for _, i := range b.issues() {
		titles[i.Title] = i.TraceCount
	}
	assert.Equal(t, map[string]int{"Assert at 0x8001000": 2, "Assert at 0x8001004": 1, "trace reason 2 at 0x8001000": 1}, titles)
	traces := b.traces()
	require.Len(t, traces, 4)
	for _, trace := range traces {
		assert.Equal(t, "1.2.3+host", trace.Version())
		assert.Equal(t, captured, trace.CapturedDate.Time)
		assert.Equal(t, memfault.TraceSourceEvent, trace.SourceType)
		assert.Equal(t, strings.HasPrefix(trace.Title, "trace reason"), trace.Message == "write failed: EIO", trace.Title)
		detail, err := b.client.Traces.Get(t.Context(), b.Project(), trace.ID)
		require.NoError(t, err)
		require.NotEmpty(t, detail.Entries.Threads)
		for _, frame := range detail.Entries.Threads[0].Stacktrace {
			assert.Nil(t, frame.Function, "no symbols were used")
		}
	}
	events := collect(b, b.client.Events.List(b.Project(), memfault.EventListOptions{Type: []string{"trace"}}))
	require.Len(t, events, 1)
	assert.JSONEq(t, `{"user_reason":2,"pc":134221824,"lr":0,"status":-5,"log":"write failed: EIO"}`, string(events[0].EventInfo.RawMessage))
}

func TestChunks_LogsAndRecordings(t *testing.T) {
	b := newBoard(t)
	b.event("A", chunk.EventLogsTimed, []any{1700000001, 1, "boot", 1700000002, 3, "lost the modem", 1700000003, 0, []byte("compact")})
	b.send("A", chunk.MessageLog, firmware.CBOR(firmware.Event(chunk.EventLogs, []any{2, "low battery"})))
	files := collect(b, b.client.Devices.ListLogFiles(b.Project(), "A", memfault.LogFileListOptions{}))
	var text bytes.Buffer
	for _, f := range files {
		_, err := b.client.Devices.DownloadLogFile(t.Context(), b.Project(), "A", f.CID, &text)
		require.NoError(t, err)
	}
	assert.Equal(t, "2023-11-14T22:13:21Z [I] boot\n2023-11-14T22:13:22Z [E] lost the modem\n2023-11-14T22:13:23Z [D] (compact log, 7 bytes)\n[W] low battery\n", text.String())

	b.send("A", chunk.MessageRecording, firmware.CBOR(firmware.Event(chunk.EventRecording, firmware.Map{
		1, 5000, 2, []any{"text/csv"}, 3, "button", 4, []byte("a,b"),
	})))
	recordings := collect(b, b.client.Recordings.ListForDevice(b.Project(), "A", memfault.DeviceRecordingListOptions{}))
	require.Len(t, recordings, 1)
	assert.Equal(t, "button", recordings[0].Reason)
	assert.Equal(t, []string{"text/csv"}, recordings[0].MIMETypes)
	assert.Equal(t, captured, recordings[0].StartTime.Time)
	assert.Equal(t, captured.Add(5*time.Second), recordings[0].EndTime.Time)
	text.Reset()
	_, err := b.client.Recordings.Download(t.Context(), b.Project(), recordings[0].ID, &text)
	require.NoError(t, err)
	assert.Equal(t, "a,b", text.String())
	assert.Empty(t, b.log())
}

// metrics are a heartbeat of a firmware with three metrics, of which one is not set.
var metrics = firmware.Map{1, []any{87, nil, "mfw_1.3.5"}}

func TestChunks_HeartbeatWithNames(t *testing.T) {
	b := newBoard(t)
	b.event("A", chunk.EventHeartbeat, metrics)
	assert.Equal(t, []string{"error A The names of 2 metrics are unknown: no symbols"}, b.log())
	assert.Empty(t, collect(b, b.client.Metrics.ListReports(b.Project(), memfault.DeviceReportListOptions{})))

	b.AddMetricNames("a", "b")
	b.AddMetricNames("battery_level", "unset", "modem_fw")
	for _, m := range []memfault.CustomMetricCreate{{StringKey: "Battery_Level", DataType: "INT"}, {StringKey: "modem_fw", DataType: "BOOL"}, {StringKey: "other", DataType: "INT"}} {
		_, err := b.client.Metrics.CreateCustomMetric(t.Context(), b.Project(), m)
		require.NoError(t, err)
	}
	b.event("A", chunk.EventHeartbeat, append(firmware.Map{2, 1}, metrics...))
	reports := collect(b, b.client.Metrics.ListReports(b.Project(), memfault.DeviceReportListOptions{}))
	require.Len(t, reports, 1)
	assert.JSONEq(t, `{"metrics":{"battery_level":87,"modem_fw":"mfw_1.3.5"}}`, string(reports[0].RawMessage))
	attributes, err := b.client.Devices.AttributeMap(t.Context(), b.Project(), "A")
	require.NoError(t, err)
	level, ok := attributes.Float("Battery_Level")
	assert.True(t, ok)
	assert.InDelta(t, 87, level, 0)
	assert.Equal(t, "error A The metric modem_fw is not a valid BOOL", b.log()[1])
}

// symbolFile is the symbol file of a firmware with the metrics of TestChunks_Heartbeat.
func symbolFile(id []byte) []byte {
	file := elffile.File{Sections: append(elffile.Enumerators(
		elffile.Enumerator{Name: "kMfltMetricsIndex_heartbeat__battery_level"}, elffile.Enumerator{Name: "kMfltMetricsIndex_heartbeat__unset", Value: 1},
		elffile.Enumerator{Name: "kMfltMetricsIndex_heartbeat__modem_fw", Value: 2}, elffile.Enumerator{Name: "kMfltTraceReasonUser_flash_error", Value: 2},
	), elffile.BuildID(binary.LittleEndian, id))}
	return file.Bytes()
}

func (b *board) uploadSymbols(content []byte) {
	b.t.Helper()
	file := &memfault.File{Name: "app.elf", Size: int64(len(content)), Content: bytes.NewReader(content)}
	_, err := b.client.Uploads.Symbols(b.t.Context(), b.Project(), file, memfault.SymbolsOptions{})
	require.NoError(b.t, err)
}

var buildID = bytes.Repeat([]byte{0xc0, 0xff, 0xee, 0x12}, 5)

func TestChunks_NamesInSymbols(t *testing.T) {
	b := newBoard(t)
	b.uploadSymbols(symbolFile(buildID))
	b.event("A", chunk.EventHeartbeat, metrics, 11, buildID[:6])
	b.event("A", chunk.EventTrace, firmware.Map{6, 2}, 11, buildID[:6])
	b.event("A", chunk.EventTrace, firmware.Map{6, 2}, 11, []byte("other."))
	reports := collect(b, b.client.Metrics.ListReports(b.Project(), memfault.DeviceReportListOptions{}))
	require.Len(t, reports, 1)
	assert.JSONEq(t, `{"metrics":{"battery_level":87,"modem_fw":"mfw_1.3.5"}}`, string(reports[0].RawMessage))
	var titles []string
	for _, i := range b.issues() {
		titles = append(titles, i.Title)
	}
	assert.Equal(t, []string{"flash_error", "trace reason 2"}, titles)
	assert.Empty(t, b.log())
	b.event("A", chunk.EventHeartbeat, firmware.Map{1, []any{1, 2}}, 11, buildID[:6])
	assert.Len(t, b.log(), 2, "the names do not fit, and the metrics have no names")
}

// hardFault is the coredump of a Cortex-M device after a hard fault.
func hardFault(more ...firmware.Block) []byte {
	registers := make([]byte, 4*16)
	binary.LittleEndian.PutUint32(registers[4*14:], 0x0800_2000)
	binary.LittleEndian.PutUint32(registers[4*15:], 0x0800_1000)
	return firmware.Coredump(0, append([]firmware.Block{
		{Kind: 0, Data: registers},
		{Kind: 1, Address: 0x2000_0000, Data: []byte(strings.Repeat("the stack ", 40))},
		{Kind: 5, Data: []byte{0x00, 0x94, 0, 0}},
		{Kind: 7, Data: []byte{byte(elf.EM_ARM), 0, 0, 0}},
		{Kind: 10, Data: []byte("1.2.3+host")},
		{Kind: 11, Data: []byte("main-fw")},
		{Kind: 4, Data: []byte("evt-1")},
	}, more...)...)
}

func TestChunks_CoredumpIsReadBack(t *testing.T) {
	for name, upload := range map[string]func(*board, []byte) error{
		"chunks": func(b *board, dump []byte) error {
			b.send("URL-1", chunk.MessageCoredump, dump)
			return nil
		},
		"raw coredump": func(b *board, dump []byte) error {
			file := &memfault.File{Name: "dump", Size: int64(len(dump)), Content: bytes.NewReader(dump)}
			_, err := b.gateway.Uploads.RawCoredump(t.Context(), file)
			return err
		},
	} {
		for _, symbolsFirst := range []bool{true, false} {
			t.Run(fmt.Sprint(name, symbolsFirst), func(t *testing.T) {
				b := newBoard(t)
				b.t = t
				dump := hardFault(firmware.Block{Kind: 2, Data: []byte("BOARD-1")}, firmware.Block{Kind: 12, Data: buildID})
				symbols := symbolFile(buildID)
				if symbolsFirst {
					b.uploadSymbols(symbols)
				}
				require.NoError(t, upload(b, dump))
				if !symbolsFirst {
					b.uploadSymbols(symbolFile(bytes.Repeat([]byte{1}, 20)))
					b.uploadSymbols(symbols)
				}
				d := b.device("BOARD-1")
				assert.Equal(t, "1.2.3+host", d.LastSeenSoftwareVersion.Version)
				assert.Equal(t, "evt-1", d.HardwareVersion.Name)
				issues := b.issues()
				require.Len(t, issues, 1)
				assert.Equal(t, "HardFault at 0x8001000", issues[0].Title)
				trace, err := b.client.Traces.Get(t.Context(), b.Project(), b.traces()[0].ID)
				require.NoError(t, err)
				assert.Equal(t, "HardFault", trace.Reason)
				assert.Equal(t, "1.2.3+host", trace.Version())
				require.NotNil(t, trace.Coredump)
				require.NotNil(t, trace.Coredump.SymbolFile)
				var content bytes.Buffer
				_, err = b.client.Coredumps.Download(t.Context(), b.Project(), trace.Coredump.ID, &content, memfault.CoredumpDownloadOptions{})
				require.NoError(t, err)
				assert.Equal(t, dump, content.Bytes(), "as it came")
				content.Reset()
				_, err = b.client.Coredumps.DownloadSymbols(t.Context(), b.Project(), trace.Coredump.SymbolFile.ID, &content)
				require.NoError(t, err)
				assert.Equal(t, symbols, content.Bytes())
				assert.Empty(t, b.log())
			})
		}
	}
}

// The version decides which symbols are those of a coredump without a build ID.
func TestChunks_CoredumpWithoutBuildID(t *testing.T) {
	b := newBoard(t)
	b.send("A", chunk.MessageCoredump, hardFault())
	content := memfaulttest.SymbolFile(nil)
	file := &memfault.File{Name: "app.elf", Size: int64(len(content)), Content: bytes.NewReader(content)}
	_, err := b.client.Uploads.Symbols(t.Context(), b.Project(), file, memfault.SymbolsOptions{SoftwareType: "main-fw", SoftwareVersion: "1.2.3+host"})
	require.NoError(t, err)
	trace, err := b.client.Traces.Get(t.Context(), b.Project(), b.traces()[0].ID)
	require.NoError(t, err)
	require.NotNil(t, trace.Coredump.SymbolFile)
	b.Report("A", "2.0.0")
	b.send("A", chunk.MessageCoredump, hardFault(firmware.Block{Kind: 1, Data: []byte("another one")}))
	assert.Equal(t, "2.0.0", b.device("A").LastSeenSoftwareVersion.Version, "a coredump does not lower the version")
}

func TestChunks_UnreadableContent(t *testing.T) {
	b := newBoard(t)
	b.send("A", chunk.MessageEvent, []byte{0xff, 0xff})
	b.send("A", chunk.MessageCoredump, []byte("CORE"))
	b.event("A", chunk.EventTrace, firmware.Map{1, 7, 5, 0}, 7, "no serial")
	log := b.log()
	require.Len(t, log, 3)
	assert.Contains(t, log[0], "error A Unreadable data: chunk: event: ")
	assert.Contains(t, log[1], "error A Unreadable data: chunk: coredump: byte 0")
	assert.Equal(t, "error A Unreadable data: the device serial is not valid", log[2])
	assert.Zero(t, b.DamagedChunks("A"), "the messages arrived as they were sent")
	assert.Len(t, b.Messages("A"), 3)
	assert.Len(t, collect(b, b.client.Devices.List(b.Project(), memfault.DeviceListOptions{})), 1)
	b.send("A", 5, []byte("PK")) // an archive of memfaultd
	assert.Equal(t, chunk.MessageMAR, b.Messages("A")[3].Type)
}

func TestAddMetricNames_Misspelled(t *testing.T) {
	cloud := memfaulttest.NewServer(&recordingTB{TB: t})
	defer cloud.Close()
	cloud.AddMetricNames("a", "")
	cloud.AddMetricNames("a", "b", "a")
	assert.Equal(t, []string{"the test adds a metric without name", `the test adds the metric "a" twice`}, cloud.Violations())
}

// messages returns three messages in chunks of 20 bytes, which all differ.
func messages(serial string) (all [][]byte) {
	for i := range 3 {
		var line strings.Builder
		for word := range 10 {
			fmt.Fprintf(&line, "%s%d.%d é ", serial, i, word)
		}
		all = append(all, memfaulttest.LogChunks(line.String(), 20)...)
	}
	return all
}

func TestDamage_IsFound(t *testing.T) {
	chunks := messages("A")
	n := len(chunks) / 3
	require.Len(t, chunks, 3*n)
	require.Greater(t, n, 3)
	flipped := func(at int) [][]byte {
		all := slices.Clone(chunks)
		all[at] = slices.Clone(all[at])
		all[at][len(all[at])-3] ^= 0x10
		return all
	}
	replaced := func(at int, with ...[]byte) [][]byte { return slices.Replace(slices.Clone(chunks), at, at+1, with...) }
	utf8 := func(b []byte) []byte { // what a decoder of Latin-1 makes of it
		var text strings.Builder
		for _, c := range b {
			text.WriteRune(rune(c))
		}
		return []byte(text.String())
	}
	swapped := slices.Clone(chunks)
	swapped[n+1], swapped[n+2] = swapped[n+2], swapped[n+1]
	whole := memfaulttest.LogChunks("a message in one chunk", 0)[0]
	var reencoded [][]byte
	for _, c := range chunks {
		reencoded = append(reencoded, utf8(c))
	}
	for name, test := range map[string]struct {
		chunks [][]byte
		whole  int // messages
		text   string
	}{
		"missing first":       {replaced(n), 2, "no first chunk"},
		"missing":             {replaced(n + 1), 2, "gap"},
		"missing last":        {replaced(2*n - 1), 2, "unfinished"},
		"missing at the end":  {replaced(3*n - 1), 2, "unfinished"},
		"swapped":             {swapped, 2, "gap"},
		"repeated":            {replaced(n+1, chunks[n+1], chunks[n+1]), 2, "overlap"},
		"repeated first":      {replaced(n, chunks[n], chunks[n]), 3, "unfinished"},
		"repeated last":       {replaced(2*n-1, chunks[2*n-1], chunks[2*n-1]), 3, "overlap"},
		"repeated message":    {slices.Concat(chunks, chunks[:n]), 4, "arrived twice"},
		"repeated one chunk":  {slices.Concat(chunks, [][]byte{whole, whole}), 5, "arrived twice"},
		"flipped":             {flipped(n + 1), 2, "wrong CRC"},
		"cut off":             {replaced(2*n-1, chunks[2*n-1][:3]), 2, "cut off"},
		"re-encoded as UTF-8": {reencoded, 0, "encoded as UTF-8"},
		"mixed devices":       {replaced(n+1, chunks[n+1], messages("B")[0], messages("B")[1]), 2, "unfinished"},
		"not a chunk":         {replaced(n+1, []byte("a chunk")), 2, "not a chunk"},
	} {
		t.Run(name, func(t *testing.T) {
			tb := &recordingTB{TB: t}
			b := newBoard(t)
			b.Server = memfaulttest.NewServer(tb)
			b.client, b.gateway = b.Client(t), b.Client(t, memfault.ProjectKey(b.ProjectKey()))
			require.NoError(t, b.gateway.Chunks.Upload(t.Context(), "A", test.chunks), "Memfault accepts them")
			require.Len(t, b.Messages("A"), test.whole)
			if name != "missing at the end" {
				require.Positive(t, b.DamagedChunks("A"))
				assert.Contains(t, b.log()[0], "error A Damaged data: ")
				assert.Contains(t, strings.Join(b.log(), "\n"), test.text)
			}
			tb.end()
			require.NotEmpty(t, tb.failures)
			assert.Contains(t, strings.Join(tb.failures, "\n"), test.text)
			assert.Contains(t, tb.failures[0], "damaged chunks of A (see AcceptDamagedChunks): ")
			assert.LessOrEqual(t, len(tb.failures), 3)
			require.Positive(t, b.DamagedChunks("A"))
			assert.Zero(t, b.DamagedChunks("B"))
		})
	}
	b := newBoard(t)
	require.NoError(t, b.gateway.Chunks.Upload(t.Context(), "A", chunks))
	assert.Zero(t, b.DamagedChunks("A"))
	assert.Empty(t, b.log())
	assert.Len(t, b.Messages("A"), 3)
}

func TestAcceptDamagedChunks(t *testing.T) {
	b := newBoard(t)
	b.AcceptDamagedChunks()
	require.NoError(t, b.gateway.Chunks.Upload(t.Context(), "A", [][]byte{[]byte("a chunk"), messages("A")[0]}))
	assert.Equal(t, 1, b.DamagedChunks("A"))
	assert.Len(t, b.log(), 1)
}

// No client can avoid damage that the server causes.
func TestDamage_CausedByTheServer(t *testing.T) {
	chunks := messages("A")
	for name, test := range map[string]struct {
		fault  memfaulttest.Fault
		reject bool // the second chunk
	}{
		"lost response":      {fault: memfaulttest.Fault{DropResponse: true}},
		"cut response":       {fault: memfaulttest.Fault{CutBodyAfter: 2}},
		"rejected":           {fault: memfaulttest.Fault{Status: 400}},
		"accepted, dropped":  {fault: memfaulttest.Fault{Status: 202}},
		"rejected one chunk": {reject: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t) // a violation fails the test
			test.fault.Operation, test.fault.Skip, test.fault.Times = "chunks.upload", 1, 1
			if test.reject {
				b.RejectChunks(func(chunk []byte) int {
					if bytes.Equal(chunk, chunks[1]) {
						return 400
					}
					return 0
				})
			} else {
				b.Fail(test.fault)
			}
			for i := 0; i < len(chunks); i += 2 {
				_ = b.gateway.Chunks.Upload(t.Context(), "A", chunks[i:min(i+2, len(chunks))]) // 400 is not retried
			}
			assert.NotEmpty(t, b.Messages("A"))
			assert.Equal(t, name != "cut response", b.DamagedChunks("A") > 0, "the client does not need the body")
			b.send("A", chunk.MessageLog, firmware.CBOR(firmware.Event(chunk.EventLogs, []any{1, "the next one"})))
		})
	}
}

// A relay that was killed sends again what it had not noted. It began with the first chunk of a
// message.
func TestDamage_SentAgainAfterAFailure(t *testing.T) {
	b := newBoard(t)
	chunks := memfaulttest.LogChunks("a line that takes two chunks", 25)
	require.Len(t, chunks, 2)
	require.NoError(t, b.gateway.Chunks.Upload(t.Context(), "A", chunks[:1]))
	b.Fail(memfaulttest.Fault{Status: 503, Times: 1})
	require.Error(t, b.gateway.Chunks.Upload(t.Context(), "A", chunks[1:2], memfault.WithoutRetry()))
	require.NoError(t, b.gateway.Chunks.Upload(t.Context(), "A", chunks))
	assert.Len(t, b.Messages("A"), 1)
}

// A relay that gives up after a 503 loses a chunk.
func TestDamage_GivenUpAfterAFailure(t *testing.T) {
	tb := &recordingTB{TB: t}
	cloud := memfaulttest.NewServer(tb)
	gateway := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
	cloud.Fail(memfaulttest.Fault{Status: 503, Skip: 1, Times: 1})
	for _, c := range messages("A") {
		_ = gateway.Chunks.Upload(t.Context(), "A", [][]byte{c}, memfault.WithoutRetry()) // and goes on
	}
	tb.end()
	require.Len(t, tb.failures, 1)
	assert.Contains(t, tb.failures[0], "gap")
}

// A device without a clock sends equal heartbeats.
func TestDamage_EqualMessageLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		gateway := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
		for range 3 {
			require.NoError(t, gateway.Chunks.Upload(t.Context(), "A", memfaulttest.LogChunks("tick", 0)))
			time.Sleep(time.Minute)
		}
		assert.Len(t, cloud.Messages("A"), 3)
	})
}

func TestChunks_ManyDevicesConcurrently(t *testing.T) {
	b := newBoard(t)
	var wg sync.WaitGroup
	for i := range 8 {
		serial := fmt.Sprint("D", i)
		wg.Go(func() {
			for _, c := range messages(serial) {
				if err := b.gateway.Chunks.Upload(t.Context(), serial, [][]byte{c}); err != nil {
					t.Error(err)
				}
				b.Messages(serial)
				b.DamagedChunks(serial)
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		assert.Len(t, b.Messages(fmt.Sprint("D", i)), 3)
	}
}

func TestLogChunks(t *testing.T) {
	for size, want := range map[int]int{0: 1, 9: 4, 20: 2, 1000: 1, 1: 4} {
		chunks := memfaulttest.LogChunks("valve opened", size)
		assert.Len(t, chunks, want, size)
		var a chunk.Assembler
		var m *chunk.Message
		for _, c := range chunks {
			var err error
			m, err = a.Add(c)
			require.NoError(t, err)
			if size >= 9 {
				assert.LessOrEqual(t, len(c), size)
			}
		}
		events, err := m.Events()
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.Len(t, events[0].Logs, 1)
		assert.Equal(t, "valve opened", events[0].Logs[0].Text)
	}
}
