package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	fakeSecret = "secret of the fake webhook"
	fakeDay    = 24 * time.Hour
	fakeStory  = 10 * fakeDay // from its start until the present of the demo
	fakeStep   = 6 * time.Hour
	fakeTick   = 2 * time.Second
	fakeReport = 30 * time.Minute // between two reports of a device
	fakeGood   = "2.1.0"          // replaces the oldest version without a problem
	fakeBad    = "2.2.0"          // restarts too often
	// fakeSurprise is an issue that appears soon after the start.
	fakeSurprise = "Assert at valve.c:214"
)

// fakeDevice is a device of the fake fleet.
type fakeDevice struct {
	serial, cohort, version string
	hardware                string
	silent                  bool // has not reported for a while
	far                     bool // in the region of the outage
}

// fakeRollout is a deployment to a cohort.
type fakeRollout struct {
	version, cohort string
	after           time.Duration // since the start of the story
	pulled          time.Duration // 0 if it was not
	percent         int
	perDay          float64 // share of the cohort that updates in a day
}

// fakeRollouts is the story: a good version replaces the old one, then a bad one follows, which is
// pulled from the largest cohort.
var fakeRollouts = []fakeRollout{
	{fakeGood, "internal", 0, 0, 100, 2},
	{fakeGood, "beta", 12 * time.Hour, 0, 100, 1.5},
	{fakeGood, "default", 36 * time.Hour, 0, 100, 0.4},
	{fakeBad, "internal", 6 * fakeDay, 0, 100, 2},
	{fakeBad, "beta", 7 * fakeDay, 0, 50, 1},
	{fakeBad, "default", 8 * fakeDay, 9*fakeDay + 12*time.Hour, 10, 0.2},
}

// For this time of the story, the devices of a region cannot report.
const fakeOutageFrom, fakeOutageTo = 4 * fakeDay, 5*fakeDay + 12*time.Hour

// fake is a Memfault with a fleet in the middle of a rollout.
type fake struct {
	cloud       *memfaulttest.Server
	client      *memfault.Client
	gateway     *memfault.Client // sends what devices send
	devices     []*fakeDevice
	random      *rand.Rand
	start       time.Time // of the story
	now         time.Time // of the fleet, and of the cloud until live
	replayed    time.Time // the end of the replay
	updated     map[fakeRollout]int
	deployments map[fakeRollout]int64
	sizes       map[string]int     // devices by cohort
	due         map[dueKey]float64 // reboots that have not happened yet
	reports     float64            // that have not happened yet
	surprised   bool               // whether fakeSurprise has appeared
	away        bool               // whether Memfault is away
}

// newFake returns a fake whose story begins at a time.
func newFake(ctx context.Context, devices int, start time.Time) (*fake, error) {
	cloud, err := memfaulttest.Start()
	if err != nil {
		return nil, err
	}
	f := &fake{
		cloud: cloud, client: cloud.Client(nil), gateway: cloud.Client(nil, memfault.ProjectKey(cloud.ProjectKey())), random: rand.New(rand.NewPCG(1, 2)), //nolint:gosec // the same fleet each time
		start: start, now: start, updated: map[fakeRollout]int{}, deployments: map[fakeRollout]int64{}, sizes: map[string]int{}, due: map[dueKey]float64{},
	}
	f.cloud.SetClock(func() time.Time { return f.now })
	if err := f.addDevices(ctx, devices); err != nil {
		cloud.Close()
		return nil, err
	}
	if problems := f.cloud.Violations(); len(problems) > 0 {
		cloud.Close()
		return nil, fmt.Errorf("fake: %v", problems)
	}
	return f, nil
}

func (f *fake) source() source {
	from := fakeSource(f.cloud, f.cloud.Project(), memfault.OrganizationToken(f.cloud.OrganizationToken()))
	from.note = "This fleet is fake. It runs in the process of the dashboard."
	return from
}

// replay simulates the story up to a time, and reads the fleet meanwhile, as if the dashboard had been
// running.
func (f *fake) replay(ctx context.Context, path string, until time.Time) error {
	stored, err := store.Open(ctx, path, f.cloud.Project())
	if err != nil {
		return err
	}
	defer stored.Close() //nolint:errcheck // a failure shows when the dashboard opens the file
	past, err := reader.New(ctx, reader.Options{
		Client: f.client, Project: f.cloud.Project(), Store: stored, ListAllEvery: 365 * fakeDay, SampleEvery: time.Hour, Now: func() time.Time { return f.now },
	})
	if err != nil {
		return err
	}
	f.replayed = until
	for i := 1; f.now.Before(until); i++ {
		took := min(fakeStep, until.Sub(f.now))
		if err := f.step(ctx, f.now.Add(took), took); err != nil {
			return err
		}
		parts := []string{reader.Devices}
		if i%8 == 0 || f.now.Equal(until) {
			parts = append(parts, reader.Reboots)
		}
		if failed := past.Read(ctx, parts...); len(failed) > 0 {
			return fmt.Errorf("fake: %v", failed)
		}
	}
	return nil
}

// step lets the time pass until to: devices update, restart, crash, and report.
func (f *fake) step(ctx context.Context, to time.Time, took time.Duration) error {
	f.now = to.Add(-took)
	if err := f.roll(ctx, to.Sub(f.start), took); err != nil {
		return err
	}
	outage := to.Sub(f.start) >= fakeOutageFrom && to.Sub(f.start) < fakeOutageTo
	for i, d := range f.devices {
		if d.silent || d.far && outage {
			continue
		}
		f.now = to.Add(-took * time.Duration(i*7919%1000) / 1000)
		for _, reboot := range f.reboots(d, f.now.Add(-took), took) {
			f.cloud.AddReboots(d.serial, reboot)
			if err := f.crash(ctx, d, reboot); err != nil {
				return err
			}
		}
		f.cloud.Report(d.serial, d.version)
	}
	f.now = to
	return nil
}

// roll deploys, pulls, and updates devices. passed is the time since the start of the story.
func (f *fake) roll(ctx context.Context, passed, took time.Duration) error {
	for _, r := range fakeRollouts {
		id, deployed := f.deployments[r]
		if passed < r.after || f.sizes[r.cohort] == 0 || deployed && id == 0 {
			continue
		}
		if !deployed {
			deployment := memfaulttest.Deployment{Release: r.version, Cohort: r.cohort}
			if r.percent < 100 {
				deployment.RolloutPercent = r.percent
			}
			id = f.cloud.AddDeployments(deployment)[0]
			f.deployments[r] = id
		}
		if r.pulled > 0 && passed >= r.pulled {
			f.deployments[r] = 0
			if err := f.client.Deployments.DeactivateByID(ctx, f.cloud.Project(), id); err != nil {
				return err
			}
			continue
		}
		chance := r.perDay * took.Hours() / 24
		for _, d := range f.devices {
			if f.updated[r] < f.sizes[r.cohort]*r.percent/100 && d.cohort == r.cohort && !d.silent && d.version < r.version && f.random.Float64() < chance {
				d.version = r.version
				f.updated[r]++
			}
		}
	}
	return nil
}

// live simulates the fleet in real time. It sends webhooks to url.
func (f *fake) live(ctx context.Context, url string) {
	f.cloud.SetClock(time.Now)
	f.cloud.SubscribeWebhook(url, fakeSecret)
	ticker := time.NewTicker(fakeTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f.now = <-ticker.C:
			_ = f.tick(ctx, fakeTick) // the next one is as good
		}
	}
}

// tick lets a short time pass, up to now: some devices update, report, and crash. For two minutes of each
// hour, Memfault is away.
func (f *fake) tick(ctx context.Context, took time.Duration) error {
	passed := f.now.Sub(f.replayed)
	if away := int(passed/time.Minute)%60/2 == 10; away != f.away {
		f.away = away
		f.cloud.Heal()
		if away {
			f.cloud.Fail(memfaulttest.Fault{Drop: true})
		}
	}
	if f.away || len(f.devices) == 0 {
		return nil
	}
	err := f.roll(ctx, f.now.Sub(f.start), took)
	if !f.surprised && passed >= 2*fakeTick {
		f.surprised = true
		err = errors.Join(err, f.sendTrace(ctx, f.devices[f.random.IntN(len(f.devices))], fakeSurprise, f.now))
	}
	for f.reports += float64(len(f.devices)) * float64(took) / float64(fakeReport); f.reports >= 1; f.reports-- {
		d := f.devices[f.random.IntN(len(f.devices))]
		if d.silent {
			continue
		}
		for _, reboot := range f.reboots(d, f.now.Add(-fakeReport), fakeReport) {
			f.cloud.AddReboots(d.serial, reboot)
			err = errors.Join(err, f.crash(ctx, d, reboot))
		}
		f.cloud.Report(d.serial, d.version)
	}
	return err
}
