package chunkexport

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Kinds of damage. [Error] wraps them.
var (
	ErrCutLine = errors.New("cut off at the end of the line")
	ErrCutLog  = errors.New("cut off at the end of the log")
)

var (
	errCutNext = errors.New("cut off by the next chunk")
	errFirst   = errors.New("invalid first character")
	errEmpty   = errors.New("empty")
)

type state int

const (
	searching  state = iota
	inText           // after MC:
	afterBlank       // after MC: and a blank
)

// base64Scanner finds MC:<base64>:.
type base64Scanner struct {
	matched int   // characters of MC: right before the next byte
	mark    place // of the M of these

	state  state
	start  place  // of the M of the current chunk
	text   []byte // its base64, without escapes
	escape []byte // the start of an escape in it
	run    int    // characters of base64 after the blank

	held      []byte // a valid chunk whose text ends with MC; the current chunk begins there
	heldStart place
}

func (b *base64Scanner) next(c byte, s *scanner) {
	prefix := c == ':' && b.matched == 2
	switch b.state {
	case inText:
		b.nextInText(c, s)
	case afterBlank:
		b.nextAfterBlank(c, s)
	case searching:
	}
	if prefix && b.state == searching {
		b.begin(s)
	}
	switch {
	case c == 'M':
		b.matched, b.mark = 1, s.at
	case c == 'C' && b.matched == 1:
		b.matched = 2
	default:
		b.matched = 0
	}
}

// begin starts a chunk at the MC: that was found last.
func (b *base64Scanner) begin(s *scanner) {
	b.state, b.start, b.text, b.escape = inText, b.mark, b.text[:0], b.escape[:0]
	s.hex.ignored = true
}

func (b *base64Scanner) nextInText(c byte, s *scanner) {
	switch {
	case len(b.escape) > 0 || c == '\\':
		b.nextInEscape(c, s)
	case isBase64(c):
		b.add(c, s)
	case c == ':':
		b.endText(s)
	case isBlank(c) && len(b.text) == 0 && b.held == nil:
		b.state, b.run = afterBlank, 0
	case isLineEnd(c):
		b.stop(ErrCutLine, s)
	default:
		b.stop(invalidCharacter(c), s)
	}
}

// skip adds all but the last two characters of base64 in block, which may begin a MC:. It
// returns their number.
func (b *base64Scanner) skip(block []byte) int {
	if len(b.escape) > 0 {
		return 0
	}
	n := 0
	for n < len(block) && isBase64(block[n]) {
		n++
	}
	n = min(n-2, maxText-len(b.text))
	if n <= 0 {
		return 0
	}
	b.text = append(b.text, block[:n]...)
	b.matched = 0
	return n
}

func (b *base64Scanner) add(c byte, s *scanner) {
	if len(b.text) == maxText {
		b.stop(errTooLong, s)
		return
	}
	b.text = append(b.text, c)
}

// nextInEscape reads the escapes that JSON encoders use for the characters of base64.
func (b *base64Scanner) nextInEscape(c byte, s *scanner) {
	b.escape = append(b.escape, c)
	escape, more := strings.ToLower(string(b.escape)), false
	for _, known := range []struct {
		text string
		c    byte
	}{{`\/`, '/'}, {`\u002b`, '+'}, {`\u002f`, '/'}, {`\u003d`, '='}} {
		if escape == known.text {
			b.escape = b.escape[:0]
			b.add(known.c, s)
			return
		}
		more = more || strings.HasPrefix(known.text, escape)
	}
	if !more {
		b.stop(invalidCharacter('\\'), s)
	}
}

// stop ends a chunk that is damaged. If a chunk is held, it was not cut off, and what came
// after it is ordinary text.
func (b *base64Scanner) stop(problem error, s *scanner) {
	if b.held != nil {
		s.chunk(b.heldStart, b.held)
		b.held = nil
	} else {
		s.damaged(b.start, problem)
	}
	b.state = searching
}

// endText ends a chunk with its last colon.
func (b *base64Scanner) endText(s *scanner) {
	chunk, err := decodeBase64(b.text)
	if err != nil {
		b.stop(err, s)
		return
	}
	if b.held != nil {
		s.damaged(b.heldStart, errCutNext)
		b.held = nil
	}
	b.state = searching
	if b.matched < 2 {
		s.chunk(b.start, chunk)
		return
	}
	b.held, b.heldStart = chunk, b.start
	b.begin(s)
}

// nextAfterBlank reads what is ordinary text, unless a blank instead of the first character
// would make it a chunk.
func (b *base64Scanner) nextAfterBlank(c byte, s *scanner) {
	if isBase64(c) {
		b.run++
		return
	}
	if c == ':' && (1+b.run)%4 == 0 {
		s.damaged(b.start, errFirst)
	}
	b.state = searching
}

func (b *base64Scanner) end(broken bool, s *scanner) {
	switch {
	case b.held != nil:
		s.chunk(b.heldStart, b.held)
	case b.state == inText && !broken:
		s.damaged(b.start, ErrCutLog)
	}
}

func invalidCharacter(c byte) error { return fmt.Errorf("invalid character %q", string([]byte{c})) }

func isBase64(c byte) bool { return isAlphanumeric(c) || c == '+' || c == '/' || c == '=' }

func decodeBase64(text []byte) ([]byte, error) {
	if len(text)%4 != 0 {
		return nil, fmt.Errorf("invalid base64: %d characters, not a multiple of 4", len(text))
	}
	chunk := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(chunk, text)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, errEmpty
	}
	return chunk[:n], nil
}
