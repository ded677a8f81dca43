package chunk_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

// FuzzAssembler splits data into chunks: a byte is the length of each. It checks what holds for
// any chunks: each message has the CRC that was received, and damage describes bytes that can
// exist.
func FuzzAssembler(f *testing.F) {
	for _, size := range []int{9, 20, 64} {
		var data []byte
		for _, c := range firmware.Chunks(firmware.Message(chunk.MessageCoredump, "", true, append(make([]byte, 50), pattern(80)...)), size, firmware.CRCAfter) {
			data = append(append(data, byte(len(c))), c...)
		}
		f.Add(data)
		f.Add(bytes.Repeat(data, 2)[size:])
	}
	f.Add([]byte("\x0c\x08123456789\xc3\x31"))
	f.Add([]byte("\x06\x48\x091234\x07\xc0\x0456789\x07\x80\x09\xc3\x31pad"))
	f.Add([]byte{6, 0x40, 9, 0xc3, 0x31, '1', '2', 10, 0x80, 2, '3', '4', '5', '6', '7', '8', '9'})
	f.Add([]byte{0, 1, 0x48, 12, 0x48, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0xc0})
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1000
		a := chunk.Assembler{MaxMessage: limit}
		count, received := 0, 0
		check := func(m *chunk.Message, err error) {
			if err != nil {
				require.NotEmpty(t, chunk.Damages(err))
			}
			for _, damage := range chunk.Damages(err) {
				require.NotEmpty(t, err.Error())
				require.Equal(t, count, damage.Chunk)
				require.LessOrEqual(t, damage.FirstChunk, damage.Chunk)
				require.True(t, damage.From >= 0 && damage.From <= damage.To, "%+v", damage)
				require.True(t, damage.FirstChunk > 0 || damage.Kind == chunk.DamageHeader || damage.Kind == chunk.DamageNoStart, "%+v", damage)
			}
			if m != nil {
				require.LessOrEqual(t, len(m.Payload), limit)
				if m.Type == chunk.MessageCoredump {
					_, _ = m.Coredump()
				} else {
					_, _ = m.Events()
				}
			}
			pending, size := a.Pending()
			require.True(t, pending >= 0 && pending <= size && pending <= received && size <= limit, "%d of %d", pending, size)
		}
		for len(data) > 0 {
			size := min(int(data[0]), len(data)-1)
			c := data[1 : 1+size]
			data = data[1+size:]
			count++
			received += size
			check(a.Add(bytes.Clone(c)))
		}
		check(nil, a.Flush())
		require.NoError(t, a.Flush())
	})
}

// FuzzChunks sends messages in chunks of any size, and damages one chunk. Only messages that were
// sent can arrive, and all but the damaged one arrive.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("one\x00two\x00three"), uint8(3), uint8(0), uint8(0), uint16(0))
	f.Add(pattern(300), uint8(20), uint8(1), uint8(1), uint16(3))
	f.Add(pattern(300), uint8(0), uint8(2), uint8(2), uint16(9))
	f.Add(make([]byte, 1000), uint8(90), uint8(0), uint8(3), uint16(200))
	f.Add(append(pattern(200), make([]byte, 200)...), uint8(40), uint8(0), uint8(4), uint16(0xffff))
	f.Fuzz(func(t *testing.T, data []byte, size, place, damage uint8, at uint16) {
		if len(data) > 4000 {
			return
		}
		var messages []chunk.Message
		var chunks [][]byte
		for i, payload := range bytes.SplitAfter(data, []byte{0}) {
			m := chunk.Message{Type: chunk.MessageType(1 + i%5), Payload: payload}
			if i%2 == 1 {
				m.ProjectKey = "0123456789abcdef0123456789abcdef"
			}
			messages = append(messages, m)
			encoded := firmware.Message(m.Type, m.ProjectKey, i%3 == 0, payload)
			chunks = append(chunks, firmware.Chunks(encoded, 9+int(size), firmware.CRCPlace(place%3))...)
		}
		r := assemble(chunks)
		require.Empty(t, r.damages)
		require.Equal(t, messages, r.messages)

		i := int(at) % len(chunks)
		first, last := isFirst(chunks[i]), isLast(chunks[i])
		lost := 1
		switch damage % 4 {
		case 0:
			chunks = slices.Delete(chunks, i, i+1)
			if first && last { // nothing shows that it was there
				messages = messages[:0]
			}
		case 1:
			chunks = slices.Insert(chunks, i, chunks[i])
			if first || last {
				lost = 0
			}
			if first && last { // it arrives twice
				messages = messages[:0]
			}
		case 2:
			if i+1 == len(chunks) || isFirst(chunks[i+1]) {
				return
			}
			chunks[i], chunks[i+1] = chunks[i+1], chunks[i]
		case 3:
			if place%3 != 0 { // a flipped bit in the length can become the other layout
				return
			}
			c := bytes.Clone(chunks[i])
			header := 1
			if !first || !last {
				_, n := binary.Uvarint(c[1:])
				header += n
			}
			if header == len(c) {
				return
			}
			c[header+int(at>>3)%(len(c)-header)] ^= 1 << (at & 7)
			chunks[i] = c
		}
		if len(messages) == 0 {
			return
		}
		r = assemble(chunks)
		assert.Len(t, r.messages, len(messages)-lost)
		require.NotEmpty(t, r.damages)
		for _, m := range messages {
			if len(r.messages) > 0 && assert.ObjectsAreEqual(m, r.messages[0]) {
				r.messages = r.messages[1:]
			}
		}
		require.Empty(t, r.messages, "a message that was not sent")
	})
}

// FuzzMessage reads any message. What it reads is encoded and read again.
func FuzzMessage(f *testing.F) {
	f.Add(firmware.Message(chunk.MessageEvent, "", false, cbor(deviceEvent(chunk.EventTrace, pairs{1, 7}))))
	f.Add(firmware.Message(chunk.MessageCoredump, "0123456789abcdef0123456789abcdef", true, firmware.Coredump(0, block(1, 0, make([]byte, 100)))))
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	f.Add([]byte{0xc2})
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) == 0 {
			return
		}
		a := chunk.Assembler{MaxMessage: 10000}
		m, err := a.Add(join([]byte{0x08}, message, binary.LittleEndian.AppendUint16(nil, firmware.CRC(message))))
		if err != nil {
			require.Nil(t, m)
			return
		}
		require.LessOrEqual(t, len(m.Payload), 10000)
		again, err := a.Add(firmware.Chunks(firmware.Message(m.Type, m.ProjectKey, true, m.Payload), 1<<20, firmware.CRCAfter)[0])
		if len(message) < 5000 { // otherwise, the compression can exceed the limit
			require.NoError(t, err)
			require.Equal(t, m, again)
		}
	})
}

// FuzzEvents decodes any payload. No event has more values than the payload has bytes.
func FuzzEvents(f *testing.F) {
	for _, value := range []any{
		deviceEvent(chunk.EventTrace, pairs{1, 0x9400, 2, 0x8001234, 4, 0, 5, 1}),
		deviceEvent(chunk.EventTrace, pairs{6, 1, 7, -5, 8, []byte("log"), 9, []byte{1}}),
		deviceEvent(chunk.EventHeartbeat, pairs{1, []any{1, nil, "a", 0.5}, 2, 1}),
		deviceEvent(chunk.EventHeartbeat, pairs{1, pairs{"a", 1}}),
		deviceEvent(chunk.EventLogsTimed, []any{1, 1, "a", 2, 2, []byte{1}}),
		deviceEvent(chunk.EventLogs, []any{1, "a", 2, "b"}),
		deviceEvent(chunk.EventRecording, pairs{1, 5, 2, []any{"a/b"}, 3, "c", 4, []byte("d")}),
		[]any{pairs{2, 2, 12, firmware.Tagged{Tag: 1, Value: pairs{true, []any{nil}}}}, pairs{}},
		pairs{7, "A", 8, "1", 11, []byte{1, 2, 3, 4, 5, 6}, 5, uint64(1 << 63)},
	} {
		f.Add(cbor(value))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := chunk.Message{Type: chunk.MessageEvent, Payload: payload}
		events, err := m.Events()
		if err == nil {
			again, err := m.Events()
			require.NoError(t, err)
			require.Len(t, again, len(events))
		}
		require.LessOrEqual(t, len(events), len(payload))
		values := 0
		for _, event := range events {
			require.NotEmpty(t, event.String())
			values += len(event.Logs) + len(event.Unknown) + len(event.UnknownInfo)
			if event.Heartbeat != nil {
				values += len(event.Heartbeat.Metrics)
			}
			for _, line := range event.Logs {
				requirePrintable(t, line.String())
			}
			requirePrintable(t, event.String())
		}
		require.LessOrEqual(t, values, len(payload))
		_ = firmwareNames.Apply(events)
	})
}

// requirePrintable checks that a terminal shows a text as it is, in one line.
func requirePrintable(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	require.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), "%q", text)
}

// FuzzCoredump decodes any payload. The parts of the coredump are parts of the payload, in order.
func FuzzCoredump(f *testing.F) {
	f.Add(firmware.Coredump(0, block(0, 0, []byte("registers")), block(2, 0, []byte("A1")), block(1, 0x1000, pattern(40))))
	f.Add(firmware.Coredump(1, block(5, 0, []byte{0, 0x94, 0, 0}), block(7, 0, []byte{40, 0, 0, 0}), block(99, 0, nil)))
	f.Add(firmware.Coredump(1, block(1, 0, make([]byte, 100)))[:60])
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := coredumpOf(payload)
		if c == nil {
			require.Error(t, err)
			return
		}
		total := len(c.DeviceSerial) + len(c.SoftwareType) + len(c.SoftwareVersion) + len(c.HardwareVersion) + len(c.BuildID)
		blocks := len(c.Registers) + len(c.Regions) + len(c.Unknown)
		for _, registers := range c.Registers {
			total += len(registers)
		}
		at := 0
		for _, region := range c.Regions {
			total += len(region.Data)
			found := bytes.Index(payload[at:], region.Data)
			require.GreaterOrEqual(t, found, 0)
			at += found + len(region.Data)
		}
		for _, block := range c.Unknown {
			total += len(block.Data)
		}
		require.LessOrEqual(t, total+12*blocks, len(payload))
	})
}

// FuzzReadNames reads debug information, and compares it with the package debug/dwarf.
func FuzzReadNames(f *testing.F) {
	for _, file := range []debugFile{
		{version: 4, nameForm: formStrp, valueForm: formData1},
		{version: 5, nameForm: formStrx1, valueForm: formImplicitConst},
		{version: 5, nameForm: formLineStrp, valueForm: formUdata, wide: true},
		{version: 2, nameForm: formString, valueForm: formSdata},
		{version: 5, nameForm: formString, valueForm: formIndirect, typeUnit: true},
	} {
		file.order, file.enumerators = binary.LittleEndian, enumerators[3:7]
		s := file.sections()
		f.Add(s[".debug_info"], s[".debug_abbrev"], s[".debug_str"], s[".debug_str_offsets"], false)
		f.Add(s[".debug_info"], s[".debug_abbrev"], s[".debug_str"], s[".debug_str_offsets"], true)
	}
	f.Fuzz(func(t *testing.T, info, abbrev, str, strOffsets []byte, types bool) {
		sections := map[string][]byte{".debug_info": info, ".debug_abbrev": abbrev, ".debug_str": str, ".debug_line_str": str, ".debug_str_offsets": strOffsets}
		if types {
			sections[".debug_types"], sections[".debug_info"] = info, nil
		}
		names, err := chunk.ReadNames(bytes.NewReader(elfFile(binary.LittleEndian, false, sections)))
		if types || err != nil {
			require.True(t, names == nil || err == nil)
			return
		}
		standard, ok := standardEnumerators(info, abbrev, str, str, strOffsets)
		if !ok {
			return
		}
		reasons := map[int]string{}
		for _, e := range standard {
			if name, ok := bytes.CutPrefix([]byte(e.name), []byte("kMfltTraceReasonUser_")); ok && len(name) > 0 {
				reasons[int(e.value)] = string(name)
			}
		}
		require.Equal(t, reasons, names.UserReasons)
	})
}

// FuzzELF reads any file.
func FuzzELF(f *testing.F) {
	for _, compressed := range []bool{false, true} {
		f.Add(debugFile{version: 4, order: binary.BigEndian, nameForm: formStrp, valueForm: formData1, compressed: compressed, enumerators: enumerators[3:7]}.bytes())
	}
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, file []byte) {
		names, err := chunk.ReadNames(bytes.NewReader(file))
		require.Equal(t, err == nil, names != nil)
	})
}
