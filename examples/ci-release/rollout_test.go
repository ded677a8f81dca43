package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func openFile(t *testing.T, path string) *memfault.File {
	t.Helper()
	file, err := memfault.OpenFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// newRollout returns a server with a staged rollout to 10 %.
func newRollout(t *testing.T) *memfaulttest.Server {
	t.Helper()
	cloud, b := newCloud(t), newBuild(t)
	run(t.Context(), t, cloud, b.flags("-rollout", "10")...).requireCode(t, exitDone, "")
	return cloud
}

var rollout = []string{"-version", "1.4.2+ci.77", "-cohort", "beta"}

func rolloutArgs(name string, more ...string) []string {
	return append(append([]string{name}, rollout...), more...)
}

func TestRollout_Life(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newRollout(t)
		do := func(args []string, text string, written ...string) {
			t.Helper()
			before := cloud.RequestCount("")
			o := run(t.Context(), t, cloud, args...)
			o.requireCode(t, exitDone, "")
			assert.Contains(t, o.out, text)
			assert.Equal(t, written, writes(cloud, before))
		}
		do([]string{"status", "-cohort", "beta"}, "offers it to 10% of the devices since 2000-01-01 00:00 UTC")
		do([]string{"status", "-cohort", "beta"}, "beta: 20 devices: 20 with 1.0.0")
		do(rolloutArgs("promote", "-rollout", "50", "-dry-run"), "would offer it to 50% of the devices")
		do(rolloutArgs("promote", "-rollout", "50"), "offers it to 50% of the devices", "deployments.update")
		do(rolloutArgs("promote", "-rollout", "50"), "offers it to 50% of the devices")
		do(rolloutArgs("promote", "-rollout", "40"), "offers it to 50% of the devices")
		updateAll(cloud)
		do(rolloutArgs("promote", "-rollout", "100", "-wait", "100"), "20 devices: 20 with 1.4.2+ci.77", "deployments.update")
		do(rolloutArgs("pull", "-dry-run"), "would deactivate deployment")
		do(rolloutArgs("pull"), "deactivated deployment", "deployments.deactivate")
		do(rolloutArgs("pull"), "not active")
		do([]string{"status", "-cohort", "beta"}, "status      beta: 20 devices: 20 with 1.4.2+ci.77")
	})
}

func TestRollout_Rejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t)
		run(t.Context(), t, cloud, rolloutArgs("promote", "-rollout", "50")...).requireCode(t, exitRefused, "1.4.2+ci.77 is not active on beta: deploy it with ci-release -version")
		run(t.Context(), t, cloud, rolloutArgs("promote", "-rollout", "50", "-replace")...).requireCode(t, exitRefused, "is not active on beta")
		run(t.Context(), t, cloud, rolloutArgs("pull")...).requireCode(t, exitRefused, "1.4.2+ci.77 was never deployed to beta")
		for _, args := range [][]string{rolloutArgs("promote", "-rollout", "50"), rolloutArgs("pull"), {"status", "-cohort", "beta"}} {
			run(t.Context(), t, cloud, replaceFlag(args, "-cohort", "gamma")...).requireCode(t, exitRefused, "cohort gamma does not exist")
		}
		assert.Empty(t, writes(cloud, 0))
	})
}

func TestPromote_MemfaultChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newRollout(t)
		cloud.Fail(memfaulttest.Fault{Operation: "deployments.update", Status: 400})
		run(t.Context(), t, cloud, rolloutArgs("promote", "-rollout", "50")...).requireCode(t, exitRefused, "the flag -replace deactivates it and creates another one")
		o := run(t.Context(), t, cloud, rolloutArgs("promote", "-rollout", "50", "-replace")...)
		o.requireCode(t, exitDone, "")
		assert.Contains(t, o.out, "offers it to 50% of the devices")
	})
}

func TestPromote_ReplaceInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newRollout(t)
		ctx, interrupt := context.WithCancel(t.Context())
		cloud.Fail(memfaulttest.Fault{Operation: "deployments.update", Status: 400})
		cloud.Fail(memfaulttest.Fault{Operation: "deployments.create", Before: interrupt, Delay: time.Hour})
		run(ctx, t, cloud, rolloutArgs("promote", "-rollout", "50", "-replace")...).requireCode(t, exitInterrupted, "run the same command again")
		cloud.Heal()
		o := run(t.Context(), t, cloud, rolloutArgs("promote", "-rollout", "50", "-replace")...)
		o.requireCode(t, exitDone, "")
		assert.Contains(t, o.out, "offers it to 50% of the devices")
	})
}

func TestRollout_FaultAtEachStep(t *testing.T) {
	for name, test := range map[string]struct {
		args       []string
		operations []string
	}{
		"promote": {rolloutArgs("promote", "-rollout", "50"), []string{"cohorts.retrieve", "deployments.list", "deployments.update"}},
		"replace": {rolloutArgs("promote", "-rollout", "50", "-replace"), []string{"deployments.deactivate", "deployments.create"}},
		"pull":    {rolloutArgs("pull"), []string{"cohorts.retrieve", "deployments.list", "deployments.deactivate"}},
		"status":  {[]string{"status", "-cohort", "beta"}, []string{"cohorts.retrieve", "deployments.list", "cohorts.list_devices"}},
	} {
		for _, operation := range test.operations {
			t.Run(name+" "+operation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cloud := newRollout(t)
					if name == "replace" {
						cloud.Fail(memfaulttest.Fault{Operation: "deployments.update", Status: 400})
					}
					cloud.Fail(memfaulttest.Fault{Operation: operation, DropResponse: true})
					first := run(t.Context(), t, cloud, test.args...)
					if operation == "deployments.create" {
						first.requireCode(t, exitDone, "") // the package finds the deployment
					} else {
						first.requireCode(t, exitNoAnswer, "Run the same command again to continue")
					}
					cloud.Heal()
					run(t.Context(), t, cloud, test.args...).requireCode(t, exitDone, "")
				})
			})
		}
	}
}
