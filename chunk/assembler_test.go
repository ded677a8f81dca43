package chunk_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/fakecloud/firmware"
)

// pattern returns n bytes without runs.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// result is what an Assembler returned for a sequence of chunks.
type result struct {
	messages []chunk.Message
	damages  []chunk.DamageError
}

func assemble(chunks [][]byte) (r result) {
	var a chunk.Assembler
	add := func(m *chunk.Message, err error) {
		for _, damage := range chunk.Damages(err) {
			r.damages = append(r.damages, *damage)
		}
		if m != nil {
			r.messages = append(r.messages, *m)
		}
	}
	for _, data := range chunks {
		add(a.Add(data))
	}
	add(nil, a.Flush())
	return r
}

func TestAssembler_ChunkWrittenByHand(t *testing.T) {
	// 0x31C3 is the published check value of CRC-16/XMODEM for this text.
	data := []byte("\x08123456789\xc3\x31")
	var a chunk.Assembler
	m, err := a.Add(data)
	require.NoError(t, err)
	assert.Equal(t, &chunk.Message{Type: '1', Payload: []byte("23456789")}, m)

	for _, c := range []string{"\x48\x091234", "\xc0\x0456789"} {
		m, err = a.Add([]byte(c))
		require.NoError(t, err)
		require.Nil(t, m)
	}
	m, err = a.Add([]byte("\x80\x09\xc3\x31padding"))
	require.NoError(t, err)
	assert.Equal(t, &chunk.Message{Type: '1', Payload: []byte("23456789")}, m)
}

func TestAssembler_RoundTrip(t *testing.T) {
	var messages []chunk.Message
	for _, n := range []int{0, 1, 5, 6, 7, 100, 126, 127, 128, 1000, 20000} {
		messages = append(messages, chunk.Message{Type: chunk.MessageEvent, Payload: pattern(n)})
	}
	for _, place := range []firmware.CRCPlace{firmware.CRCAfter, firmware.CRCAfterLength, firmware.CRCBeforeLength} {
		for _, size := range []int{9, 10, 20, 64, 127, 128, 129, 256, 1500, 1 << 20} {
			var chunks [][]byte
			for _, m := range messages {
				chunks = append(chunks, firmware.Chunks(firmware.Message(m.Type, "", false, m.Payload), size, place)...)
			}
			r := assemble(chunks)
			require.Empty(t, r.damages, "place %d, size %d", place, size)
			require.Equal(t, messages, r.messages, "place %d, size %d", place, size)
		}
	}
}

func TestAssembler_CRCSplitBetweenChunks(t *testing.T) {
	r := assemble([][]byte{[]byte("\x48\x09123456789\xc3"), []byte("\x80\x0a\x31")})
	assert.Empty(t, r.damages)
	assert.Equal(t, []chunk.Message{{Type: '1', Payload: []byte("23456789")}}, r.messages)
}

func TestAssembler_DoesNotRetainChunks(t *testing.T) {
	var a chunk.Assembler
	for _, size := range []int{20, 1500} {
		for _, compressed := range []bool{false, true} {
			var got *chunk.Message
			for _, data := range firmware.Chunks(firmware.Message(chunk.MessageEvent, "", compressed, pattern(100)), size, firmware.CRCAfter) {
				m, err := a.Add(data)
				require.NoError(t, err)
				clear(data)
				got = m
			}
			require.NotNil(t, got)
			assert.Equal(t, pattern(100), got.Payload)
		}
	}
}

// fleet returns the chunks of several messages, and the messages.
func fleet(size int) (chunks [][]byte, messages []chunk.Message) {
	const key = "0123456789abcdef0123456789abcdef"
	for i, m := range []chunk.Message{
		{Type: chunk.MessageCoredump, Payload: append(make([]byte, 300), pattern(900)...)},
		{Type: chunk.MessageEvent, ProjectKey: key, Payload: pattern(50)},
		{Type: chunk.MessageLog, Payload: pattern(130)},
		{Type: chunk.MessageRecording, ProjectKey: key, Payload: pattern(500)},
		{Type: chunk.MessageEvent, Payload: pattern(71)},
	} {
		messages = append(messages, m)
		chunks = append(chunks, firmware.Chunks(firmware.Message(m.Type, m.ProjectKey, i == 0, m.Payload), size, firmware.CRCAfter)...)
	}
	return chunks, messages
}

// isFirst reports whether a chunk is the first of its message.
func isFirst(data []byte) bool { return data[0]&0x80 == 0 }

// isLast reports whether a chunk is the last of its message.
func isLast(data []byte) bool { return data[0]&0x40 == 0 }

// TestAssembler_OneDamagedChunk checks that one damaged chunk loses exactly one message, whatever
// chunk it is, and that it is reported.
func TestAssembler_OneDamagedChunk(t *testing.T) {
	for _, size := range []int{20, 64} {
		chunks, messages := fleet(size)
		require.Equal(t, result{messages, nil}, assemble(chunks))

		// check returns the damage if the messages are the right ones but for the lost ones.
		check := func(damaged [][]byte, lost int, what string, at int) []chunk.DamageError {
			r := assemble(damaged)
			assert.Len(t, r.messages, len(messages)-lost, "%s chunk %d of size %d", what, at, size)
			whole := r.messages
			for _, m := range messages {
				if len(whole) > 0 && assert.ObjectsAreEqual(m, whole[0]) {
					whole = whole[1:]
				}
			}
			assert.Empty(t, whole, "%s chunk %d of size %d: a message that was not sent", what, at, size)
			require.NotEmpty(t, r.damages, "%s chunk %d of size %d", what, at, size)
			return r.damages
		}
		for i, data := range chunks {
			missing := check(slices.Concat(chunks[:i], chunks[i+1:]), 1, "missing", i)
			kind := chunk.DamageGap
			if isFirst(data) {
				kind = chunk.DamageNoStart
			} else if isLast(data) {
				kind = chunk.DamageUnfinished
			}
			if assert.Len(t, missing, 1, "missing chunk %d", i) {
				assert.Equal(t, kind, missing[0].Kind, "missing chunk %d", i)
			}

			lost, kind := 1, chunk.DamageOverlap
			if isFirst(data) {
				kind = chunk.DamageUnfinished
			}
			if isFirst(data) || isLast(data) {
				lost = 0
			}
			repeated := check(slices.Concat(chunks[:i+1], chunks[i:]), lost, "repeated", i)
			if assert.Len(t, repeated, 1, "repeated chunk %d", i) {
				assert.Equal(t, kind, repeated[0].Kind, "repeated chunk %d", i)
			}

			if i+1 < len(chunks) && !isFirst(chunks[i+1]) {
				swapped := slices.Clone(chunks)
				swapped[i], swapped[i+1] = chunks[i+1], data
				damages := check(swapped, 1, "swapped", i)
				if isFirst(data) {
					assert.Equal(t, chunk.DamageNoStart, damages[0].Kind)
				} else if assert.Len(t, damages, 1, "swapped chunk %d", i) {
					assert.Equal(t, chunk.DamageGap, damages[0].Kind)
				}
			}

			for at := range data {
				for bit := range 8 {
					if at > 3 && bit != (at+i)%8 { // after the header, one bit of each byte
						continue
					}
					flipped := slices.Clone(chunks)
					flipped[i] = bytes.Clone(data)
					flipped[i][at] ^= 1 << bit
					check(flipped, 1, fmt.Sprintf("flipped bit %d of byte %d in", bit, at), i)
				}
			}
		}
	}
}

func TestAssembler_Damage(t *testing.T) {
	// A message of 40 bytes in chunks with 12 bytes: bytes 0 to 12, 12 to 24, 24 to 36, and 36 to 40.
	message := firmware.Message(chunk.MessageLog, "", false, pattern(39))
	m := firmware.Chunks(message, 14, firmware.CRCAfter)
	require.Len(t, m, 4)
	short := firmware.Chunks(firmware.Message(chunk.MessageEvent, "", false, []byte{0xa0}), 64, firmware.CRCAfter)[0]
	damage := func(kind chunk.DamageKind, at, first, from, to int) chunk.DamageError {
		d := chunk.DamageError{Kind: kind, Chunk: at, FirstChunk: first, From: from, To: to}
		if first != 0 {
			d.Type, d.Size = chunk.MessageLog, 40
		}
		return d
	}
	announced := func(size uint64) []byte {
		return append(binary.AppendUvarint([]byte{0x48}, size), 0x03, 1, 2, 3)
	}
	flipped := bytes.Clone(m[1])
	flipped[5] ^= 4
	tests := []struct {
		name     string
		chunks   [][]byte
		messages int
		damages  []chunk.DamageError
	}{
		{"gap", [][]byte{m[0], m[2], m[3], short}, 1, []chunk.DamageError{damage(chunk.DamageGap, 2, 1, 12, 24)}},
		{"gap of two chunks", [][]byte{m[0], m[3], short}, 1, []chunk.DamageError{damage(chunk.DamageGap, 2, 1, 12, 36)}},
		{"late chunks", [][]byte{m[0], m[3], m[1], m[2], short}, 1, []chunk.DamageError{damage(chunk.DamageGap, 2, 1, 12, 36)}},
		{"each chunk repeated", [][]byte{m[0], m[0], m[1], m[1], m[2], m[2], m[3], m[3]}, 0, []chunk.DamageError{
			damage(chunk.DamageUnfinished, 2, 1, 12, 40), damage(chunk.DamageOverlap, 4, 2, 12, 24),
		}},
		{"last chunk repeated", [][]byte{m[0], m[1], m[2], m[3], m[3], short}, 2, []chunk.DamageError{damage(chunk.DamageOverlap, 5, 1, 36, 40)}},
		{"partial overlap", [][]byte{m[0], append([]byte{0xc0, 6}, pattern(12)...)}, 0, []chunk.DamageError{damage(chunk.DamageOverlap, 2, 1, 6, 12)}},
		{"no first chunk", [][]byte{m[1], m[2], m[3], short}, 1, []chunk.DamageError{damage(chunk.DamageNoStart, 1, 0, 12, 24)}},
		{"two messages without first chunk", [][]byte{m[1], m[2], m[3], m[2], m[3]}, 0, []chunk.DamageError{
			damage(chunk.DamageNoStart, 1, 0, 12, 24), damage(chunk.DamageNoStart, 4, 0, 24, 36),
		}},
		{"chunk behind the end of a lost message", [][]byte{m[0], flipped, m[2], m[3], {0xc0, 50, 1}}, 0, []chunk.DamageError{
			damage(chunk.DamageCRC, 4, 1, 0, 40), damage(chunk.DamageNoStart, 5, 0, 50, 51),
		}},
		{"late chunk after another message", [][]byte{m[0], m[2], short, m[1]}, 1, []chunk.DamageError{
			damage(chunk.DamageGap, 2, 1, 12, 24), damage(chunk.DamageNoStart, 4, 0, 12, 24),
		}},
		{"new message", [][]byte{m[0], m[1], short}, 1, []chunk.DamageError{damage(chunk.DamageUnfinished, 3, 1, 24, 40)}},
		{"end of all chunks", [][]byte{m[0], m[1]}, 0, []chunk.DamageError{damage(chunk.DamageUnfinished, 2, 1, 24, 40)}},
		{"cut off", [][]byte{m[0], append([]byte{0x80}, m[1][1:]...), m[2], m[3], short}, 1, []chunk.DamageError{damage(chunk.DamageCut, 2, 1, 24, 40)}},
		{"longer than announced", [][]byte{m[0], append(m[1][:2:2], pattern(31)...), short}, 1, []chunk.DamageError{damage(chunk.DamageLength, 2, 1, 40, 43)}},
		{"wrong CRC", [][]byte{m[0], flipped, m[2], m[3], short}, 1, []chunk.DamageError{damage(chunk.DamageCRC, 4, 1, 0, 40)}},
		{"announced length above the limit", [][]byte{announced(1<<24 + 1), {0xc0, 4, 1}, {0x80, 5, 1}, short}, 1, []chunk.DamageError{
			{Kind: chunk.DamageLength, Chunk: 1, FirstChunk: 1, Type: chunk.MessageLog, Size: 1<<24 + 1, From: 1 << 24, To: 1<<24 + 1},
		}},
		{"announced length above all numbers", [][]byte{announced(1<<64 - 1), short}, 1, []chunk.DamageError{
			{Kind: chunk.DamageLength, Chunk: 1, FirstChunk: 1, Type: chunk.MessageLog, Size: 1 << 29, From: 1 << 24, To: 1 << 29},
		}},
		{"announced length of 0", [][]byte{announced(0), short}, 1, []chunk.DamageError{
			{Kind: chunk.DamageLength, Chunk: 1, FirstChunk: 1, From: 0, To: 4},
		}},
		{"announced length of 0 without data", [][]byte{{0x48, 0}, {0x80, 0, 0, 0}, short}, 1, []chunk.DamageError{
			{Kind: chunk.DamageLength, Chunk: 1, FirstChunk: 1},
		}},
		{"no length", [][]byte{{0x48}, short}, 1, []chunk.DamageError{{Kind: chunk.DamageCut, Chunk: 1, FirstChunk: 1}}},
		{"no length, CRC in the first chunk", [][]byte{{0x40, 0x80}, short}, 1, []chunk.DamageError{{Kind: chunk.DamageCut, Chunk: 1, FirstChunk: 1}}},
		{"no message", [][]byte{{0x08, 0, 0}, short}, 1, []chunk.DamageError{{Kind: chunk.DamageCut, Chunk: 1, FirstChunk: 1, From: 0, To: 1}}},
		{"no CRC", [][]byte{{0x00, 1}, short}, 1, []chunk.DamageError{{Kind: chunk.DamageCut, Chunk: 1, FirstChunk: 1, From: 0, To: 1}}},
		{"empty chunk between", [][]byte{m[0], {}, m[1], m[2], m[3]}, 1, []chunk.DamageError{{Kind: chunk.DamageHeader, Chunk: 2, Hint: "empty"}}},
		{"other data between", [][]byte{m[0], []byte("ping"), m[1], m[2], m[3]}, 1, []chunk.DamageError{{Kind: chunk.DamageHeader, Chunk: 2}}},
		{"no offset", [][]byte{m[0], {0xc0, 0x80}, m[1], m[2], m[3]}, 1, []chunk.DamageError{{Kind: chunk.DamageHeader, Chunk: 2}}},
		{"configuration in a later chunk", [][]byte{{0x88, 12, 1}}, 0, []chunk.DamageError{{Kind: chunk.DamageHeader, Chunk: 1}}},
		{"unknown configuration", [][]byte{{0x10, 1, 2, 3, 4}}, 0, []chunk.DamageError{{Kind: chunk.DamageHeader, Chunk: 1}}},
		{"unknown channel", [][]byte{{0x09, 1, 2, 3, 4}}, 0, []chunk.DamageError{{Kind: chunk.DamageHeader, Chunk: 1}}},
		{"two in one chunk", [][]byte{m[0], {0x08, 2, 0xa0, 0, 0}}, 0, []chunk.DamageError{
			damage(chunk.DamageUnfinished, 2, 1, 12, 40),
			{Kind: chunk.DamageCRC, Chunk: 2, FirstChunk: 2, Type: chunk.MessageEvent, Size: 2, From: 0, To: 2},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := assemble(test.chunks)
			assert.Len(t, r.messages, test.messages)
			assert.Equal(t, test.damages, r.damages)
		})
	}
}

func TestAssembler_MessageAndDamage(t *testing.T) {
	var a chunk.Assembler
	chunks, _ := fleet(64)
	_, err := a.Add(chunks[0])
	require.NoError(t, err)
	m, err := a.Add([]byte("\x08123456789\xc3\x31"))
	assert.Equal(t, []byte("23456789"), m.Payload)
	var damage *chunk.DamageError
	require.ErrorAs(t, err, &damage)
	assert.Equal(t, chunk.DamageUnfinished, damage.Kind)
	assert.EqualError(t, err, "chunk: unfinished in chunk 2: bytes 61 to 904 of the message that began in chunk 1 (coredump, 905 bytes)")
}

func TestAssembler_PendingAndFlush(t *testing.T) {
	var a chunk.Assembler
	require.NoError(t, a.Flush())
	pending := func() [2]int {
		received, size := a.Pending()
		return [2]int{received, size}
	}
	assert.Equal(t, [2]int{0, 0}, pending())
	_, err := a.Add([]byte("\x48\x091234"))
	require.NoError(t, err)
	assert.Equal(t, [2]int{4, 9}, pending())
	_, err = a.Add([]byte("\xc0\x0456789\xc3"))
	require.NoError(t, err)
	assert.Equal(t, [2]int{9, 9}, pending())
	require.Error(t, a.Flush())
	assert.Equal(t, [2]int{0, 0}, pending())
	require.NoError(t, a.Flush())
	m, err := a.Add([]byte("\x08123456789\xc3\x31"))
	require.NoError(t, err)
	assert.NotNil(t, m)
}

func TestAssembler_MaxMessage(t *testing.T) {
	for _, size := range []int{20, 1500} {
		for _, limit := range []int{100, 101} {
			a := chunk.Assembler{MaxMessage: limit}
			var messages int
			var err error
			for _, data := range firmware.Chunks(firmware.Message(chunk.MessageEvent, "", false, pattern(100)), size, firmware.CRCAfter) {
				m, problem := a.Add(data)
				if m != nil {
					messages++
				}
				if problem != nil {
					require.NoError(t, err)
					err = problem
				}
			}
			if limit == 101 { // the type has a byte
				require.NoError(t, err)
				assert.Equal(t, 1, messages)
				continue
			}
			var damage *chunk.DamageError
			require.ErrorAs(t, err, &damage)
			assert.Equal(t, chunk.DamageLength, damage.Kind)
			assert.Equal(t, []int{100, 101}, []int{damage.From, damage.To})
			assert.Zero(t, messages)
		}
	}
}

// TestAssembler_MemoryOfAnnouncedLength checks that a device cannot take memory with a few bytes.
func TestAssembler_MemoryOfAnnouncedLength(t *testing.T) {
	data := append(binary.AppendUvarint([]byte{0x48}, 16<<20), 0x01)
	assemblers := make([]chunk.Assembler, 1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range assemblers {
		_, err := assemblers[i].Add(data)
		require.NoError(t, err)
	}
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1000*4096))
	runtime.KeepAlive(assemblers)
}

func TestAssembler_Hints(t *testing.T) {
	whole := firmware.Chunks(firmware.Message(chunk.MessageEvent, "", false, cbor(deviceEvent(chunk.EventTrace, pairs{1, 7}))), 1500, firmware.CRCAfter)[0]
	parts := firmware.Chunks(firmware.Message(chunk.MessageEvent, "", false, cbor(deviceEvent(chunk.EventTrace, pairs{1, 7}))), 32, firmware.CRCAfter)
	latin1 := func(b []byte) []byte {
		var text strings.Builder
		for _, c := range b {
			text.WriteRune(rune(c))
		}
		return []byte(text.String())
	}
	for _, test := range []struct {
		data []byte
		hint string
	}{
		{nil, "empty"},
		{fmt.Appendf(nil, "%x", whole), "hexadecimal"},
		{fmt.Appendf(nil, "%X\n", whole), "hexadecimal"},
		{[]byte("CAKhAgJ1"), "base64"},
		{[]byte("MC:CAKhAgJ1:"), "data export"},
		{[]byte(strings.ToValidUTF8(string(whole), "\ufffd")), "U+FFFD"},
		{[]byte(strings.ToValidUTF8(string(parts[1]), "\ufffd")), "U+FFFD"},
		{latin1(whole), "Latin-1"},
		{latin1(parts[1]), "Latin-1"},
		{whole[:len(whole)-1], ""},
	} {
		var a chunk.Assembler
		_, err := a.Add(test.data)
		var damage *chunk.DamageError
		require.ErrorAs(t, err, &damage, "%q", test.data)
		if test.hint == "" {
			assert.Empty(t, damage.Hint)
		} else {
			assert.Contains(t, damage.Hint, test.hint, "%q", test.data)
			assert.Contains(t, err.Error(), damage.Hint)
		}
	}
}

func TestDamageError_Error(t *testing.T) {
	for text, damage := range map[string]chunk.DamageError{
		"chunk: not a chunk in chunk 7: empty":                                   {Kind: chunk.DamageHeader, Chunk: 7, Hint: "empty"},
		"chunk: no first chunk in chunk 7: bytes 12 to 23 of an unknown message": {Kind: chunk.DamageNoStart, Chunk: 7, From: 12, To: 24},
		"chunk: gap in chunk 7: bytes 12 to 23 of the message that began in chunk 6 (log, 40 bytes)": {
			Kind: chunk.DamageGap, Chunk: 7, FirstChunk: 6, Type: chunk.MessageLog, Size: 40, From: 12, To: 24,
		},
		"chunk: cut off in chunk 7 of the message that began in chunk 7": {Kind: chunk.DamageCut, Chunk: 7, FirstChunk: 7},
	} {
		assert.EqualError(t, &damage, text)
	}
}

func TestDamages_OtherErrors(t *testing.T) {
	assert.Empty(t, chunk.Damages(nil))
	assert.Empty(t, chunk.Damages(assert.AnError))
	damage := &chunk.DamageError{Kind: chunk.DamageGap}
	assert.Equal(t, []*chunk.DamageError{damage}, chunk.Damages(fmt.Errorf("device A: %w", damage)))
	assert.Equal(t, []*chunk.DamageError{damage, damage}, chunk.Damages(fmt.Errorf("device A: %w", errors.Join(damage, assert.AnError, damage))))
}

func TestDamageKind_String(t *testing.T) {
	seen := map[string]bool{}
	for kind := chunk.DamageHeader; kind <= chunk.DamageContent; kind++ {
		assert.NotContains(t, kind.String(), "damage")
		seen[kind.String()] = true
	}
	assert.Len(t, seen, int(chunk.DamageContent))
	assert.Equal(t, "damage 99", chunk.DamageKind(99).String())
}
