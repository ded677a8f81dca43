// Package chunkexport finds the chunks that the data export of the firmware SDK prints into
// logs. It also reads files that contain nothing but chunks.
//
// It promises that nothing that it recognizes is lost silently: it returns a chunk, or an
// [Error] with its place. A damaged chunk does not affect the chunks after it. Memory is
// bounded and time is linear, whatever the log contains.
//
// # What is recognized
//
// A chunk is MC:<base64>: anywhere in the log, whatever text is before and after it. The
// base64 text has at most 1 MiB and no line end in it. A JSON encoder may have escaped its
// characters '/', '+' and '='.
//
// Each MC: begins a chunk. If what follows is not base64 and a colon, the chunk is damaged.
// There are two exceptions. MC: before a space or tab is ordinary text, unless the blank can
// be the damaged first character of a chunk. MC: at the end of a valid chunk, as in
// MC:AAMC:, is only a part of it. But if valid base64 and a colon follow there as well, the
// first chunk was cut off and the second one began right after it; text of that form after
// such a chunk is taken for a chunk.
//
// A line that consists of hexadecimal digits is a chunk as well, if it begins with the header of
// a chunk: one of 00, 08, 40, 48, 80 and C0. It has at least 8 digits and at most 1 MiB, and
// may have blanks around them, and also between all bytes. Terminal escape sequences are ignored.
// Lines end with \n, \r\n or \r.
//
// Such a line is a damaged chunk if one in 8 of its characters or fewer is another letter, a
// question mark, a control character or not ASCII, or if it has one other punctuation mark and
// an even number of characters. If the number of characters is odd, or blanks between bytes are
// missing, the line is a damaged chunk only if the line before or after it is a chunk in
// hexadecimal; empty lines do not count. Otherwise it is ordinary text: numbers of subscribers
// begin with 00 too.
//
// The log is in an encoding that is a superset of ASCII, or in UTF-16 with a byte order mark.
//
// # What is not recognized
//
// A chunk whose MC: is damaged, a hexadecimal chunk with more damage than that, and any chunk
// in another encoding. Ordinary text that has the form of a chunk is returned as a chunk.
//
// # Files of chunks
//
// A file can also consist of chunks: their base64 text, separated by white space or by the
// quotes, commas and brackets of JSON; or their bytes, each chunk after its length as a 32-bit
// little-endian number. [Read] finds out which form a file has.
package chunkexport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

const (
	maxText   = 1 << 20  // the largest number of characters of a chunk
	blockSize = 64 << 10 // bytes of the log in a read
)

var errTooLong = errors.New("longer than 1 MiB")

// Chunk is a chunk and its place.
type Chunk struct {
	Line   int   // where the chunk begins, from 1; 0 in a file of bytes
	Offset int64 // the same in bytes, from 0
	Data   []byte
}

// Error is a damaged chunk.
type Error struct {
	Line   int   // where the chunk begins, from 1; 0 in a file of bytes
	Offset int64 // the same in bytes, from 0
	Err    error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("byte %d: %v", e.Offset, e.Err)
	}
	return fmt.Sprintf("line %d, byte %d: %v", e.Line, e.Offset, e.Err)
}

// Unwrap returns what is wrong with the chunk.
func (e *Error) Unwrap() error { return e.Err }

// Decode returns the chunks of a log in order, and an [*Error] for each damaged one. An error
// of the reader is last, and is returned as it is. If the reader fails, only the complete
// chunks before are returned. The caller can keep the chunks.
func Decode(log io.Reader) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		decodeText(bufio.NewReaderSize(&sticky{r: log}, blockSize), FormatLog, yield)
	}
}

// decodeText decodes a log, or a text of FormatBase64.
func decodeText(reader *bufio.Reader, format Format, yield func(Chunk, error) bool) {
	form := detect(reader)
	_, _ = reader.Discard(form.mark) // it is in the buffer
	s := scanner{at: place{line: 1}, form: form, format: format}
	var buffer []byte
	if form.order != nil {
		buffer = make([]byte, 0, blockSize/2)
	}
	for {
		block, err := form.next(reader, buffer)
		for len(block) > 0 {
			if block = block[s.skip(block):]; len(block) == 0 {
				break
			}
			s.next(block[0])
			block = block[1:]
			if len(s.found) > 0 && !s.yield(yield) {
				return
			}
		}
		if err == nil {
			continue
		}
		broken := !errors.Is(err, io.EOF)
		s.end(broken)
		if s.yield(yield) && broken {
			yield(Chunk{}, err)
		}
		return
	}
}

// place is where a character is.
type place struct {
	line   int
	offset int64 // in characters, after the byte order mark
}

// result is a chunk or a damaged one.
type result struct {
	chunk Chunk
	err   error
}

// scanner finds chunks character by character.
type scanner struct {
	form    encoding
	format  Format
	at      place // of the next character
	afterCR bool
	base64  base64Scanner
	hex     hexScanner
	words   wordScanner // of FormatBase64, instead of the others
	found   []result
}

// skip handles as many bytes in one step as it can, and returns their number. It handles none
// at the start of a line.
func (s *scanner) skip(block []byte) int {
	n := 0
	switch {
	case s.format == FormatBase64, !s.hex.ignored:
		return 0
	case s.base64.state == searching && s.base64.matched == 0:
		if n = bytes.IndexAny(block, "M\r\n"); n < 0 {
			n = len(block)
		}
	case s.base64.state == inText:
		n = s.base64.skip(block)
	}
	s.at.offset += int64(n)
	return n
}

func (s *scanner) next(b byte) {
	switch {
	case s.format == FormatBase64:
		s.words.next(b, s)
	case isLineEnd(b):
		s.base64.next(b, s)
		s.hex.endLine(s)
	default:
		s.base64.next(b, s)
		if !s.hex.ignored {
			s.hex.next(b, s.at)
		}
	}
	// A log captured from a terminal can end its lines with \r\r\n.
	if isLineEnd(b) && !s.afterCR {
		s.at.line++
	}
	s.afterCR = b == '\r'
	s.at.offset++
}

// end ends the log. If it is broken, what is incomplete is dropped.
func (s *scanner) end(broken bool) {
	s.base64.end(broken, s)
	if !broken {
		s.hex.endLine(s)
		s.words.end(s)
	}
}

func (s *scanner) chunk(at place, content []byte) {
	s.found = append(s.found, result{chunk: Chunk{at.line, s.offset(at), content}})
}

func (s *scanner) damaged(at place, err error) {
	s.found = append(s.found, result{err: s.errorAt(at, err)})
}

func (s *scanner) errorAt(at place, err error) *Error {
	return &Error{at.line, s.offset(at), err}
}

// offset returns a place in bytes.
func (s *scanner) offset(at place) int64 {
	return int64(s.form.mark) + at.offset*int64(s.form.width())
}

func (s *scanner) yield(yield func(Chunk, error) bool) bool {
	for _, r := range s.found {
		if !yield(r.chunk, r.err) {
			return false
		}
	}
	s.found = s.found[:0]
	return true
}

func isLineEnd(b byte) bool { return b == '\n' || b == '\r' }

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

func isAlphanumeric(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
