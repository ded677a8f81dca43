// Package chunkencode encodes what devices with Memfault's firmware SDK send, for tests. It was
// written from the description of the format, and shares no code with the package chunk.
package chunkencode

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// CRC16 computes the checksum bit by bit.
func CRC16(b []byte) uint16 {
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

// CRCPlace is the way in which the CRC of a message is sent.
type CRCPlace int

// The ways in which the CRC is sent.
const (
	CRCAfter        CRCPlace = iota // what the current SDK sends
	CRCAfterLength                  // in the first chunk, after the length
	CRCBeforeLength                 // in the first chunk, before the length
)

// Chunks splits a message into chunks of at most size bytes.
func Chunks(message []byte, size int, place CRCPlace) [][]byte {
	crc := binary.LittleEndian.AppendUint16(nil, CRC16(message))
	var header, trailer []byte
	if place == CRCAfter {
		header, trailer = []byte{0x08}, crc
	} else {
		header = append([]byte{0x00}, crc...)
	}
	if len(header)+len(message)+len(trailer) <= size {
		return [][]byte{slices.Concat(header, message, trailer)}
	}
	length := binary.AppendUvarint(nil, uint64(len(message)))
	switch place {
	case CRCAfter:
		header = append([]byte{0x48}, length...)
	case CRCAfterLength:
		header = slices.Concat([]byte{0x40}, length, crc)
	case CRCBeforeLength:
		header = slices.Concat([]byte{0x40}, crc, length)
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
			return append(chunks, slices.Concat(header, rest, trailer))
		}
		n := min(room, len(rest))
		chunks = append(chunks, slices.Concat(header, rest[:n]))
		sent += n
	}
}

// Message encodes a message. The key is "" or has 32 characters.
func Message[T ~int](kind T, key string, compressed bool, payload []byte) []byte {
	b := []byte{byte(kind)}
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
			return head(1, uint64(-1-v))
		}
		return head(0, uint64(v))
	case uint64:
		return head(0, v)
	case float32:
		return binary.BigEndian.AppendUint32([]byte{0xfa}, math.Float32bits(v))
	case float64:
		return binary.BigEndian.AppendUint64([]byte{0xfb}, math.Float64bits(v))
	case []byte:
		return append(head(2, uint64(len(v))), v...)
	case string:
		return append(head(3, uint64(len(v))), v...)
	case []any:
		b := head(4, uint64(len(v)))
		for _, element := range v {
			b = append(b, CBOR(element)...)
		}
		return b
	case Map:
		b := head(5, uint64(len(v)/2))
		for _, element := range v {
			b = append(b, CBOR(element)...)
		}
		return b
	case Tagged:
		return append(head(6, v.Tag), CBOR(v.Value)...)
	default:
		panic(fmt.Sprintf("chunkencode: unexpected type %T", v))
	}
}

func head(major byte, n uint64) []byte {
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

// Block encodes a block of a coredump.
func Block(kind byte, address uint32, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{kind, 0, 0, 0}, address)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data))) //nolint:gosec // tests encode little
	return append(b, data...)
}

// Coredump encodes a coredump.
func Coredump(flags uint32, blocks ...[]byte) []byte {
	body := slices.Concat(blocks...)
	out := binary.LittleEndian.AppendUint32([]byte("CORE"), 2)
	out = binary.LittleEndian.AppendUint32(out, uint32(12+len(body)+16)) //nolint:gosec // tests encode little
	out = append(append(out, body...), "DUMP"...)
	out = binary.LittleEndian.AppendUint32(out, flags)
	return append(out, make([]byte, 8)...)
}
