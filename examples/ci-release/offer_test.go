package main

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

func TestOffer_OtherBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		cloud.AddReleases(memfaulttest.Release{Version: "1.4.2+ci.77", Artifacts: []memfaulttest.Artifact{
			{HardwareVersion: "evt", Content: []byte("the payload of another build")},
		}})
		would := run(t.Context(), t, cloud, b.flags("-dry-run")...)
		would.requireCode(t, exitDone, "")
		const note = "check       note: release 1.4.2+ci.77 has another payload for evt, firmware.bin (MD5 19a4f0b9f4ac433629d2ff997a3ec9fc), and devices may be offered either: raise -version\n"
		assert.Contains(t, would.out, note)
		o := run(t.Context(), t, cloud, b.flags()...)
		assert.Contains(t, o.out, note)
		o.requireCode(t, exitFailed, "offer: evt: VerifyOffer: device SINK-0 is offered release 1.4.2+ci.77")
		assert.Contains(t, o.err, "done: check, symbols, payload, deployment; left: offer\n")
	})
}

func TestOffer_ShadowedByAHigherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		cloud.AddReleases(memfaulttest.Release{Version: "2.0.0", Artifacts: []memfaulttest.Artifact{{HardwareVersion: "evt", Content: []byte("2")}}})
		cloud.AddDeployments(memfaulttest.Deployment{Release: "2.0.0", Cohort: "beta"})
		o := run(t.Context(), t, cloud, b.flags()...)
		o.requireCode(t, exitFailed, "is offered release 2.0.0")
		assert.Contains(t, o.out, "check       note: 2.0.0 is active on beta: if it has the same software type, it shadows 1.4.2+ci.77 (ci-release pull deactivates it)")
		run(t.Context(), t, cloud, "pull", "-version", "2.0.0", "-cohort", "beta").requireCode(t, exitDone, "")
		run(t.Context(), t, cloud, b.flags()...).requireCode(t, exitDone, "")
	})
}

func TestOffer_OtherBuildMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		cloud.AddReleases(memfaulttest.Release{Version: "1.4.2+ci.76"}, memfaulttest.Release{Version: "nightly"})
		cloud.AddDeployments(memfaulttest.Deployment{Release: "1.4.2+ci.76", Cohort: "beta"}, memfaulttest.Deployment{Release: "nightly", Cohort: "beta"})
		o := run(t.Context(), t, cloud, b.flags()...)
		o.requireCode(t, exitDone, "")
		assert.Contains(t, o.out, "note: 1.4.2+ci.76 is active on beta and has the same precedence: devices that run it are not offered 1.4.2+ci.77\n")
	})
}

func TestOffer_StagedRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		cloud.SetRolloutDevices(func(serial string, percent int) bool { // not the first that are asked
			return percent >= 20 && slices.Contains([]string{"SINK-16", "SINK-17", "SINK-18", "SINK-19"}, serial)
		})
		o := run(t.Context(), t, cloud, b.flags("-rollout", "20")...)
		o.requireCode(t, exitDone, "")
		assert.Contains(t, o.out, "offers it to 20% of the devices")
		assert.Contains(t, o.out, "evt: device SINK-")
		assert.Greater(t, cloud.RequestCount("releases.latest"), 4, "the rollout reached the first devices, so the test shows nothing")
	})
}

// The rollout of one percent reaches none of 20 devices. One device runs an older version that is
// deployed too, so that it is offered that one.
func TestOffer_NoDeviceReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		cloud.AddReleases(memfaulttest.Release{Version: "1.1.0", Artifacts: []memfaulttest.Artifact{{HardwareVersion: "evt", Content: []byte("1.1")}}})
		cloud.AddDeployments(memfaulttest.Deployment{Release: "1.1.0", Cohort: "beta"})
		o := run(t.Context(), t, cloud, b.flags("-rollout", "1")...)
		o.requireCode(t, exitDone, "")
		for _, board := range []string{"evt", "dvt"} {
			assert.Contains(t, o.out, "note: "+board+": not proved with a device, because the rollout reaches none of the 10 devices that were asked; but the payload that Memfault stores has the bytes of "+b.payload)
		}
		require.Equal(t, fleetSize, cloud.RequestCount("releases.latest"), "each device was asked once")
	})
}

func TestOffer_NoDeviceOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		cloud.Fail(memfaulttest.Fault{Operation: "releases.latest", Status: 204})
		o := run(t.Context(), t, cloud, b.flags()...)
		o.requireCode(t, exitFailed, "none of the 10 devices that were asked is offered 1.4.2+ci.77, although all should be: ci-release status -cohort beta shows")
	})
}

func TestOffer_StoredPayloadDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		run(t.Context(), t, cloud, b.flags("-rollout", "1")...).requireCode(t, exitDone, "")
		cloud.AddReleases(memfaulttest.Release{Version: "1.5.0", Artifacts: []memfaulttest.Artifact{{HardwareVersion: "evt", Content: []byte("x")}, {HardwareVersion: "dvt", Content: []byte("x")}}})
		cloud.AddDeployments(memfaulttest.Deployment{Release: "1.5.0", Cohort: "beta", RolloutPercent: 1})
		r := &release{session: &session{connection: &connection{client: cloud.Client(t), project: cloud.Project()}}, releaseCmd: &releaseCmd{Version: "1.5.0"}}
		err := r.compareStored(t.Context(), payload{"evt", b.payload}, openFile(t, b.payload))
		require.ErrorContains(t, err, "release 1.5.0 has no payload for this board with the bytes of "+b.payload)
	})
}

// A device that is rate-limited is not asked again; another one is.
func TestOffer_RateLimitedDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		cloud.RateLimitLatest("SINK-0")
		o := run(t.Context(), t, cloud, b.flags()...)
		o.requireCode(t, exitDone, "")
		assert.Contains(t, o.out, "evt: device SINK-2 is offered the bytes of")
	})
}

func TestPayload_EqualContentRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := memfaulttest.NewInMemoryServer(t), newBuild(t)
		cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
		cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "evt"}, memfaulttest.HardwareVersion{Name: "dvt"})
		o := run(t.Context(), t, cloud, b.flags()...)
		o.requireCode(t, exitRefused, "Build the payload again for this version, and a different one for each board: -payload BOARD=FILE")
		other := b.dir + "/dvt.bin"
		writeFile(t, other, []byte("the payload of dvt"))
		flags := append(b.flags(), "-payload", "dvt="+other)
		run(t.Context(), t, cloud, flags...).requireCode(t, exitDone, "")
		run(t.Context(), t, cloud, replaceFlag(flags, "-payload", "evt="+b.payload)...).requireCode(t, exitDone, "")
	})
}
