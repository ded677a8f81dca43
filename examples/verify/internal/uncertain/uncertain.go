// Package uncertain lists what the client assumes about Memfault without proof: the facts
// that are marked with UNCERTAIN in the comments of the client.
//
// Marks contains the facts that examples/verify can settle against the real Memfault. Open
// contains the others, with the reason. A test checks that every mark of the client is in one
// of the lists, and that every place in the lists has a mark.
package uncertain

import "slices"

// Mark is a fact that a program with access to Memfault can settle.
type Mark struct {
	Name     string // short and unique, for reports
	Question string
	Places   []Place
	Confirms string // observation that confirms what the client assumes
	Refutes  string // observation that refutes it
	// Write reports whether the observation requires a request that changes something.
	Write bool
}

// Place is a comment with a mark.
type Place struct {
	File  string // in the root of the module
	Start string // of the sentence after the mark
}

// OpenMark is a fact that remains uncertain.
type OpenMark struct {
	Place  Place
	Reason string // why examples/verify does not settle the fact
}

func at(file, start string) []Place { return []Place{{file, start}} }

// Marks returns the facts that examples/verify can settle, those of readings first.
func Marks() []Mark { return slices.Concat(readings(), writings()) }

// Find returns the mark of a name.
func Find(name string) (Mark, bool) {
	all := Marks()
	i := slices.IndexFunc(all, func(m Mark) bool { return m.Name == name })
	if i < 0 {
		return Mark{}, false
	}
	return all[i], true
}
