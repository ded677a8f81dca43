package chunk

import "fmt"

// FormatError describes content that is not in the expected form, although the message arrived
// as the device sent it.
type FormatError struct {
	Content string // such as "event" or "coredump"
	Offset  int    // in the payload of the message
	Problem string
}

// Error returns the problem and its place.
func (e *FormatError) Error() string {
	return fmt.Sprintf("chunk: %s: byte %d: %s", e.Content, e.Offset, e.Problem)
}

// Field is a part of a message that the package does not know.
type Field struct {
	// Key is the key in the message, usually a number as an int64.
	Key any

	// Value is a nil, bool, int64, uint64 (above the range of int64), float64, string, []byte,
	// []any with such values, [Tagged], or []Field for a map.
	Value any
}

// Tagged is a value of CBOR with a tag. The package does not interpret tags.
type Tagged struct {
	Tag   uint64
	Value any
}
