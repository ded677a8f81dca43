package chunkexport

import (
	"bufio"
	"encoding/binary"
	"io"
)

// encoding is how a log represents its characters.
type encoding struct {
	mark  int              // bytes of the byte order mark at the start of the log
	order binary.ByteOrder // of UTF-16; nil for an encoding that is a superset of ASCII
}

// width returns the bytes of a character, as far as chunks contain it.
func (e encoding) width() int {
	if e.order != nil {
		return 2
	}
	return 1
}

// detect looks for a byte order mark. A log with that of UTF-16 whose first characters are all
// outside of ASCII is a log of bytes after all, such as a log that begins with noise.
func detect(reader *bufio.Reader) encoding {
	const enough = 64 // bytes, also of a log that still grows
	first, _ := reader.Peek(1)
	if len(first) == 0 || first[0] < 0xef {
		return encoding{}
	}
	start, _ := reader.Peek(3)
	if string(start) == "\xef\xbb\xbf" {
		return encoding{mark: len(start)}
	}
	if len(start) < 2 {
		return encoding{}
	}
	var order binary.ByteOrder
	switch string(start[:2]) {
	case "\xff\xfe":
		order = binary.LittleEndian
	case "\xfe\xff":
		order = binary.BigEndian
	default:
		return encoding{}
	}
	start, _ = reader.Peek(enough)
	for start = start[2:]; len(start) >= 2; start = start[2:] {
		if c := order.Uint16(start); c > 0 && c < 0x80 {
			return encoding{mark: 2, order: order}
		}
	}
	return encoding{}
}

// next returns the next bytes of the log. In UTF-16, each character becomes one byte, which is
// 0xff if the character is outside of ASCII. The bytes are valid until the next call.
func (e encoding) next(reader *bufio.Reader, buffer []byte) ([]byte, error) {
	_, err := reader.Peek(e.width())
	block, _ := reader.Peek(reader.Buffered()) // it is in the buffer
	if e.order == nil {
		_, _ = reader.Discard(len(block))
		return block, err
	}
	if err == nil {
		block = block[:len(block)&^1] // the rest of a character can still come
	}
	_, _ = reader.Discard(len(block))
	buffer = buffer[:0]
	for ; len(block) >= 2; block = block[2:] {
		c := e.order.Uint16(block)
		if c >= 0x80 {
			c = 0xff
		}
		buffer = append(buffer, byte(c))
	}
	return buffer, err
}

// sticky returns the first error of a reader forever, because detect may see it before Decode.
type sticky struct {
	r   io.Reader
	err error
}

func (s *sticky) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	s.err = err
	return n, err
}
