// Package semver orders versions as Semantic Versioning 2.0.0 does.
//
// It accepts what https://semver.org defines and nothing else: no leading v, no missing
// number, no leading zero. Numbers can have any length.
package semver

import (
	"cmp"
	"strings"
)

// Version is a parsed version. The zero value is not a version; use [Parse].
type Version struct {
	core [3]string // decimal numbers without leading zeros
	pre  []string  // identifiers of the pre-release; nil if there are none
}

// Parse parses a version and reports whether text is one. Build metadata is checked, and then
// dropped, because it does not affect the order.
func Parse(text string) (Version, bool) {
	text, build, hasBuild := strings.Cut(text, "+")
	core, pre, hasPre := strings.Cut(text, "-")
	numbers := strings.Split(core, ".")
	if len(numbers) != 3 {
		return Version{}, false
	}
	for _, number := range numbers {
		if !isNumber(number) {
			return Version{}, false
		}
	}
	v := Version{core: [3]string(numbers)}
	if hasPre {
		v.pre = strings.Split(pre, ".")
	}
	for _, identifier := range v.pre {
		if !isIdentifier(identifier) || isDigits(identifier) && !isNumber(identifier) {
			return Version{}, false
		}
	}
	if hasBuild {
		for identifier := range strings.SplitSeq(build, ".") {
			if !isIdentifier(identifier) {
				return Version{}, false
			}
		}
	}
	return v, true
}

// Compare returns -1, 0 or +1 if v has a lower, the same or a higher precedence than other.
func (v Version) Compare(other Version) int {
	for i := range v.core {
		if order := compareNumbers(v.core[i], other.core[i]); order != 0 {
			return order
		}
	}
	if len(v.pre) == 0 || len(other.pre) == 0 {
		return cmp.Compare(len(other.pre), len(v.pre)) // a pre-release is lower than its release
	}
	for i := range min(len(v.pre), len(other.pre)) {
		if order := compareIdentifiers(v.pre[i], other.pre[i]); order != 0 {
			return order
		}
	}
	return cmp.Compare(len(v.pre), len(other.pre))
}

// compareIdentifiers orders identifiers of pre-releases: a number is lower than text.
func compareIdentifiers(a, b string) int {
	switch numberA, numberB := isDigits(a), isDigits(b); {
	case numberA && numberB:
		return compareNumbers(a, b)
	case numberA:
		return -1
	case numberB:
		return 1
	default:
		return cmp.Compare(a, b)
	}
}

// compareNumbers compares decimal numbers without leading zeros.
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func isNumber(text string) bool { return isDigits(text) && (text[0] != '0' || text == "0") }

func isDigits(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

func isIdentifier(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}
