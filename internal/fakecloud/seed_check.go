package fakecloud

import (
	"fmt"
	"strconv"
)

// seedName is a name in what a test adds.
type seedName struct {
	field, name string
	ok          bool
}

// required is a name that must not be empty.
func required(field, name string) seedName { return seedName{field, name, name != ""} }

// refers is a name of something that must exist, or empty for the default.
func refers(field, name string, exists bool) seedName {
	return seedName{field, name, name == "" || exists}
}

// refersID is the ID of something that must exist, or 0 for none.
func refersID(field string, id int64, exists bool) seedName {
	return seedName{field, strconv.FormatInt(id, 10), id == 0 || exists}
}

// accepts reports whether all names of what a test adds are valid. It reports each other name as
// a violation: a test with a misspelled name must not pass because the server did nothing. c.mu
// must be held.
func (c *Cloud) accepts(what string, names ...seedName) bool {
	accepted := true
	for _, n := range names {
		switch {
		case n.ok:
			continue
		case n.name == "":
			c.recorder.addViolation(fmt.Sprintf("the test adds %s without %s", what, n.field))
		default:
			c.recorder.addViolation(fmt.Sprintf("the test adds %s with the %s %q, which does not exist", what, n.field, n.name))
		}
		accepted = false
	}
	return accepted
}
