package memfault

import (
	"encoding/json"
	"errors"
	"reflect"
)

// Opt is a field of a partial update. The zero value is not sent and leaves the field of the
// resource unchanged; [Set] sends a value, [Null] sends null.
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

// Set returns an [Opt] that sends v. A nil slice is sent as an empty list and a nil map as an
// empty object; a nil pointer is sent as null.
func Set[T any](v T) Opt[T] { return Opt[T]{value: v, state: optSet} }

// Null returns an [Opt] that sends null, which clears the field.
func Null[T any]() Opt[T] { return Opt[T]{state: optNull} }

// IsZero reports whether the field is not sent. [encoding/json] calls it for fields with the
// omitzero option.
func (o Opt[T]) IsZero() bool { return o.state == optUnset }

// Get returns the value, and whether there is one. The zero Opt and [Null] have none.
func (o Opt[T]) Get() (T, bool) { return o.value, o.state == optSet }

// MarshalJSON encodes the value, or null. The zero Opt cannot be encoded: its struct field
// needs the omitzero option.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	switch o.state {
	case optSet:
		return json.Marshal(notNil(o.value))
	case optNull:
		return []byte("null"), nil
	default:
		return nil, errors.New("memfault: Opt without a value has no JSON form; its field needs the omitzero option")
	}
}

// notNil returns an empty slice or map for a nil one, which would be encoded as null.
func notNil(value any) any {
	v := reflect.ValueOf(value)
	if _, ok := value.(json.Marshaler); ok || !v.IsValid() {
		return value
	}
	switch {
	case v.Kind() == reflect.Slice && v.IsNil():
		return reflect.MakeSlice(v.Type(), 0, 0).Interface()
	case v.Kind() == reflect.Map && v.IsNil():
		return reflect.MakeMap(v.Type()).Interface()
	default:
		return value
	}
}

// UnmarshalJSON decodes a value, or null.
func (o *Opt[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*o = Null[T]()
		return nil
	}
	*o = Opt[T]{state: optSet}
	return json.Unmarshal(data, &o.value)
}
