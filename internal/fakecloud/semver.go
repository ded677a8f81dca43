package fakecloud

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/memfault-go/memfault/internal/semver"
)

// compareVersions orders two versions by their precedence as semantic versions.
//
// UNCERTAIN(version-order): how Memfault orders other versions, such as those of modems. Here,
// it compares their parts between the dots, as numbers if both are.
func compareVersions(a, b string) int {
	versionA, okA := semver.Parse(a)
	versionB, okB := semver.Parse(b)
	if okA && okB {
		return versionA.Compare(versionB)
	}
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
	if errA != nil || errB != nil {
		return cmp.Compare(a, b)
	}
	return cmp.Compare(numberA, numberB)
}
