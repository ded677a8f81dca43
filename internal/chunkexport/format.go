package chunkexport

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
)

// Format is the form of a file with chunks.
type Format int

// The forms.
const (
	FormatLog    Format = iota // what Decode reads
	FormatBase64               // base64 text of chunks
	FormatBytes                // bytes of chunks, each after its length
)

// String describes the form.
func (f Format) String() string {
	switch f {
	case FormatBase64:
		return "base64 text"
	case FormatBytes:
		return "bytes with a length before each chunk"
	default:
		return "log"
	}
}

// Read returns the chunks of a file, as [Decode] does, and its form. It blocks until the first
// line, or the first 4 bytes, are read.
//
// A file is FormatBytes if it begins with a length from 1 byte to 1 MiB: no text does, and noise
// before a log is followed by MC: and has no second length. It is FormatBase64 if the start of the
// file consists of base64 text but for one line in 8, and at least half of it are chunks; no two
// chunks have only blanks between them. Any other file is a log.
//
// A damaged length in a file of bytes ends it, because the place of the next chunk is unknown.
func Read(r io.Reader) (Format, iter.Seq2[Chunk, error]) {
	reader := bufio.NewReaderSize(&sticky{r: r}, blockSize)
	format := FormatLog
	if startsWithLength(reader) {
		format = FormatBytes
	} else if isBase64Text(firstLines(reader)) {
		format = FormatBase64
	}
	return format, func(yield func(Chunk, error) bool) {
		if format == FormatBytes {
			decodeBytes(reader, yield)
		} else {
			decodeText(reader, format, yield)
		}
	}
}

// startsWithLength reports whether a file can be FormatBytes.
func startsWithLength(reader *bufio.Reader) bool {
	start, err := reader.Peek(lengthSize)
	if err != nil {
		return false
	}
	size := binary.LittleEndian.Uint32(start)
	if size == 0 || size > maxText {
		return false
	}
	start, _ = reader.Peek(reader.Buffered()) // it is in the buffer
	if !bytes.Contains(start, []byte("MC:")) {
		return true
	}
	rest := start[min(lengthSize+int(size), len(start)):]
	return len(rest) >= lengthSize && binary.LittleEndian.Uint32(rest) <= maxText
}

// firstLines returns what the reader can return without blocking, but at least a line unless
// it is longer than the buffer.
func firstLines(reader *bufio.Reader) []byte {
	for n := 1; ; n++ {
		_, err := reader.Peek(n)
		n = reader.Buffered()
		start, _ := reader.Peek(n) // it is in the buffer
		if err != nil || bytes.ContainsAny(start, "\r\n") {
			return start
		}
	}
}

// isBase64Text reports whether the start of a file has the form of FormatBase64.
func isBase64Text(start []byte) bool {
	text := string(bytes.ReplaceAll(start, []byte{0}, nil)) // the NULs of UTF-16
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		text = strings.TrimPrefix(text, mark)
	}
	if end := strings.LastIndexAny(text, "\r\n"); end > 0 {
		text = text[:end] // the last line can be incomplete
	}
	if prose.MatchString(text) {
		return false
	}
	var words, chunks, others int
	for word := range strings.FieldsFuncSeq(text, isBetweenWords) {
		chunk, err := decodeWord([]byte(word))
		switch {
		case strings.Trim(word, base64Characters) != "":
			others++
		case err == nil && len(chunk) >= shortest/2 && beginsLikeChunk(fmt.Appendf(nil, "%02x", chunk[0])):
			chunks++
		}
		words++
	}
	return chunks > 0 && others*wrongOneIn <= words && chunks*2 >= words
}

// prose is what base64 text does not contain: two words with only blanks between them.
var prose = regexp.MustCompile(`[0-9A-Za-z+/=_-][ \t]+[0-9A-Za-z+/=_-]`)

const base64Characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="

// isBetweenWords reports whether a character separates chunks in base64.
func isBetweenWords(r rune) bool { return r <= ' ' || strings.ContainsRune(`,"'[]`, r) }

// decodeWord decodes base64 with the standard alphabet or that of URLs, with or without padding.
func decodeWord(word []byte) ([]byte, error) {
	for i, c := range word {
		if strings.IndexByte(base64Characters, c) < 0 {
			return nil, invalidCharacter(word[i])
		}
	}
	text := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(string(word), "="))
	chunk, err := base64.RawStdEncoding.Strict().DecodeString(text)
	switch {
	case len(text)%4 == 1:
		return nil, fmt.Errorf("invalid base64: %d characters", len(word))
	case err != nil:
		return nil, err
	case len(chunk) == 0:
		return nil, errEmpty
	}
	return chunk, nil
}

// wordScanner finds the words of FormatBase64.
type wordScanner struct {
	start  place
	text   []byte // the first maxText characters
	length int
}

func (w *wordScanner) next(c byte, s *scanner) {
	if isBetweenWords(rune(c)) {
		w.end(s)
		return
	}
	if w.length == 0 {
		w.start = s.at
	}
	if w.length++; w.length <= maxText {
		w.text = append(w.text, c)
	}
}

func (w *wordScanner) end(s *scanner) {
	if w.length == 0 {
		return
	}
	chunk, err := decodeWord(w.text)
	if w.length > maxText {
		err = errTooLong
	}
	if err != nil {
		s.damaged(w.start, err)
	} else {
		s.chunk(w.start, chunk)
	}
	w.text, w.length = w.text[:0], 0
}

const lengthSize = 4

// decodeBytes decodes a file of FormatBytes.
func decodeBytes(reader *bufio.Reader, yield func(Chunk, error) bool) {
	offset := int64(0)
	for {
		var length [lengthSize]byte
		_, err := io.ReadFull(reader, length[:])
		if errors.Is(err, io.EOF) {
			return
		}
		size, n := binary.LittleEndian.Uint32(length[:]), 0
		var data []byte
		if err == nil && size <= maxText {
			data = make([]byte, size)
			n, err = io.ReadFull(reader, data)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			yield(Chunk{}, &Error{Offset: offset, Err: fmt.Errorf("cut off at the end of the file: it has %d bytes of the chunk", n)})
			return
		case err != nil:
			yield(Chunk{}, err)
			return
		case size > maxText:
			yield(Chunk{}, &Error{Offset: offset, Err: fmt.Errorf("length of %d bytes: the next chunk cannot be found", size)})
			return
		case size == 0:
			if !yield(Chunk{}, &Error{Offset: offset, Err: errEmpty}) {
				return
			}
		case !yield(Chunk{Offset: offset, Data: data}, nil):
			return
		}
		offset += lengthSize + int64(size)
	}
}
