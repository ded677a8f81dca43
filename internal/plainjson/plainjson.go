// Package plainjson reads small JSON objects of the usual form without reflection. Read them
// with an [Object].
//
// In the usual form, names and strings have no escapes, and integers have no fraction and no
// exponent. For any other form, and for text that is not JSON, the functions return false. The
// caller must then decode the text with encoding/json. If the functions return true, the result
// is the same as that of encoding/json. They allocate only the strings that they return.
package plainjson

import (
	"bytes"
	"unicode/utf8"
)

// Object iterates over the fields of a JSON object. If a field has an unusual form, the method
// that reads it marks the object as unusual; [Object.Done] then returns false. Create an Object
// with [NewObject].
type Object struct {
	rest    []byte
	name    []byte
	value   []byte
	started bool
	ended   bool
	unusual bool
}

// NewObject returns an [Object] that reads a JSON text.
func NewObject(text []byte) Object { return Object{rest: text} }

// Next reads the next field. It returns false at the end of the object, and if the text is
// unusual.
func (o *Object) Next() bool {
	if o.unusual || o.ended {
		return false
	}
	if !o.started {
		o.started = true
		if !o.take('{') {
			return o.fail()
		}
		if o.take('}') {
			return o.end()
		}
	} else if o.take('}') {
		return o.end()
	} else if !o.take(',') {
		return o.fail()
	}
	name, ok := o.takeValue()
	if ok {
		o.name, ok = Text(name)
	}
	if !ok || !o.take(':') {
		return o.fail()
	}
	if o.value, ok = o.takeValue(); !ok {
		return o.fail()
	}
	return true
}

// Name returns the name of the current field.
func (o *Object) Name() []byte { return o.name }

// Value returns the JSON text of the current field's value.
func (o *Object) Value() []byte { return o.value }

// IsNull reports whether the current value is null.
func (o *Object) IsNull() bool { return string(o.value) == "null" }

// Done reports whether the whole object was read and was usual.
func (o *Object) Done() bool { return o.ended && !o.unusual }

// String stores the current value in to. If the value is null, to does not change, as in
// encoding/json.
func (o *Object) String(to *string) {
	if o.IsNull() {
		return
	}
	text, ok := Text(o.value)
	if !ok {
		o.Fail()
		return
	}
	*to = string(text)
}

// Integer stores the current value in to. If the value is null, to does not change, as in
// encoding/json.
func Integer[N int | int64](o *Object, to *N) {
	if o.IsNull() {
		return
	}
	n, ok := Number(o.value)
	if !ok || int64(N(n)) != n {
		o.Fail()
		return
	}
	*to = N(n)
}

// Skip ignores the current field. If its name may differ from a known name only in case, Skip
// marks the object as unusual, because encoding/json ignores case.
func (o *Object) Skip(known ...string) {
	for _, b := range o.name {
		if b >= utf8.RuneSelf { // the letter could be equal to an ASCII letter except for case
			o.Fail()
			return
		}
	}
	for _, name := range known {
		if len(name) == len(o.name) && bytes.EqualFold(o.name, []byte(name)) {
			o.Fail()
			return
		}
	}
}

// Fail marks the object as unusual.
func (o *Object) Fail() { o.unusual = true }

func (o *Object) fail() bool {
	o.unusual = true
	return false
}

// end notes the end of the object, after which the text may contain only white space.
func (o *Object) end() bool {
	o.ended = true
	o.unusual = len(skipSpace(o.rest)) > 0
	return false
}

// take removes leading white space from the rest of the text, and then c. It returns false if
// the next byte is not c.
func (o *Object) take(c byte) bool {
	o.rest = skipSpace(o.rest)
	if len(o.rest) == 0 || o.rest[0] != c {
		return false
	}
	o.rest = o.rest[1:]
	return true
}

// takeValue removes leading white space and a value from the rest of the text.
func (o *Object) takeValue() ([]byte, bool) {
	o.rest = skipSpace(o.rest)
	n, ok := valueLength(o.rest)
	value := o.rest[:n]
	o.rest = o.rest[n:]
	return value, ok
}
