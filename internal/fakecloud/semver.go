package fakecloud

import (
	"cmp"
	"strconv"
	"strings"
)

// compareVersions orders two versions by their precedence as semantic versions: it ignores
// build metadata, and sorts a pre-release before its release. A part that should be a number
// and is not is compared as text.
func compareVersions(a, b string) int {
	coreA, preA := splitVersion(a)
	coreB, preB := splitVersion(b)
	if order := compareParts(coreA, coreB); order != 0 {
		return order
	}
	switch {
	case preA == preB:
		return 0
	case preA == "":
		return 1
	case preB == "":
		return -1
	default:
		return compareParts(preA, preB)
	}
}

func splitVersion(version string) (core, preRelease string) {
	version, _, _ = strings.Cut(version, "+")
	core, preRelease, _ = strings.Cut(version, "-")
	return core, preRelease
}

// compareParts compares the parts between the dots, one after the other. A number sorts
// before text. If all common parts are equal, the version with fewer parts sorts first.
func compareParts(a, b string) int {
	partsA, partsB := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(partsA), len(partsB)) {
		if order := comparePart(partsA[i], partsB[i]); order != 0 {
			return order
		}
	}
	return cmp.Compare(len(partsA), len(partsB))
}

func comparePart(a, b string) int {
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
