// Package firmware encodes what a device with the firmware SDK sends, for tests. It is written
// from the description of the format: of package chunk, it uses only the types.
package firmware

import (
	"encoding/binary"
	"math"

	"github.com/memfault-go/memfault/chunk"
)

// CRC computes the checksum bit by bit.
func CRC(b []byte) uint16 {
	crc := uint16(0)
	for _, c := range b {
		for bit := 7; bit >= 0; bit-- {
			carry := crc>>15 != uint16(c>>bit&1)
			if crc <<= 1; carry {
				crc ^= 0x1021
			}
		}
	}
	return crc
}

// CRCPlace is a way in which the CRC of a message is sent.
type CRCPlace int

// The ways in which the CRC of a message is sent.
const (
	CRCAfter        CRCPlace = iota // what the current SDK sends
	CRCAfterLength                  // in the first chunk, after the length
	CRCBeforeLength                 // in the first chunk, before the length
)

// Chunks splits a message into chunks of at most size bytes.
func Chunks(message []byte, size int, place CRCPlace) [][]byte {
	crc := binary.LittleEndian.AppendUint16(nil, CRC(message))
	var header, trailer []byte
	if place == CRCAfter {
		header, trailer = []byte{0x08}, crc
	} else {
		header = append([]byte{0x00}, crc...)
	}
	if len(header)+len(message)+len(trailer) <= size {
		return [][]byte{join(header, message, trailer)}
	}
	length := binary.AppendUvarint(nil, uint64(len(message)))
	switch place {
	case CRCAfter:
		header = append([]byte{0x48}, length...)
	case CRCAfterLength:
		header = join([]byte{0x40}, length, crc)
	case CRCBeforeLength:
		header = join([]byte{0x40}, crc, length)
	}
	var chunks [][]byte
	for sent := 0; ; {
		if sent > 0 {
			header = binary.AppendUvarint([]byte{0xC0}, uint64(sent))
		}
		room := size - len(header)
		rest := message[sent:]
		if len(rest)+len(trailer) <= room {
			header[0] &^= 0x40
			return append(chunks, join(header, rest, trailer))
		}
		n := min(room, len(rest))
		chunks = append(chunks, join(header, rest[:n]))
		sent += n
	}
}

func join(parts ...[]byte) (all []byte) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// Message encodes a message. The key is "" or has 32 characters.
func Message(kind chunk.MessageType, key string, compressed bool, payload []byte) []byte {
	b := []byte{byte(kind)} //nolint:gosec // below 64
	if key != "" {
		b[0] |= 0x40
		b = append(append(b, key...), 0)
	}
	if compressed {
		b[0] |= 0x80
		payload = compress(payload)
	}
	return append(b, payload...)
}

// compress is a run-length encoder. A run of three bytes or more is repeated.
func compress(b []byte) (out []byte) {
	runAt := func(i int) (n int) {
		for n = 1; i+n < len(b) && b[i+n] == b[i]; n++ {
		}
		return n
	}
	for i := 0; i < len(b); {
		if n := runAt(i); n >= 3 {
			out = append(binary.AppendVarint(out, int64(n)), b[i])
			i += n
			continue
		}
		start := i
		for i < len(b) && runAt(i) < 3 {
			i++
		}
		out = append(binary.AppendVarint(out, -int64(i-start)), b[start:i]...)
	}
	return out
}

// Map is a map of CBOR: keys and values in turn.
type Map []any

// Tagged is a value of CBOR with a tag.
type Tagged struct {
	Tag   uint64
	Value any
}

// CBOR encodes a value.
func CBOR(value any) []byte {
	switch v := value.(type) {
	case nil:
		return []byte{0xf6}
	case bool:
		if v {
			return []byte{0xf5}
		}
		return []byte{0xf4}
	case int:
		if v < 0 {
			return cborHead(1, uint64(-1-v))
		}
		return cborHead(0, uint64(v))
	case uint64:
		return cborHead(0, v)
	case float32:
		return binary.BigEndian.AppendUint32([]byte{0xfa}, math.Float32bits(v))
	case float64:
		return binary.BigEndian.AppendUint64([]byte{0xfb}, math.Float64bits(v))
	case []byte:
		return append(cborHead(2, uint64(len(v))), v...)
	case string:
		return append(cborHead(3, uint64(len(v))), v...)
	case []any:
		b := cborHead(4, uint64(len(v)))
		for _, element := range v {
			b = append(b, CBOR(element)...)
		}
		return b
	case Map:
		b := cborHead(5, uint64(len(v)/2))
		for _, element := range v {
			b = append(b, CBOR(element)...)
		}
		return b
	case Tagged:
		return append(cborHead(6, v.Tag), CBOR(v.Value)...)
	default:
		panic("firmware: unexpected type")
	}
}

// cborHead encodes the major type of a value and its argument.
func cborHead(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n <= math.MaxUint8:
		return []byte{major<<5 | 24, byte(n)}
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n))
	default:
		return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, n)
	}
}

// Event is an event of the current SDK without serial.
func Event(kind chunk.EventType, info any) Map {
	return Map{2, int(kind), 3, 1, 10, "main-fw", 9, "1.2.3+host", 6, "evt-1", 1, 1700000000, 4, info}
}

// Block is a block of a coredump.
type Block struct {
	Kind    byte
	Address uint32
	Data    []byte
}

// Coredump encodes a coredump.
func Coredump(flags uint32, blocks ...Block) []byte {
	var body []byte
	for _, b := range blocks {
		body = append(body, b.Kind, 0, 0, 0)
		body = binary.LittleEndian.AppendUint32(body, b.Address)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(b.Data))) //nolint:gosec // tests use small blocks
		body = append(body, b.Data...)
	}
	out := binary.LittleEndian.AppendUint32([]byte("CORE"), 2)
	out = binary.LittleEndian.AppendUint32(out, uint32(12+len(body)+16)) //nolint:gosec // as above
	out = append(append(out, body...), "DUMP"...)
	out = binary.LittleEndian.AppendUint32(out, flags)
	return append(out, make([]byte, 8)...)
}
