package chunk

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// DamageKind is a kind of damage.
type DamageKind int

// The kinds of damage.
const (
	// DamageHeader is data that does not begin as a chunk does. It does not end the message
	// that is incomplete; if the data replaced a chunk of it, the next chunk reports a gap.
	DamageHeader DamageKind = iota + 1
	// DamageNoStart is a chunk that continues a message whose first chunk did not arrive.
	DamageNoStart
	// DamageGap is a chunk that begins behind the end of the data before it.
	DamageGap
	// DamageOverlap is a chunk that repeats bytes. If they belong to a message that was
	// complete, this message is not lost.
	DamageOverlap
	// DamageUnfinished is a message whose end did not arrive before the next message, or
	// before [Assembler.Flush]. A device that restarts while it sends leaves such a message.
	DamageUnfinished
	// DamageLength is a message that is longer than [Assembler.MaxMessage], or longer than
	// its first chunk announced.
	DamageLength
	// DamageCut is a message that ends before the announced length.
	DamageCut
	// DamageCRC is a message whose checksum is wrong.
	DamageCRC
	// DamageContent is a message with a correct checksum whose header or compression is
	// invalid.
	DamageContent
)

// String returns a short description, such as "gap".
func (k DamageKind) String() string {
	switch k {
	case DamageHeader:
		return "not a chunk"
	case DamageNoStart:
		return "no first chunk"
	case DamageGap:
		return "gap"
	case DamageOverlap:
		return "overlap"
	case DamageUnfinished:
		return "unfinished"
	case DamageLength:
		return "too long"
	case DamageCut:
		return "cut off"
	case DamageCRC:
		return "wrong CRC"
	case DamageContent:
		return "invalid content"
	default:
		return fmt.Sprintf("damage %d", int(k))
	}
}

// DamageError describes damaged chunks, and the message that was lost by them. A lost message
// usually has one DamageError; later chunks of it are skipped without an error. It has two if
// the first of them could not show which message is lost, for example [DamageHeader] and then
// [DamageGap].
type DamageError struct {
	Kind DamageKind

	// Chunk is the number of the chunk that shows the damage. The first chunk that an
	// [Assembler] reads has the number 1. FirstChunk is the number of the chunk with which the
	// message began, or 0 if the first chunk did not arrive.
	Chunk, FirstChunk int

	// Type is the type of the message, and Size its announced length in bytes. Both are 0 if
	// unknown.
	Type MessageType
	Size int

	// From and To are the damaged bytes of the message, without To: those that are missing,
	// repeated or too much. If no single byte is known to be damaged, it is the whole message.
	From, To int

	// Hint is a possible cause, or "". For example, the data can be base64 text, or text that
	// was re-encoded.
	Hint string
}

// Error returns the kind and the place of the damage.
func (e *DamageError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "chunk: %s in chunk %d", e.Kind, e.Chunk)
	if e.From < e.To {
		fmt.Fprintf(&b, ": bytes %d to %d", e.From, e.To-1)
	}
	switch {
	case e.Kind == DamageHeader:
	case e.FirstChunk == 0:
		b.WriteString(" of an unknown message")
	default:
		fmt.Fprintf(&b, " of the message that began in chunk %d", e.FirstChunk)
		if e.Size > 0 {
			fmt.Fprintf(&b, " (%s, %d bytes)", e.Type, e.Size)
		}
	}
	if e.Hint != "" {
		b.WriteString(": " + e.Hint)
	}
	return b.String()
}

// Damages returns all damage that err describes, in order. It returns two errors if a chunk
// shows that the message before it is unfinished and is damaged itself.
func Damages(err error) []*DamageError {
	switch e := err.(type) { //nolint:errorlint // all errors of the tree are visited
	case *DamageError:
		return []*DamageError{e}
	case interface{ Unwrap() error }:
		return Damages(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*DamageError
		for _, err := range e.Unwrap() {
			all = append(all, Damages(err)...)
		}
		return all
	default:
		return nil
	}
}

// join returns an error for the damages that are not nil.
func join(damages ...*DamageError) error {
	var errs []error
	for _, damage := range damages {
		if damage != nil {
			errs = append(errs, damage)
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// hint guesses why data is damaged.
func hint(data []byte) string {
	text := string(data[:min(len(data), 4096)])
	switch {
	case text == "":
		return "empty"
	case strings.Contains(text, "\ufffd"):
		return "bytes above 127 were replaced by U+FFFD: the chunk was decoded as text"
	case isReencoded(text):
		return "bytes above 127 were encoded as UTF-8: the chunk was decoded as Latin-1 text"
	case strings.HasPrefix(text, "MC:"):
		return "a line of the data export: decode its base64 text"
	case isText(text, "0123456789abcdefABCDEF"):
		return "hexadecimal text: decode it"
	case isText(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="):
		return "base64 text: decode it"
	default:
		return ""
	}
}

// isText reports whether text of a certain length consists of the given characters.
func isText(text, characters string) bool {
	text = strings.TrimRight(text, "\r\n")
	return len(text) >= 8 && strings.Trim(text, characters) == ""
}

// isReencoded reports whether text is UTF-8 of which all characters are in Latin-1, and some not
// in ASCII.
func isReencoded(text string) bool {
	other := false
	for _, r := range text {
		if r > 0xFF || r == utf8.RuneError {
			return false
		}
		other = other || r > 0x7F
	}
	return other
}
