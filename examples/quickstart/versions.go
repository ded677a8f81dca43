package main

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// newestFirst sorts versions in the order of semver.org, so that 2.10.0 comes before 2.9.0. What
// is no such version comes last.
func newestFirst(versions iter.Seq[string]) []string {
	return slices.SortedFunc(versions, func(a, b string) int {
		return cmp.Or(compareVersions(b, a), cmp.Compare(b, a)) // the second for versions that differ only in the build
	})
}

func compareVersions(a, b string) int {
	coreA, preA, okA := splitVersion(a)
	coreB, preB, okB := splitVersion(b)
	switch {
	case okA != okB && okA:
		return 1
	case okA != okB:
		return -1
	case !okA:
		return 0
	}
	byCore := slices.CompareFunc(coreA, coreB, compareIdentifiers)
	switch {
	case byCore != 0 || preA == preB:
		return byCore
	case preA == "":
		return 1 // 2.0.0 is newer than 2.0.0-rc.1
	case preB == "":
		return -1
	}
	return slices.CompareFunc(strings.Split(preA, "."), strings.Split(preB, "."), compareIdentifiers)
}

// splitVersion returns the numbers of a version and what follows the hyphen. It ignores the build.
func splitVersion(version string) (core []string, pre string, ok bool) {
	version, _, _ = strings.Cut(version, "+")
	version, pre, _ = strings.Cut(version, "-")
	core = strings.Split(version, ".")
	for _, number := range core {
		if _, err := strconv.ParseUint(number, 10, 64); err != nil {
			return nil, "", false
		}
	}
	return core, pre, true
}

// compareIdentifiers compares numbers by value. A number is less than a word.
func compareIdentifiers(a, b string) int {
	numberA, errA := strconv.ParseUint(a, 10, 64)
	numberB, errB := strconv.ParseUint(b, 10, 64)
	switch {
	case errA == nil && errB == nil:
		return cmp.Compare(numberA, numberB)
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	default:
		return cmp.Compare(a, b)
	}
}
