// Package uncertain lists what the client assumes about Memfault without proof: the facts
// that are marked as UNCERTAIN(name) in the comments of the client.
//
// Marks contains the facts that examples/verify can settle against the real Memfault, Open
// those that it cannot settle, with the reason.
package uncertain

import "slices"

// Mark is a fact that a program with access to Memfault can settle.
type Mark struct {
	Name     string // as in the comments of the client
	Question string
	Confirms string // observation that confirms what the client assumes
	Refutes  string // observation that refutes it
	// Write reports whether the observation requires a request that changes something.
	Write bool
}

// OpenMark is a fact that remains uncertain.
type OpenMark struct {
	Name   string
	Reason string // why examples/verify does not settle the fact
}

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
