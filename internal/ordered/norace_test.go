//go:build !race

package ordered_test

// raceEnabled reports whether the race detector slows the tests down.
const raceEnabled = false
