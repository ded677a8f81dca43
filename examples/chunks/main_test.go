package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

type pairs = firmware.Map

var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

const (
	start      = 1769860800 // 2026-01-31 12:00:00
	projectKey = "0123456789abcdef0123456789abcdef"
)

// event encodes an event of the device SINK-0001.
func event(kind chunk.EventType, info any, more ...any) pairs {
	return append(pairs{2, int(kind), 3, 1, 7, "SINK-0001", 10, "sink-fw", 9, "2.0.1", 6, "evt-2", 1, start, 4, info}, more...)
}

// without returns a map without a key.
func without(m pairs, key int) (rest pairs) {
	for i := 0; i < len(m); i += 2 {
		if m[i] != key {
			rest = append(rest, m[i], m[i+1])
		}
	}
	return rest
}

func eventMessage(event any) []byte {
	return firmware.Message(chunk.MessageEvent, "", false, firmware.CBOR(event))
}

func coredumpMessage(flags uint32, serial string) []byte {
	return firmware.Message(chunk.MessageCoredump, "", true, firmware.Coredump(flags,
		block(2, 0, []byte(serial)), block(11, 0, []byte("sink-fw")), block(10, 0, []byte("2.0.1")),
		block(4, 0, []byte("evt-2")), block(7, 0, []byte{40, 0, 0, 0}), block(5, 0, []byte{0, 0x94, 0, 0}),
		block(0, 0, binary.LittleEndian.AppendUint64(nil, 0x08001234_20000400)),
		block(1, 0x20000000, []byte("stack of main")), block(1, 0x20001000, []byte(strings.Repeat("valve open, no water; ", 10))), block(3, 0, []byte("old"))))
}

var (
	reboot    = event(chunk.EventTrace, pairs{1, 0x9400, 2, 0x08001234, 5, 1})
	heartbeat = event(chunk.EventHeartbeat, pairs{1, []any{3600, nil, 87}, 2, 0})
	logLines  = event(chunk.EventLogsTimed, []any{start - 2, 1, "valve open", start - 1, 3, "no water"})
)

// chunksOf splits messages into chunks of at most 64 bytes.
func chunksOf(messages ...[]byte) (chunks [][]byte) {
	for _, m := range messages {
		chunks = append(chunks, firmware.Chunks(m, 64, firmware.CRCAfter)...)
	}
	return chunks
}

// asLog returns the log of a device that exports chunks.
func asLog(chunks ...[]byte) string {
	var b strings.Builder
	b.WriteString("*** boot ***\n")
	for _, c := range chunks {
		fmt.Fprintf(&b, "<inf> mflt: MC:%s:\n", base64.StdEncoding.EncodeToString(c))
	}
	return b.String()
}

// read runs the program.
func read(t testing.TB, input string, args ...string) (code int, out, problems string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(args, strings.NewReader(input), &stdout, &stderr, now)
	return code, stdout.String(), stderr.String()
}

const wholeOutput = `line 2, chunk 1: event, 59 bytes, SINK-0001, sink-fw 2.0.1 on evt-2, 2026-01-31 12:00:00 UTC: reboot HardFault, coredump saved, pc 0x08001234
line 3, chunks 2-8: coredump, 426 bytes, SINK-0001, sink-fw 2.0.1 on evt-2: HardFault
    processor    ARM
    thread 1: 8 bytes of registers, in the order of the processor
      [ 0]  0x20000400  0x08001234
    address               bytes  begins with
    0x20000000               13  73 74 61 63 6b 20 6f 66  stack of
    0x20001000              220  76 61 6c 76 65 20 6f 70  valve op
    unknown block of type 3: 3 bytes
line 10, chunk 9: event, 57 bytes, SINK-0001, sink-fw 2.0.1 on evt-2, 2026-01-31 12:00:00 UTC: metrics of session 0: [0]=3600 [2]=87
line 11, chunks 10-11: event, 79 bytes, SINK-0001, sink-fw 2.0.1 on evt-2, 2026-01-31 12:00:00 UTC: logs: 2 lines
    2026-01-31 11:59:58 info: valve open
    2026-01-31 11:59:59 error: no water

4 messages in 11 chunks (log), nothing is damaged
Devices: SINK-0001 (4 messages)

Why a device, or some of its data, may not show up:
- Nothing in these chunks explains it.
- Chunks do not show how they are uploaded. The address must end with the serial, and the header Memfault-Project-Key must be the key of the project (no message contains one). Memfault answers 202 before it decodes; the project's processing log may say what it dropped.
`

func allMessages() [][]byte {
	return [][]byte{eventMessage(reboot), coredumpMessage(0, "SINK-0001"), eventMessage(heartbeat), eventMessage(logLines)}
}

func TestRun_Session(t *testing.T) {
	code, out, problems := read(t, asLog(chunksOf(allMessages()...)...))
	assert.Equal(t, wholeOutput, out)
	assert.Empty(t, problems)
	assert.Equal(t, 0, code)

	file := filepath.Join(t.TempDir(), "device.log")
	require.NoError(t, os.WriteFile(file, []byte(asLog(chunksOf(allMessages()...)...)), 0o600))
	_, same, _ := read(t, "", file)
	assert.Equal(t, out, same)
}

// In each form, the same messages are read. A chunk in a file of bytes has no line.
func TestRun_Forms(t *testing.T) {
	chunks := chunksOf(allMessages()...)
	list, err := json.Marshal(chunks)
	require.NoError(t, err)
	var hexadecimal, lines strings.Builder
	var raw []byte
	for _, c := range chunks {
		fmt.Fprintf(&hexadecimal, "%x\n", c)
		fmt.Fprintf(&lines, "%s\n", base64.StdEncoding.EncodeToString(c))
		raw = append(binary.LittleEndian.AppendUint32(raw, uint32(len(c))), c...)
	}
	withoutPlaces := func(out string) (lines []string) {
		for line := range strings.Lines(out) {
			if _, rest, ok := strings.Cut(line, ", chunk"); ok && !strings.HasPrefix(line, " ") {
				line = rest
			}
			lines = append(lines, strings.NewReplacer("(log)", "", "(base64 text)", "", "(bytes with a length before each chunk)", "").Replace(line))
		}
		return lines
	}
	for name, input := range map[string]string{
		"hexadecimal": hexadecimal.String(), "base64": lines.String(), "JSON": string(list), "bytes": string(raw),
		"UTF-8 with a mark": "\xef\xbb\xbf" + asLog(chunks...),
	} {
		t.Run(name, func(t *testing.T) {
			code, out, _ := read(t, input)
			assert.Equal(t, withoutPlaces(wholeOutput), withoutPlaces(out))
			assert.Equal(t, 0, code)
		})
	}
	_, out, _ := read(t, string(raw))
	assert.Contains(t, out, fmt.Sprintf("byte %d, chunks 2-8: coredump", 4+len(chunks[0])))
}

// The page about firmware tests shows a log, and what the program prints for it; the README shows some of that.
func TestDocs_Output(t *testing.T) {
	blocks := func(path string) (found []string) {
		page, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, block := range regexp.MustCompile("(?sm)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
			if block[1] == "" {
				found = append(found, block[2])
			}
		}
		return found
	}
	shown := blocks("../../docs/firmware-tests.md")
	require.GreaterOrEqual(t, len(shown), 2)
	code, out, _ := read(t, shown[0])
	assert.Equal(t, 1, code)
	before, advice, found := strings.Cut(out, "\nWhy a device, or some of its data, may not show up:\n")
	assert.True(t, found)
	assert.NotEmpty(t, advice)
	assert.Equal(t, shown[1], before)

	excerpt := blocks("README.md")
	require.Len(t, excerpt, 1)
	assert.Subset(t, strings.Split(out, "\n"), strings.Split(strings.TrimSpace(excerpt[0]), "\n"))
}

func TestRun_Damage(t *testing.T) {
	flipped := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)/2] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		change func(chunks [][]byte) string
		want   string // the line of the damage
		lost   int    // messages
		advice finding
	}{
		"missing": {
			func(c [][]byte) string { return asLog(slices.Delete(c, 3, 4)...) },
			"line 5, chunk 4: DAMAGED: gap, bytes 123 to 184 of the message (coredump, 378 bytes) that began in line 3, chunk 2", 1, badOrder,
		},
		"swapped": {
			func(c [][]byte) string { c[3], c[4] = c[4], c[3]; return asLog(c...) },
			"line 5, chunk 4: DAMAGED: gap, bytes 123 to 184 of the message (coredump, 378 bytes) that began in line 3, chunk 2", 1, badOrder,
		},
		"repeated": {
			func(c [][]byte) string { return asLog(slices.Insert(c, 4, c[3])...) },
			"line 6, chunk 5: DAMAGED: overlap, bytes 123 to 184 of the message (coredump, 378 bytes) that began in line 3, chunk 2", 1, badOrder,
		},
		"repeated after the message": {
			func(c [][]byte) string { return asLog(slices.Insert(c, 8, c[7])...) },
			"line 10, chunk 9: DAMAGED: overlap, bytes 368 to 377 of the message (coredump, 378 bytes) that began in line 3, chunk 2", 0, badOrder,
		},
		"flipped": {
			func(c [][]byte) string { c[4] = flipped(c[4]); return asLog(c...) },
			"line 9, chunk 8: DAMAGED: wrong CRC, bytes 0 to 377 of the message (coredump, 378 bytes) that began in line 3, chunk 2", 1, wrongCRC,
		},
		"flipped alone": {
			func(c [][]byte) string { c[0] = flipped(c[0]); return asLog(c...) },
			"line 2, chunk 1: DAMAGED: wrong CRC, bytes 0 to 59 of the message (event, 60 bytes)", 1, wrongCRC,
		},
		"no start": {
			func(c [][]byte) string { return asLog(c[2:]...) },
			"line 2, chunk 1: DAMAGED: no first chunk, bytes 61 to 122 of an unknown message", 2, startsLate,
		},
		"no end": {
			func(c [][]byte) string { return asLog(c[:10]...) },
			"line 11, chunk 10: DAMAGED: unfinished, bytes 62 to 79 of the message (event, 80 bytes)", 1, endsEarly,
		},
		"restart": {
			func(c [][]byte) string { return asLog(slices.Delete(c, 5, 8)...) },
			"line 7, chunk 6: DAMAGED: unfinished, bytes 246 to 377 of the message (coredump, 378 bytes) that began in line 3, chunk 2", 1, badOrder,
		},
		"text": {
			func(c [][]byte) string {
				c[0] = []byte(strings.ToValidUTF8(string(c[0]), "\ufffd"))
				return asLog(c...)
			},
			"line 2, chunk 1: DAMAGED: wrong CRC, bytes 0 to 67 of the message (event, 68 bytes): bytes above 127 were replaced by U+FFFD: the chunk was decoded as text", 1, asText,
		},
		"base64 twice": {
			func(c [][]byte) string { c[0] = []byte(base64.StdEncoding.EncodeToString(c[0])); return asLog(c...) },
			"line 2, chunk 1: DAMAGED: not a chunk: base64 text: decode it", 1, asText,
		},
		"cut line": {func(c [][]byte) string {
			lines := strings.SplitAfter(asLog(c...), "\n")
			lines[1] = lines[1][:40] + "\n"
			return strings.Join(lines, "")
		}, "line 2: DAMAGED: a chunk: cut off at the end of the line", 1, cutLine},
		"damaged line": {
			func(c [][]byte) string { return strings.Replace(asLog(c...), "MC:CAK", "MC:C\x1b[", 1) },
			`line 2: DAMAGED: a chunk: invalid character "\x1b"`, 1, damagedLine,
		},
		"cut log": {func(c [][]byte) string {
			return strings.TrimSuffix(asLog(c[:9]...), ":\n")
		}, "line 10: DAMAGED: a chunk: cut off at the end of the log", 2, endsEarly},
		"bytes cut off": {func(c [][]byte) string {
			var file []byte
			for _, data := range append(c, []byte{8, 1, 2}) {
				file = append(binary.LittleEndian.AppendUint32(file, uint32(len(data))), data...)
			}
			return string(file[:len(file)-1])
		}, "byte 653: DAMAGED: a chunk: cut off at the end of the file: it has 2 bytes of the chunk", 0, badLength},
		"content": {func(c [][]byte) string {
			c[0] = firmware.Chunks(firmware.Message(chunk.MessageEvent, "", false, []byte{0xa1, 1}), 64, firmware.CRCAfter)[0]
			return asLog(c...)
		}, "line 2, chunk 1: DAMAGED: event: byte 2: cut off", 0, badContent},
	} {
		t.Run(name, func(t *testing.T) {
			chunks := chunksOf(allMessages()...)
			code, out, _ := read(t, c.change(chunks))
			assert.Equal(t, 1, code)
			assert.Contains(t, "\n"+out, "\n"+c.want+"\n")
			assert.Contains(t, out, fmt.Sprintf("\n%d messages in ", 4-c.lost))
			assert.Contains(t, out, "1 place damaged")
			assert.Equal(t, 1, strings.Count(out, "DAMAGED"))
			assert.Contains(t, out, "- "+advice[c.advice]+" (")
			assert.NotContains(t, out, "Nothing in these chunks explains it")
			_, out, problems := read(t, c.change(chunksOf(allMessages()...)), "-json")
			objects := decode(t, out)
			damaged := slices.DeleteFunc(objects, func(o map[string]any) bool { return o["damage"] == nil })
			require.Len(t, damaged, 1)
			assert.Contains(t, problems, "- "+advice[c.advice])
		})
	}
}

// decode returns the objects of the output with -json.
func decode(t testing.TB, out string) (objects []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out) {
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &object), line)
		objects = append(objects, object)
	}
	return objects
}

// Each reason for a device that does not show up is found, and no other.
func TestRun_Findings(t *testing.T) {
	messages := func(m ...[]byte) string { return asLog(chunksOf(m...)...) }
	events := func(e ...any) string {
		var all [][]byte
		for _, event := range e {
			all = append(all, eventMessage(event))
		}
		return messages(all...)
	}
	many := make([]any, 101)
	for i := range many {
		many[i] = event(chunk.EventHeartbeat, pairs{1, []any{i}})
	}
	recording := func(data string) pairs {
		return event(chunk.EventRecording, pairs{1, 5, 2, []any{"text/csv"}, 3, "button", 4, []byte(data)})
	}
	key := func(key string) []byte {
		return firmware.Message(chunk.MessageEvent, key, false, firmware.CBOR(heartbeat))
	}
	for name, c := range map[string]struct {
		input, serial string
		code          int
		want          []string
	}{
		"nothing":             {events(heartbeat), "SINK-0001", 0, []string{"Nothing in these chunks explains it.", "no message contains one"}},
		"empty":               {"", "", 1, []string{"The file is empty."}},
		"no chunk":            {"*** boot ***\nno modem\n", "", 1, []string{"The file has no chunk: no MC: line"}},
		"a chunk of bytes":    {"\x08\x02\xa7\x02\x01\x03\x01", "", 1, []string{"begins with 0x08, as a chunk does"}},
		"another device":      {events(heartbeat), "SINK-0002", 0, []string{advice[otherSerial]}},
		"no serial":           {events(without(heartbeat, 7)), "", 0, []string{"No message names its device"}},
		"no serial, but -s":   {events(without(heartbeat, 7)), "SINK-0002", 0, []string{"Nothing in these chunks explains it."}},
		"serial with a blank": {events(append(without(heartbeat, 7), 7, "SINK 1")), "", 0, []string{advice[badSerial]}},
		"no software version": {events(without(heartbeat, 9)), "", 0, []string{advice[noVersion]}},
		"no hardware version": {events(without(heartbeat, 6)), "", 0, []string{advice[noHardware]}},
		"version with a line": {events(append(without(heartbeat, 9), 9, "2.0.1\n")), "", 0, []string{advice[badVersion]}},
		"clock not set":       {events(append(without(heartbeat, 1), 1, 86400)), "", 0, []string{advice[wrongClock]}},
		"clock in the future": {events(append(without(heartbeat, 1), 1, start+2*86400)), "", 0, []string{advice[wrongClock]}},
		"no clock":            {events(without(heartbeat, 1)), "", 0, []string{"Nothing in these chunks explains it."}},
		"the same twice":      {events(heartbeat, heartbeat), "", 0, []string{advice[repeated]}},
		"coredump cut off":    {messages(coredumpMessage(1, "SINK-0001")), "", 0, []string{advice[truncated]}},
		"no coredump":         {events(reboot), "", 0, []string{"no coredump is here"}},
		"unknown type":        {messages(firmware.Message(chunk.MessageType(9), "", false, []byte("new"))), "", 0, []string{advice[unknownType]}},
		"archive":             {messages(firmware.Message(chunk.MessageMAR, "", false, []byte("archive"))), "", 0, []string{advice[archive]}},
		"many heartbeats":     {events(many...), "", 0, []string{"SINK-0001 sent 101 heartbeats and 0 recordings. In 24 hours"}},
		"two recordings":      {events(recording("a"), recording("b")), "", 0, []string{"SINK-0001 sent 0 heartbeats and 2 recordings."}},
		"project key":         {messages(key(projectKey)), "", 0, []string{"Nothing in these chunks explains it.", "1 message with one, which is not shown"}},
		"two project keys": {
			messages(key(projectKey), eventMessage(logLines), key(strings.Repeat("b", 32))), "", 0,
			[]string{"The messages contain different project keys", "2 messages with one, which is not shown"},
		},
		"batch": {events([]any{heartbeat, logLines}), "", 0, []string{"Nothing in these chunks explains it."}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, _ := read(t, c.input, "-serial", c.serial)
			assert.Equal(t, c.code, code)
			for _, want := range c.want {
				assert.Contains(t, out, want)
			}
			_, reasons, _ := strings.Cut(out, "Why a device")
			assert.Equal(t, 2, strings.Count(reasons, "\n- "), "one reason, and the last line: %s", reasons)
			assert.NotContains(t, out, projectKey)
			_, out, _ = read(t, c.input, "-serial", c.serial, "-json")
			assert.NotContains(t, out, projectKey)
			decode(t, out)
		})
	}
}

// Chunks of two devices in one log damage each other, and the program says what to do.
func TestRun_SeveralDevices(t *testing.T) {
	a, b := chunksOf(coredumpMessage(0, "SINK-0001")), chunksOf(coredumpMessage(0, "SINK-0002"))
	var mixed [][]byte
	for i := range a {
		mixed = append(mixed, a[i], b[i])
	}
	code, out, _ := read(t, asLog(mixed...))
	assert.Equal(t, 1, code)
	assert.Contains(t, out, advice[badOrder])

	other := append(without(heartbeat, 7), 7, "SINK-0002")
	code, out, _ = read(t, asLog(chunksOf(eventMessage(heartbeat), eventMessage(other), eventMessage(reboot))...))
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "Devices: SINK-0001 (2 messages), SINK-0002 (1 message)\n")
	var many [][]byte
	for i := range 1010 {
		many = append(many, eventMessage(append(without(heartbeat, 7), 7, fmt.Sprintf("S%d", i))))
	}
	_, out, _ = read(t, asLog(chunksOf(many...)...))
	assert.Contains(t, out, "S9 (1 message), and more than 990 more\n")
	_, out, _ = read(t, asLog(chunksOf(many[:20]...)...))
	assert.Contains(t, out, "S9 (1 message), and 10 more\n")
}

func TestRun_Batch(t *testing.T) {
	_, out, _ := read(t, asLog(chunksOf(eventMessage([]any{heartbeat, logLines}))...))
	assert.True(t, strings.HasPrefix(out, `line 2, chunks 1-3: event, 137 bytes, 2 events
    SINK-0001, sink-fw 2.0.1 on evt-2, 2026-01-31 12:00:00 UTC: metrics of session 0: [0]=3600 [2]=87
    SINK-0001, sink-fw 2.0.1 on evt-2, 2026-01-31 12:00:00 UTC: logs: 2 lines
    2026-01-31 11:59:58 info: valve open
`), out)
}

func TestRun_JSON(t *testing.T) {
	odd := event(chunk.EventHeartbeat, pairs{1, []any{math.NaN(), math.Inf(1), math.Inf(-1), 1.5, nil, uint64(1 << 63), "a\x1b\u202e\U000e0001<"}, 2, 0},
		5, pairs{"k", []any{math.NaN(), []byte{1, 2}, firmware.Tagged{Tag: 7, Value: true}}}, 14, "new")
	code, out, problems := read(t, asLog(chunksOf(eventMessage(odd), eventMessage(reboot), coredumpMessage(0, ""), eventMessage(logLines),
		eventMessage(event(chunk.EventRecording, pairs{1, 5, 2, []any{"text/csv"}, 3, "button", 4, []byte("a,b")})),
		firmware.Message(chunk.MessageMAR, "", false, []byte("archive")))...), "-json", "-serial", "SINK-0009")
	assert.Equal(t, 0, code)
	assert.Contains(t, problems, "6 messages in ")
	assert.Contains(t, out, `a\u001b\u202e\udb40\udc01<`)
	requirePrintable(t, out)
	objects := decode(t, out)
	require.Len(t, objects, 6)
	first := objects[0]["events"].([]any)[0].(map[string]any)
	assert.Equal(t, "SINK-0001", first["device_serial"])
	assert.Equal(t, "0", first["session"])
	var values []any
	for _, metric := range first["metrics"].([]any) {
		values = append(values, metric.(map[string]any)["value"])
	}
	assert.Equal(t, []any{"NaN", "+Inf", "-Inf", 1.5, nil, float64(1 << 63), "a\x1b\u202e\U000e0001<"}, values)
	assert.Equal(t, []any{map[string]any{"key": "k", "value": []any{"NaN", "AQI=", map[string]any{"tag": 7., "value": true}}}}, first["user_info"])
	assert.Equal(t, []any{map[string]any{"key": 14., "value": "new"}}, first["unknown"])
	for i, want := range []string{
		`"trace":{"reboot":true,"reason":"HardFault","coredump_saved":true,"pc":"0x08001234"}`,
		`"coredump":{"device_serial":"SINK-0009","software_type":"sink-fw","software_version":"2.0.1","hardware_version":"evt-2","reason":"HardFault","machine":"ARM","truncated":false,"registers":["AAQAIDQSAAg="],"regions":[{"address":"0x20000000","size":13,"data":"c3RhY2sgb2YgbWFpbg=="}`,
		`"logs":[{"time":"2026-01-31T11:59:58Z","level":"info","text":"valve open"},{"time":"2026-01-31T11:59:59Z","level":"error","text":"no water"}]`,
		`"recording":{"reason":"button","duration_ms":5,"mime_types":["text/csv"],"data":"YSxi"}`,
		`"type":"MAR","size":7,"has_project_key":false,"payload":"YXJjaGl2ZQ=="}`,
	} {
		assert.Contains(t, slices.Collect(strings.Lines(out))[i+1], want)
	}

	_, out, _ = read(t, asLog(chunksOf(coredumpMessage(0, "SINK-0001"))[1:]...)+"MC:AQ=:\n", "-json")
	objects = decode(t, out)
	require.Len(t, objects, 2)
	assert.Equal(t, map[string]any{
		"line": 2., "byte": 25., "chunk": 1., "kind": "no first chunk", "from": 61., "to": 123.,
		"damage": "no first chunk, bytes 61 to 122 of an unknown message",
	}, without0(objects[0]))
	assert.Equal(t, "text", objects[1]["kind"])
	assert.InDelta(t, 8, objects[1]["line"], 0)
}

// without0 returns an object without the fields that are 0.
func without0(object map[string]any) map[string]any {
	for key, value := range object {
		if value == 0. {
			delete(object, key)
		}
	}
	return object
}

// requirePrintable checks that a terminal shows the text as it is.
func requirePrintable(t testing.TB, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	require.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }), "%q", text)
}

func TestRun_TerminalSafe(t *testing.T) {
	const evil = "\x1b[2J\u202e\xff\r"
	hostile := pairs{2, 4, 3, 1, 7, evil, 10, evil, 9, evil, 6, evil, 1, start, 4, []any{1, evil}}
	dump := firmware.Message(chunk.MessageCoredump, "", false, firmware.Coredump(0, block(2, 0, []byte(evil)), block(10, 0, []byte(evil)), block(1, 0, []byte(evil))))
	input := asLog(chunksOf(eventMessage(hostile), dump)...) + "MC:" + evil + ":\n"
	for _, args := range [][]string{nil, {"-json"}, {"-serial", evil}} {
		_, out, problems := read(t, input, args...)
		requirePrintable(t, out)
		requirePrintable(t, problems)
	}
	_, _, problems := read(t, "", evil)
	requirePrintable(t, problems)
}

func TestRun_Usage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":    {[]string{"-smybols", "a"}, "usage: chunks [-serial S]"},
		"two files":       {[]string{"a", "b"}, "one file at a time"},
		"no such file":    {[]string{filepath.Join(t.TempDir(), "device.log")}, "no such file"},
		"a directory":     {[]string{t.TempDir()}, "reading: "},
		"no such symbols": {[]string{"-symbols", filepath.Join(t.TempDir(), "app.elf")}, "no such file"},
		"other symbols":   {[]string{"-symbols", "main_test.go"}, "main_test.go: chunk: ReadNames: invalid ELF file"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, problems := read(t, "", c.args...)
			assert.Equal(t, 2, code)
			assert.Empty(t, out)
			assert.Contains(t, problems, c.want)
		})
	}
	code, _, problems := read(t, "", "-h")
	assert.Equal(t, 0, code)
	assert.Contains(t, problems, "usage: chunks [-serial S]")
}

func TestRun_ReaderOrWriterFails(t *testing.T) {
	log := asLog(chunksOf(allMessages()...)...)
	var out, problems bytes.Buffer
	code := run(nil, io.MultiReader(strings.NewReader(log), iotest.ErrReader(errors.New("disk error"))), &out, &problems, now)
	assert.Equal(t, 2, code)
	assert.Contains(t, out.String(), "line 11, chunks 10-11: event")
	assert.Equal(t, "chunks: reading: disk error\n", problems.String())
	for _, args := range [][]string{nil, {"-json"}} {
		problems.Reset()
		code = run(args, io.MultiReader(strings.NewReader(log), endless{}), failingWriter{}, &problems, now)
		assert.Equal(t, 2, code)
		assert.Equal(t, "chunks: broken pipe\n", problems.String())
	}
}

// endless is a log that does not end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("MC:CAI=:\n"), 1+len(p)/9)), nil
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// FuzzRun reads any file and any chunks.
func FuzzRun(f *testing.F) {
	for _, m := range allMessages() {
		f.Add([]byte(asLog(chunksOf(m)...)), m)
	}
	f.Add([]byte("*** boot ***"), firmware.Message(chunk.MessageLog, projectKey, true, firmware.CBOR(logLines)))
	f.Fuzz(func(t *testing.T, file, message []byte) {
		inputs := []string{string(file)}
		if len(message) > 0 {
			chunks := firmware.Chunks(message, 64, firmware.CRCAfter)
			inputs = append(inputs, asLog(chunks...), hex.EncodeToString(chunks[0]))
		}
		for _, input := range inputs {
			code, out, problems := read(t, input)
			requirePrintable(t, out)
			require.Empty(t, problems)
			require.Equal(t, strings.Contains(out, "DAMAGED") || strings.Contains(out, "\n0 messages in"), code == 1)
			require.NotContains(t, out, projectKey)
			codeJSON, out, problems := read(t, input, "-json")
			require.Equal(t, code, codeJSON)
			requirePrintable(t, out+problems)
			decode(t, out)
		}
	})
}

// block is a block of a coredump.
func block(kind byte, address uint32, data []byte) firmware.Block {
	return firmware.Block{Kind: kind, Address: address, Data: data}
}
