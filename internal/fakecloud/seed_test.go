package fakecloud_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// everything returns the responses to the requests that list what a seed added, as JSON. The
// clock is that of a synctest bubble, so each call sees the same times.
func everything(t *testing.T, seed func(*fakecloud.Cloud)) map[string]string {
	t.Helper()
	all := map[string]string{}
	synctest.Test(t, func(t *testing.T) {
		x := newTester(t)
		seed(x.cloud)
		for _, path := range []string{
			"", "/devices", "/cohorts", "/releases", "/software_types", "/issues", "/traces", "/coredumps", "/custom-data-recordings",
			"/deployments", "/installs", "/events", "/reports", "/delta-releases",
			"/devices/SINK-0001/attributes", "/devices/SINK-0002/log-files", "/devices/SINK-0003/reboots",
		} {
			all[path] = x.ok(x.get(path + "?per_page=100")).text
		}
	})
	return all
}

func TestSeedFleet_SameEachTime(t *testing.T) {
	seed := func(c *fakecloud.Cloud) { c.SeedFleet(60) }
	first := everything(t, seed)
	for range 5 {
		assert.Equal(t, first, everything(t, seed))
	}
	assert.Equal(t, 60, strings.Count(first["/devices"], "SINK-"))
}
