package fakecloud

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCompareVersions(t *testing.T) {
	for _, ascending := range [][]string{
		{"0.9.9", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.4-test", "2.0.4", "10.0.0"},
		{"mfw_nrf91x1_1.3.9", "mfw_nrf91x1_2.0.2", "mfw_nrf91x1_2.0.4", "mfw_nrf91x1_2.0.10"},
		{"2026.02", "2026.02.23", "2026.10"},
	} {
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
	}
	assert.Zero(t, compareVersions("1.0.0+abc", "1.0.0+8219de"), "build metadata is ignored")
}
