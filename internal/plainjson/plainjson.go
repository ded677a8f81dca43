// Package plainjson reads small JSON objects of the usual form without reflection.
//
// In the usual form, names and strings have no escapes, and integers have no fraction and no
// exponent. For any other form, and for text that is not JSON, the functions report false. The
// caller then decodes the text with encoding/json. If the functions report true, the result is
// that of encoding/json. They allocate nothing but the strings that they return.
package plainjson

import (
	"bytes"
	"unicode/utf8"
)

// Object iterates over the members of a JSON object. Methods that read a value report whether
// it was usual; [Object.Done] reports whether the whole object was.
type Object struct {
	rest    []byte
	name    []byte
	value   []byte
	started bool
	ended   bool
	unusual bool
}

// NewObject returns an Object of a JSON text.
func NewObject(text []byte) Object { return Object{rest: text} }

// Next reads the next member. It returns false at the end of the object, and if the text is
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

// Name returns the name of the present member.
func (o *Object) Name() []byte { return o.name }

// Value returns the JSON text of the present member's value.
func (o *Object) Value() []byte { return o.value }

// IsNull reports whether the present value is null.
func (o *Object) IsNull() bool { return string(o.value) == "null" }

// Done reports whether the whole object was read and was usual.
func (o *Object) Done() bool { return o.ended && !o.unusual }

// String reads the present value into to. null changes nothing, as in encoding/json.
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

// Integer reads the present value into to. null changes nothing, as in encoding/json.
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

// Skip ignores the present member. Its name must differ from the known names in more than
// case, because encoding/json ignores case.
func (o *Object) Skip(known ...string) {
	for _, b := range o.name {
		if b >= utf8.RuneSelf { // a letter that folds to one of ASCII
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

// end ends the object, after which only white space can follow.
func (o *Object) end() bool {
	o.ended = true
	o.unusual = len(skipSpace(o.rest)) > 0
	return false
}

// take removes white space and c from the rest of the text, if it continues so.
func (o *Object) take(c byte) bool {
	o.rest = skipSpace(o.rest)
	if len(o.rest) == 0 || o.rest[0] != c {
		return false
	}
	o.rest = o.rest[1:]
	return true
}

// takeValue removes white space and a value from the rest of the text.
func (o *Object) takeValue() ([]byte, bool) {
	o.rest = skipSpace(o.rest)
	n, ok := valueLength(o.rest)
	value := o.rest[:n]
	o.rest = o.rest[n:]
	return value, ok
}
