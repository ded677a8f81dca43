package semver_test

import (
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/semver"
)

func parse(t *testing.T, text string) semver.Version {
	t.Helper()
	v, ok := semver.Parse(text)
	require.True(t, ok, text)
	return v
}

func TestCompare_Precedence(t *testing.T) {
	ascending := strings.Fields(`0.0.0-0 0.0.0 0.0.1 0.2.0 0.10.0 1.0.0-0 1.0.0-1 1.0.0-2 1.0.0-10
		1.0.0-18446744073709551616 1.0.0-18446744073709551617 1.0.0-- 1.0.0-0a 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta
		1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 2.0.4-test 2.0.4 99999999999999999999.0.0 100000000000000000000.0.0`)
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			assert.Equal(t, want, parse(t, a).Compare(parse(t, b)), "%s and %s", a, b)
		}
	}
}

func TestCompare_IgnoresBuildMetadata(t *testing.T) {
	assert.Zero(t, parse(t, "1.0.0+build.007").Compare(parse(t, "1.0.0")))
	assert.Zero(t, parse(t, "1.0.0-rc.1+a-b").Compare(parse(t, "1.0.0-rc.1+z")))
}

func TestParse_InvalidInput(t *testing.T) {
	for _, text := range []string{
		"", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.00.0", "1.0.01", "1..0", "-1.0.0", "1.0.x", " 1.0.0", "1.0.0 ", "1.0.0-", "1.0.0+",
		"1.0.0-a..b", "1.0.0-01", "1.0.0-a_b", "1.0.0+a+b", "1.0.0+a..b", "1.0.0+é", "latest", "2.0.0\n", "٣.0.0",
	} {
		_, ok := semver.Parse(text)
		assert.False(t, ok, "%q", text)
	}
	_, ok := semver.Parse("1.0.0+001")
	assert.True(t, ok, "build metadata may have leading zeros")
}

// grammar is the expression that https://semver.org suggests, in the syntax of Go.
var grammar = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`)

// FuzzCompare checks that Parse accepts exactly the grammar, and that Compare is an order that
// agrees with a model.
func FuzzCompare(f *testing.F) {
	f.Add("1.0.0-rc.1+a", "1.0.0", "1.0.1-0")
	f.Add("1.0.0-a-b", "1.0.0-01", "0.0.0")
	f.Add("1.0.0-alpha.10", "1.0.0-alpha.9", "1.0.0-alpha.9.0")
	f.Add("99999999999999999999.0.0", "100000000000000000000.0.0-0", "1.0.0+0\n")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		va, okA := semver.Parse(a)
		vb, okB := semver.Parse(b)
		vc, okC := semver.Parse(c)
		assert.Equal(t, []bool{grammar.MatchString(a), grammar.MatchString(b), grammar.MatchString(c)}, []bool{okA, okB, okC})
		if okA && okB {
			assert.Equal(t, modelCompare(a, b), va.Compare(vb))
			assert.Equal(t, va.Compare(vb), -vb.Compare(va))
			assert.Zero(t, va.Compare(va))
		}
		if okA && okB && okC && va.Compare(vb) <= 0 && vb.Compare(vc) <= 0 {
			assert.LessOrEqual(t, va.Compare(vc), 0)
		}
	})
}

// modelCompare compares two valid versions with numbers of any length.
func modelCompare(a, b string) int {
	matchA, matchB := grammar.FindStringSubmatch(a), grammar.FindStringSubmatch(b)
	for i := 1; i <= 3; i++ {
		if order := number(matchA[i]).Cmp(number(matchB[i])); order != 0 {
			return order
		}
	}
	preA, preB := matchA[4], matchB[4]
	switch {
	case preA == "" && preB != "":
		return 1
	case preA != "" && preB == "":
		return -1
	}
	return slices.CompareFunc(strings.Split(preA, "."), strings.Split(preB, "."), func(a, b string) int {
		numberA, numberB := number(a), number(b)
		switch {
		case numberA != nil && numberB != nil:
			return numberA.Cmp(numberB)
		case numberA == nil && numberB == nil:
			return strings.Compare(a, b)
		case numberA != nil:
			return -1
		}
		return 1
	})
}

// number returns the number that a text of digits is, or nil.
func number(text string) *big.Int {
	if strings.Trim(text, "0123456789") != "" {
		return nil
	}
	n, _ := new(big.Int).SetString(text, 10)
	return n
}
