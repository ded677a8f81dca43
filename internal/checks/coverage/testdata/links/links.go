// Package links has comments for the tests of LinkProblems. It mentions a Thing.
package links

// ErrMissing is like ErrOther. A second ErrOther is not reported.
var ErrMissing, errHidden error

// ErrOther is a problem of a [Thing], or of a [*Thing].
var ErrOther error

// Thing is a Thing with a Size. Device is a word here, and a name in a Device.
type Thing struct {
	// Size is the number of [Part] values; see [Thing.Gone] and Part.Name.
	Size int
	next int // not an ErrOther
	// hidden is not an ErrOther.
	hidden string
}

// Part belongs to a [Thing]. Thing.Size counts it. [Thing].Size is not a link to the field.
//
//	part := Device{} // code is not an ErrOther
type Part struct{ Name string }

// Device has a User-Agent, an API and, on the next line, an unlinked
// NewThing.
type Device struct{}

// User and API are names that can be words.
type (
	User struct{}
	API  struct{}
)

// NewThing returns a [Thing], whose Thing.Size is 0.
func NewThing() *Thing { return &Thing{next: 0, hidden: ""} }

// Grow is a method: a Thing needs no link here.
func (t *Thing) Grow() {}

// hide is not exported: ErrOther needs no link.
func hide() error { return errHidden }

var _ = hide
