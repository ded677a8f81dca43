package memfault

import (
	"encoding/json"
	"errors"
)

// Opt is a field of a partial update. Its zero value is not sent and leaves the
// field of the resource as it is; Set sends a value, Null sends null.
type Opt[T any] struct {
	value T
	state optState
}

type optState uint8

const (
	optUnset optState = iota
	optSet
	optNull
)

// Set returns an Opt that sends v.
func Set[T any](v T) Opt[T] { return Opt[T]{value: v, state: optSet} }

// Null returns an Opt that sends null, which clears the field.
func Null[T any]() Opt[T] { return Opt[T]{state: optNull} }

// IsZero reports whether the field is left out; encoding/json asks it for fields
// tagged omitzero.
func (o Opt[T]) IsZero() bool { return o.state == optUnset }

// Get returns the value, and whether there is one: not for the zero Opt nor for
// Null.
func (o Opt[T]) Get() (T, bool) { return o.value, o.state == optSet }

// MarshalJSON encodes the value, or null. The zero Opt cannot be encoded: its
// struct field needs the omitzero option.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	switch o.state {
	case optSet:
		return json.Marshal(o.value)
	case optNull:
		return []byte("null"), nil
	default:
		return nil, errors.New("memfault: an Opt without a value has no JSON form: tag its field omitzero")
	}
}

// UnmarshalJSON reads a value, or null.
func (o *Opt[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*o = Null[T]()
		return nil
	}
	*o = Opt[T]{state: optSet}
	return json.Unmarshal(data, &o.value)
}
