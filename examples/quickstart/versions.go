package main

import (
	"cmp"
	"iter"
	"slices"

	"github.com/memfault-go/memfault/internal/semver"
)

// newestFirst sorts versions in the order of semver.org, so that 2.10.0 comes before 2.9.0. What
// is no such version comes last.
func newestFirst(versions iter.Seq[string]) []string {
	return slices.SortedFunc(versions, func(a, b string) int {
		versionA, okA := parseVersion(a)
		versionB, okB := parseVersion(b)
		switch {
		case okA && okB:
			return cmp.Or(versionB.Compare(versionA), cmp.Compare(b, a)) // the second for versions that differ only in the build
		case okA:
			return -1
		case okB:
			return 1
		}
		return cmp.Compare(b, a)
	})
}

// parseVersion reads 1.9 as 1.9.0.
func parseVersion(text string) (semver.Version, bool) {
	if version, ok := semver.Parse(text); ok {
		return version, true
	}
	return semver.Parse(text + ".0")
}
