package inspect

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/chunk"
)

// message returns a message of a size, in chunks.
func message(size, per int) [][]byte {
	content := make([]byte, size)
	content[0] = byte(chunk.MessageLog)
	for n := 1; n < size; n++ {
		content[n] = byte(n)
	}
	data := binary.LittleEndian.AppendUint16(content, crc(content))
	var chunks [][]byte
	for at := 0; at < len(data); at += per {
		part, header := data[at:min(at+per, len(data))], []byte{0x08} // the checksum is at the end
		if at > 0 {
			header[0] = 0
		}
		if at+per < len(data) {
			header[0] |= 0x40
		}
		if at > 0 {
			header[0] |= 0x80
			header = binary.AppendUvarint(header, uint64(at))
		} else if header[0]&0x40 != 0 {
			header = binary.AppendUvarint(header, uint64(size))
		}
		chunks = append(chunks, append(header, part...))
	}
	return chunks
}

// crc is CRC-16/XMODEM.
func crc(data []byte) (crc uint16) {
	for _, b := range data {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

func add(i *Inspector, serial string, chunks ...[]byte) (complete, damaged int) {
	for _, c := range chunks {
		r := i.Add(Device{"acme", serial}, c, time.Time{}.Add(time.Hour))
		if r.Complete {
			complete++
		}
		damaged += r.Damaged
	}
	return complete, damaged
}

func assertCounts(t *testing.T, i *Inspector, serial string, complete, damaged int, chunks ...[]byte) {
	t.Helper()
	c, d := add(i, serial, chunks...)
	assert.Equal(t, []int{complete, damaged}, []int{c, d})
}

func TestInspector(t *testing.T) {
	m := message(500, 100)
	require.Len(t, m, 6)
	i := New()
	assertCounts(t, i, "A", 1, 0, m...)
	// Two devices at a time.
	for _, c := range m[:5] {
		assertCounts(t, i, "A", 0, 0, c)
		assertCounts(t, i, "B", 0, 0, c)
	}
	assertCounts(t, i, "A", 1, 0, m[5])
	assertCounts(t, i, "B", 1, 0, m[5])
	assertCounts(t, i, "A", 1, 1, append([][]byte{m[0], m[2]}, m...)...)
	assertCounts(t, i, "C", 1, 0, append(m[3:6:6], m...)...) // it is not known how the first message began
	assertCounts(t, i, "C", 0, 1, m[4], m[5])                // but now it is
	assertCounts(t, i, "D", 0, 1, []byte("hello"))
}

func TestInspector_LogsADeviceOnceAMinute(t *testing.T) {
	i, now := New(), time.Time{}.Add(time.Hour)
	logged := 0
	for range 61 {
		if i.Add(Device{"acme", "A"}, []byte("hello"), now).Damage != nil {
			logged++
		}
		now = now.Add(time.Second)
	}
	assert.Equal(t, 2, logged)
}

func TestInspector_LimitsMemory(t *testing.T) {
	i := New()
	m := message(mostOf+100_000, 100_000)
	for n := range mostDevices + 10 {
		add(i, fmt.Sprint(n), m[0])
	}
	assert.LessOrEqual(t, i.bytes, mostBytes)
	i = New()
	assertCounts(t, i, "A", 0, 0, m...)
	assert.Zero(t, i.bytes, "a message that is too large is not read")
	assertCounts(t, i, "A", 1, 0, message(500, 100)...)
	for n := range mostDevices + 10 {
		assertCounts(t, i, fmt.Sprint(n), 1, 0, message(5, 100)...)
	}
	assert.Len(t, i.entries, mostDevices)
	assert.Len(t, i.entries, i.order.Len())
	assert.Zero(t, i.bytes)
}
