package memfault

import (
	"errors"
	"fmt"
	"io"
)

// hiddenError is a cause whose own text, or the text of one of its causes, contains a secret.
// errors.Is and errors.As examine the cause, but errors.Unwrap does not return it.
type hiddenError struct {
	text  string
	cause error
}

func (e *hiddenError) Error() string { return e.text }

// Format writes the same line for every verb.
func (e *hiddenError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.text) }

func (e *hiddenError) Is(target error) bool { return errors.Is(e.cause, target) }
func (e *hiddenError) As(target any) bool   { return errors.As(e.cause, target) }

// cause returns err, or a hiddenError with its redacted text if err or one of its causes contains
// a secret.
func (r redactor) cause(err error) error {
	if err == nil || !r.hides(err) {
		return err
	}
	return &hiddenError{r.text(err.Error()), err}
}

// hides reports whether an error, or one of its causes, contains a secret in its text. Errors
// of the package contain none.
func (r redactor) hides(err error) bool {
	switch err := err.(type) { //nolint:errorlint // visits each error of the tree
	case *Error, *noResponseError, *hiddenError:
		return false
	case interface{ Unwrap() error }:
		if cause := err.Unwrap(); cause != nil && r.hides(cause) {
			return true
		}
	case interface{ Unwrap() []error }:
		for _, cause := range err.Unwrap() {
			if r.hides(cause) {
				return true
			}
		}
	}
	text := err.Error()
	return r.text(text) != text
}
