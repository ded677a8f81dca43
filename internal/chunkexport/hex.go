package chunkexport

import "encoding/hex"

// hexScanner finds lines that consist of hexadecimal digits.
type hexScanner struct {
	ignored bool // the line is not a chunk
	start   place
	text    []byte // the first maxText characters
	length  int
	figures int  // 0 to 9
	wrong   int  // characters that replace digits in a damaged line
	marks   int  // punctuation marks
	ended   bool // by a blank
	escape  escapeState
}

// escapeState is how much of a terminal escape sequence was read.
type escapeState int

const (
	noEscape escapeState = iota
	escapeBegun
	inControlSequence
)

func (h *hexScanner) next(b byte, at place) {
	switch {
	case h.skipEscape(b):
		return
	case isBlank(b):
		h.ended = h.length > 0
		return
	case h.ended:
		h.ignored = true
		return
	}
	if h.length == 0 {
		h.start = at
	}
	if h.length++; h.length <= maxText {
		h.text = append(h.text, b)
	}
	switch {
	case b >= '0' && b <= '9':
		h.figures++
	case b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F':
	case isAlphanumeric(b) || b == '?' || b < ' ' || b > '~':
		h.wrong++
	default:
		h.marks++
	}
}

// skipEscape reports whether a byte belongs to a terminal escape sequence, such as ESC[0;37m.
func (h *hexScanner) skipEscape(b byte) bool {
	switch {
	case h.escape == inControlSequence && b >= '@' && b <= '~':
		h.escape = noEscape
	case h.escape == escapeBegun && b == '[':
		h.escape = inControlSequence
	case h.escape == escapeBegun:
		h.escape = noEscape
	case h.escape == noEscape && b == 0x1b:
		h.escape = escapeBegun
	case h.escape == noEscape:
		return false
	}
	return true
}

// endLine ends a line, and with it the chunk that it is.
func (h *hexScanner) endLine(s *scanner) {
	if !h.ignored && h.isChunk() {
		chunk := make([]byte, hex.DecodedLen(len(h.text)))
		_, err := hex.Decode(chunk, h.text)
		if h.length > maxText {
			err = errTooLong
		}
		if err != nil {
			s.damaged(h.start, err)
		} else {
			s.chunk(chunk)
		}
	}
	*h = hexScanner{text: h.text[:0]}
}

// isChunk reports whether the line is a chunk, possibly a damaged one. Anything shorter than
// the header of a message, and a word without a figure, is ordinary text. Damage that
// replaces a digit with a punctuation mark leaves the number of characters even; most
// numbers, times and IDs with such marks have more of them or are odd.
func (h *hexScanner) isChunk() bool {
	const shortest, wrongOneIn = 8, 8
	if h.length < shortest || h.figures == 0 {
		return false
	}
	if h.marks == 0 {
		return h.wrong*wrongOneIn <= h.length
	}
	return h.marks == 1 && h.wrong == 0 && h.length%2 == 0
}
