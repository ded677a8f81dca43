package redact

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

// Cause returns err, or an error with the redacted text if err or one of its causes contains a
// secret. errors.Is and errors.As still examine err, but errors.Unwrap does not return it. clean
// reports whether an error is known to contain no secret, nor any of its causes.
func (r Redactor) Cause(err error, clean func(error) bool) error {
	if err == nil || !r.hides(err, clean) {
		return err
	}
	return &hiddenError{r.Text(err.Error()), err}
}

// hides reports whether an error, or one of its causes, contains a secret in its text.
func (r Redactor) hides(err error, clean func(error) bool) bool {
	if clean(err) {
		return false
	}
	switch err := err.(type) { //nolint:errorlint // visits each error of the tree
	case *hiddenError:
		return false
	case interface{ Unwrap() error }:
		if cause := err.Unwrap(); cause != nil && r.hides(cause, clean) {
			return true
		}
	case interface{ Unwrap() []error }:
		for _, cause := range err.Unwrap() {
			if r.hides(cause, clean) {
				return true
			}
		}
	}
	text := err.Error()
	return r.Text(text) != text
}
