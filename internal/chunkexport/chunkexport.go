// Package chunkexport reads the chunks that the data export of the firmware SDK prints into
// logs.
//
// It promises bounded memory, whatever the log contains, and that a damaged chunk does not
// affect the chunks after it.
package chunkexport

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Error is a damaged chunk.
type Error struct {
	Line int // from 1
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with the chunk.
func (e *Error) Unwrap() error { return e.Err }

// maxExportLine bounds what of one line is kept in memory. The chunks of the firmware
// SDK are far shorter.
const maxExportLine = 1 << 20

// Decode returns the chunks of a log, in order. It returns a damaged line as an *Error, and
// continues after it. An error of the reader is last, and is returned as it is.
func Decode(log io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		reader := bufio.NewReaderSize(log, 64<<10)
		for number := 1; ; number++ {
			line, tooLong, err := readLine(reader)
			for chunk, damage := range chunksOf(line, tooLong) {
				if damage != nil {
					damage = &Error{number, damage}
				}
				if !yield(chunk, damage) {
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(nil, err)
				}
				return
			}
		}
	}
}

// readLine returns a line without its end. Of one that is too long it returns the
// start.
func readLine(reader *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := reader.ReadSlice('\n')
		if room := maxExportLine - len(line); len(part) > room {
			part, tooLong = part[:room], true
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(line, "\r\n"), tooLong, err
		}
	}
}

// chunksOf returns the chunks of one line, and what is damaged.
func chunksOf(line []byte, tooLong bool) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if digits := bytes.TrimSpace(line); looksHex(digits) {
			chunk, err := decodeHex(digits)
			if tooLong {
				chunk, err = nil, errTooLongLine
			}
			yield(chunk, err)
			return
		}
		for {
			text, rest, found := nextExport(line)
			if !found {
				return
			}
			line = rest
			var chunk []byte
			var err error
			switch {
			case len(rest) == 0 && tooLong:
				err = errTooLongLine
			case len(rest) == 0 || rest[0] != ':':
				err = errors.New("the colon at its end is missing, or a character is none of base64")
			default:
				chunk, err = decodeBase64(text)
			}
			if !yield(chunk, err) {
				return
			}
		}
	}
}

var errTooLongLine = errors.New("the line is longer than 1 MiB")

// nextExport finds MC: with base64 behind it, and returns that and what follows. A
// longer word that ends in MC: is none.
func nextExport(line []byte) (text, rest []byte, found bool) {
	for {
		start := bytes.Index(line, []byte("MC:"))
		if start < 0 {
			return nil, nil, false
		}
		within := start > 0 && isAlphanumeric(line[start-1])
		line = line[start+len("MC:"):]
		end := 0
		for end < len(line) && isBase64(line[end]) {
			end++
		}
		if end > 0 && !within {
			return line[:end], line[end:], true
		}
	}
}

func isAlphanumeric(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func isBase64(b byte) bool { return isAlphanumeric(b) || b == '+' || b == '/' || b == '=' }

func decodeBase64(text []byte) ([]byte, error) {
	chunk := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(chunk, text)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, errors.New("the chunk is empty")
	}
	return chunk[:n], nil
}

// looksHex reports whether a line is hexadecimal and nothing else, or is so but for a
// few damaged characters. Anything shorter than the header of a message, and a word
// without a figure, is no chunk.
func looksHex(line []byte) bool {
	const shortest, damagedOneIn = 8, 8
	figures, others := 0, 0
	for _, b := range line {
		switch {
		case b >= '0' && b <= '9':
			figures++
		case b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F':
		case isAlphanumeric(b) || b == '?' || b > '~':
			others++
		default:
			return false
		}
	}
	return len(line) >= shortest && figures > 0 && others*damagedOneIn <= len(line)
}

func decodeHex(digits []byte) ([]byte, error) {
	chunk := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(chunk, digits); err != nil {
		return nil, err
	}
	return chunk, nil
}
