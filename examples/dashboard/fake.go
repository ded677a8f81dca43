package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	fakeSecret  = "secret of the fake webhook"
	fakeVersion = "2.1.0" // the version that is being rolled out
	fakeDays    = 6       // since the start of the rollout
	fakeStep    = 3 * time.Hour
	fakeTick    = 2 * time.Second
)

// fakeDevice is a device of the fake fleet.
type fakeDevice struct {
	serial, cohort, version string
	silent                  bool // has not reported for a while
}

// fakeRollout is the deployment of fakeVersion to a cohort.
type fakeRollout struct {
	after   time.Duration // since the start
	percent int
	perStep float64 // share of the cohort that updates in a step
}

var fakeRollouts = map[string]fakeRollout{
	"internal": {0, 100, 0.08},
	"beta":     {48 * time.Hour, 50, 0.03},
	"default":  {96 * time.Hour, 10, 0.008},
}

// fake is a Memfault with a fleet in the middle of a rollout.
type fake struct {
	cloud   *memfaulttest.Server
	devices []*fakeDevice
	random  *rand.Rand
	start   time.Time
	updated map[string]int // devices with fakeVersion by cohort
	sizes   map[string]int // devices by cohort
}

func newFake(devices int) (*fake, error) {
	cloud, err := memfaulttest.Start()
	if err != nil {
		return nil, err
	}
	f := &fake{
		cloud: cloud, random: rand.New(rand.NewPCG(1, 2)), //nolint:gosec // the same fleet each time
		start: time.Now().Add(-fakeDays * 24 * time.Hour), updated: map[string]int{}, sizes: map[string]int{},
	}
	f.cloud.SetClock(func() time.Time { return f.start })
	f.addDevices(devices)
	f.addIssues()
	return f, nil
}

func (f *fake) source() source {
	from := fakeSource(f.cloud, f.cloud.Project(), memfault.OrganizationToken(f.cloud.OrganizationToken()))
	from.note = "This fleet is fake. It runs in the process of the dashboard."
	return from
}

// replay simulates the last days, so that the store contains samples of the rollout as if the
// dashboard had been running.
func (f *fake) replay(ctx context.Context, path string) error {
	stored, err := store.Open(ctx, path, f.cloud.Project())
	if err != nil {
		return err
	}
	defer stored.Close() //nolint:errcheck // a failure shows when the dashboard opens the file
	now := f.start
	clock := func() time.Time { return now }
	f.cloud.SetClock(clock)
	defer f.cloud.SetClock(time.Now)
	options := reader.Options{Client: f.cloud.Client(nil), Project: f.cloud.Project(), Store: stored, ListAllEvery: 2 * fakeDays * 24 * time.Hour, SampleEvery: time.Hour, Now: clock}
	past, err := reader.New(ctx, options)
	if err != nil {
		return err
	}
	end := time.Now()
	for ; now.Before(end); now = now.Add(fakeStep) {
		f.step(now.Sub(f.start))
		if failed := past.Read(ctx, reader.Devices); len(failed) > 0 {
			return fmt.Errorf("fake: %w", failed[reader.Devices])
		}
	}
	for i, d := range f.devices { // the last report of each device
		if now = end.Add(-time.Duration(i*7919%1440) * time.Minute); !d.silent {
			f.cloud.Report(d.serial, d.version)
		}
	}
	now = end
	options.ListAllEvery = 1 // the reports are older than the last read
	if past, err = reader.New(ctx, options); err != nil {
		return err
	}
	return past.Read(ctx, reader.Devices)[reader.Devices]
}

// step updates some devices of each cohort, until the share of its rollout is reached.
func (f *fake) step(passed time.Duration) {
	for cohort := range maps.Keys(fakeRollouts) {
		rollout := fakeRollouts[cohort]
		if since := passed - rollout.after; since >= 0 && since < fakeStep {
			deployment := memfaulttest.Deployment{Release: fakeVersion, Cohort: cohort}
			if rollout.percent < 100 {
				deployment.RolloutPercent = rollout.percent
			}
			f.cloud.AddDeployments(deployment)
		}
		if passed >= rollout.after {
			f.update(cohort, 1+int(rollout.perStep*float64(f.sizes[cohort])))
		}
	}
}

func (f *fake) update(cohort string, n int) {
	goal := f.sizes[cohort] * fakeRollouts[cohort].percent / 100
	for _, d := range f.devices {
		if n == 0 || f.updated[cohort] >= goal {
			return
		}
		if d.cohort == cohort && !d.silent && d.version != fakeVersion && f.random.IntN(3) == 0 {
			d.version = fakeVersion
			f.cloud.Report(d.serial, d.version)
			f.updated[cohort]++
			n--
		}
	}
}

// live simulates the fleet: devices report, update, restart and crash. It sends webhooks to url.
func (f *fake) live(ctx context.Context, url string) {
	if len(f.devices) == 0 {
		return
	}
	f.cloud.SubscribeWebhook(url, fakeSecret)
	gateway := f.cloud.Client(nil, memfault.ProjectKey(f.cloud.ProjectKey()))
	ticker := time.NewTicker(fakeTick)
	defer ticker.Stop()
	for tick := 1; ; tick++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for range 1 + len(f.devices)/100 {
			if d := f.devices[f.random.IntN(len(f.devices))]; !d.silent {
				f.cloud.Report(d.serial, d.version)
			}
		}
		f.step(fakeDays * 24 * time.Hour)
		d := f.devices[f.random.IntN(len(f.devices))]
		if tick%3 == 0 {
			f.cloud.AddReboots(d.serial, memfaulttest.Reboot{Reason: fakeReasons[f.random.IntN(len(fakeReasons))], Time: time.Now()})
		}
		if tick%8 == 1 {
			_ = gateway.Uploads.ImportTrace(ctx, memfault.TraceImport{ // the next one is as good
				DeviceIdentity: memfault.DeviceIdentity{DeviceSerial: d.serial, HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: d.version},
				Reason:         fmt.Sprintf("Assert at valve.c:%d", 100+tick/8%5), CapturedDate: memfault.NewTimestamp(time.Now()),
			})
		}
	}
}
