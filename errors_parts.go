package memfault

import (
	"fmt"
	"strings"
)

// maxPartsShown is how many errors the text of a partsError contains.
const maxPartsShown = 100

// partError is why one part of the work of a call failed, such as one device of several.
type partError struct {
	part  string
	cause error
}

// inPart adds the name of a part to the text of an error, such as device "ABCD1234".
func inPart(kind, name string, cause error) error {
	if cause == nil {
		return nil
	}
	return &partError{fmt.Sprintf("%s %q", kind, name), cause}
}

func (e *partError) Error() string { return "memfault: " + e.part + ": " + withoutPrefix(e.cause) }
func (e *partError) Unwrap() error { return e.cause }

// partsError joins the errors of all parts that failed, in one line.
type partsError struct {
	text  string
	parts []error
}

// joinParts returns nil if no part failed.
func joinParts(parts []error, format string, args ...any) error {
	if len(parts) == 0 {
		return nil
	}
	return &partsError{fmt.Sprintf(format, args...), parts}
}

func (e *partsError) Error() string {
	var b strings.Builder
	b.WriteString("memfault: " + e.text)
	separator := ": "
	for _, part := range e.parts[:min(len(e.parts), maxPartsShown)] {
		b.WriteString(separator + withoutPrefix(part))
		separator = "; "
	}
	if more := len(e.parts) - maxPartsShown; more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

func (e *partsError) Unwrap() []error { return e.parts }

func withoutPrefix(err error) string { return strings.TrimPrefix(err.Error(), "memfault: ") }
