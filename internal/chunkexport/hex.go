package chunkexport

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

var errGroups = errors.New("uneven groups of digits")

// firstBytes are the headers that a chunk can begin with, in hexadecimal.
var firstBytes = []string{"00", "08", "40", "48", "80", "C0"}

const (
	shortest   = 8 // digits; fewer cannot hold the header of a message
	wrongOneIn = 8 // the part of a line that damage may have changed
)

// hexScanner finds lines that consist of hexadecimal digits, in one group or in groups of two.
type hexScanner struct {
	hexLine
	afterChunk bool   // the line before is a whole chunk
	held       *Error // the line before, if it is a damaged chunk only if this one is a chunk
}

// hexLine is what was read of a line.
type hexLine struct {
	ignored bool // the line is not a chunk
	start   place
	text    []byte // the first maxText characters, without blanks
	length  int
	figures int // 0 to 9
	wrong   int // characters that replace digits in a damaged line
	marks   int // punctuation marks
	escape  escapeState

	groups  int // of characters, between blanks
	group   int // characters of the current one; 0 after a blank
	damaged bool
	first   int // characters of the first group
	misfits int // groups that are not two digits, without the current one
}

// escapeState is how much of a terminal escape sequence was read.
type escapeState int

const (
	noEscape escapeState = iota
	escapeBegun
	inControlSequence
)

func (h *hexLine) next(b byte, at place) {
	switch {
	case h.skipEscape(b):
		return
	case isBlank(b):
		h.endGroup()
		return
	case h.group == 0 && !h.beginGroup(at):
		h.ignored = true
		return
	}
	h.group++
	if h.length++; h.length <= maxText {
		h.text = append(h.text, b)
	}
	switch {
	case b >= '0' && b <= '9':
		h.figures++
		return
	case isHex(b):
		return
	case isAlphanumeric(b) || b == '?' || b < ' ' || b > '~':
		h.wrong++
	default:
		h.marks++
	}
	h.damaged = true
}

// beginGroup reports whether another group can belong to a chunk.
func (h *hexLine) beginGroup(at place) bool {
	if h.groups == 0 {
		h.start = at
	}
	h.groups++
	return h.groups == 1 || h.first <= 2 && h.misfits <= 1+h.groups/wrongOneIn
}

func (h *hexLine) endGroup() {
	if h.group == 0 {
		return
	}
	if h.group != 2 || h.damaged {
		h.misfits++
	}
	if h.groups == 1 {
		h.first = h.group
	}
	h.group, h.damaged = 0, false
}

// skipEscape reports whether a byte belongs to a terminal escape sequence, such as ESC[0;37m.
func (h *hexLine) skipEscape(b byte) bool {
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

// endLine ends a line, and with it the chunk that it is. An empty line changes nothing.
func (h *hexScanner) endLine(s *scanner) {
	defer func() { h.hexLine = hexLine{text: h.text[:0]} }()
	if !h.ignored && h.groups == 0 {
		return
	}
	h.endGroup()
	held, afterChunk := h.held, h.afterChunk
	h.held, h.afterChunk = nil, false
	isChunk, certain := h.judge()
	if !isChunk {
		return
	}
	chunk, err := h.decode()
	switch {
	case err == nil:
		if held != nil {
			s.found = append(s.found, result{err: held})
		}
		s.chunk(h.start, chunk)
		h.afterChunk = true
	case certain || afterChunk:
		s.damaged(h.start, err)
	default:
		h.held = s.errorAt(h.start, err)
	}
}

// judge reports whether the line is a chunk, possibly a damaged one, and whether that is certain.
// It is not certain if the number of digits is odd or the groups are uneven: the line is then
// ordinary text, such as the number of a subscriber, unless a chunk is beside it.
//
// Anything shorter than the header of a message, and a line that does not begin like a chunk, is
// ordinary text. Damage that replaces a digit with a punctuation mark leaves the number of
// characters even; most numbers, times and IDs with such marks have more of them or are odd.
func (h *hexLine) judge() (isChunk, certain bool) {
	switch {
	case h.ignored || h.length < shortest || h.figures == 0 || !beginsLikeChunk(h.text):
		return false, false
	case h.groups > 1:
		return h.misfits*wrongOneIn <= h.groups, h.misfits == 0
	case h.marks == 0:
		return h.wrong*wrongOneIn <= h.length, h.length%2 == 0
	}
	certain = h.marks == 1 && h.wrong == 0 && h.length%2 == 0
	return certain, certain
}

// beginsLikeChunk reports whether the first two digits can be those of a chunk. Any other
// character may replace one of them.
func beginsLikeChunk(text []byte) bool {
	return slices.ContainsFunc(firstBytes, func(known string) bool {
		for i := range known {
			if isHex(text[i]) && !strings.EqualFold(known[i:i+1], string(text[i:i+1])) {
				return false
			}
		}
		return true
	})
}

func (h *hexLine) decode() ([]byte, error) {
	if h.length > maxText {
		return nil, errTooLong
	}
	chunk := make([]byte, hex.DecodedLen(len(h.text)))
	_, err := hex.Decode(chunk, h.text)
	if err == nil && h.groups > 1 && h.misfits > 0 {
		err = errGroups
	}
	return chunk, err
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}
