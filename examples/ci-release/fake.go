package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

const (
	fakeDevices = 100
	fakeCohort  = "beta"
	fakeType    = "main"          // software type
	fakeVersion = "0.0.0-factory" // of the devices, below every release
	fakeRelease = "1.4.2+ci.77"   // deployed to a tenth of the devices, for all commands but release
	fakeTick    = 300 * time.Millisecond
)

var fakeBoards = []string{"evt", "dvt"}

// startFake starts a fake Memfault with a cohort whose devices update after a while. What the
// flags name must be in it, as in the real Memfault.
func startFake(ctx context.Context, c *cli, tick time.Duration) (*connection, error) {
	cloud, err := memfaulttest.Start()
	if err != nil {
		return nil, err
	}
	cloud.AcceptEqualFiles()
	if c.Release.SoftwareType != "" && c.Release.SoftwareType != fakeType {
		cloud.Close()
		return nil, &blockedError{fmt.Sprintf("the fake Memfault has no software type %s, only %s", c.Release.SoftwareType, fakeType)}
	}
	boards := slices.DeleteFunc(slices.Clone(fakeBoards), func(board string) bool {
		return len(c.Release.HardwareVersion) > 0 && !slices.Contains(c.Release.HardwareVersion, board)
	})
	if len(boards) == 0 {
		boards = fakeBoards
	}
	cloud.AddCohorts(memfaulttest.Cohort{Slug: fakeCohort})
	cloud.AddSoftwareVersions(memfaulttest.SoftwareVersion{SoftwareType: fakeType, Version: fakeVersion})
	for _, board := range fakeBoards {
		cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: board, PrimarySoftwareType: fakeType})
	}
	for i := range fakeDevices {
		cloud.AddDevices(memfaulttest.Device{
			Serial: fmt.Sprintf("FAKE-%04d", i+1), HardwareVersion: boards[i%len(boards)], Cohort: fakeCohort,
			SoftwareType: fakeType, SoftwareVersion: fakeVersion, LastSeen: time.Now(),
		})
	}
	version := c.Release.Version
	if len(c.Release.Payload) == 0 {
		version = fakeRelease
		cloud.AddReleases(memfaulttest.Release{Version: version, SoftwareType: fakeType, Artifacts: []memfaulttest.Artifact{
			{HardwareVersion: boards[0], Content: []byte("the payload of a fake release")},
		}})
		cloud.AddDeployments(memfaulttest.Deployment{Release: version, Cohort: fakeCohort, RolloutPercent: 10})
	}
	f := &fakeFleet{cloud: cloud, client: cloud.Client(nil), cohort: fakeCohort, version: version}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.run(ctx, tick)
	}()
	return &connection{client: f.client, project: cloud.Project(), close: func() {
		cancel()
		<-ended
		cloud.Close()
	}}, nil
}

// fakeFleet is the devices of the cohort.
type fakeFleet struct {
	cloud           *memfaulttest.Server
	client          *memfault.Client
	cohort, version string
}

// run updates the devices one after the other as soon as the release is deployed, until the
// share of the deployment has updated.
func (f *fakeFleet) run(ctx context.Context, tick time.Duration) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	updated := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		active, err := f.client.Deployments.Active(ctx, f.cloud.Project(), f.cohort)
		if err != nil {
			continue // the next tick asks again
		}
		for _, d := range active {
			if goal := int(shareOf(&d)) * fakeDevices / 100; d.Release.Version == f.version && len(updated) < goal {
				f.update(ctx, updated, max(1, goal/8))
			}
		}
	}
}

// update updates some devices, those first that are offered the release. The share of a staged
// rollout is a mean: the rollout can reach fewer devices than the wait expects.
func (f *fakeFleet) update(ctx context.Context, updated map[string]bool, count int) {
	devices, err := f.client.Cohorts.ListDevices(f.cloud.Project(), f.cohort, memfault.CohortDeviceListOptions{}).Collect(ctx)
	if err != nil {
		return // the next tick asks again
	}
	asDevice := f.client.WithAuth(memfault.ProjectKey(f.cloud.ProjectKey()))
	var offered, others []string
	for _, d := range devices {
		latest, err := asDevice.Releases.LatestURL(ctx, memfault.LatestReleaseQuery{DeviceSerial: d.DeviceSerial, HardwareVersion: d.HardwareVersion.Name, CurrentVersion: runningVersion(d)})
		switch {
		case updated[d.DeviceSerial]:
		case err == nil && latest.UpdateAvailable:
			offered = append(offered, d.DeviceSerial)
		default:
			others = append(others, d.DeviceSerial)
		}
	}
	for _, serial := range append(offered, others...) {
		if count--; count < 0 {
			return
		}
		f.cloud.Report(serial, f.version)
		updated[serial] = true
	}
}
