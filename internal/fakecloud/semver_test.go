package fakecloud

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCompareVersions_Precedence(t *testing.T) {
	ascending := []string{
		"0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
		"1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.4-test", "2.0.4", "10.0.0",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			got := compareVersions(a, b)
			switch {
			case i < j:
				assert.Negative(t, got, "%s sorts before %s", a, b)
			case i > j:
				assert.Positive(t, got, "%s sorts after %s", a, b)
			default:
				assert.Zero(t, got, a)
			}
		}
	}
	assert.Zero(t, compareVersions("1.0.0+abc", "1.0.0+8219de"), "build metadata is ignored")
	assert.Positive(t, compareVersions("1.0.0+abc", "1.0.0-rc.1+zzz"))
}
