// Package links has comments for the tests of LinkProblems.
package links

// ErrOther is a problem of a [Thing], or of a [*Thing]. It is like ErrNone.
var ErrOther error

// Thing has a Size, and [other] things. See [Thing.Size].
type Thing struct {
	// Size is the number of [Part] values; see [Thing.Gone] and [Part.Name].
	Size int
}

// Part belongs to a [Thing]. [Thing].Size is not a link to the field, and [Thing].Gone is text.
//
//	part := Device{} // code does not link [Thing.Lost]
type Part struct{ Name string }

// hide links [Part.Lost], although nothing shows it.
func hide() error { return ErrOther }

var _ = hide
