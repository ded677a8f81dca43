package main

import (
	"context"
	"fmt"

	"github.com/memfault-go/memfault"
)

// deploy offers the release to the cohort, unless it is offered already.
func (r *release) deploy(ctx context.Context) error {
	event := event{Step: stepDeployment, State: stateUnchanged, Subject: r.Version + " on " + r.Cohort}
	switch {
	case r.deployment != nil:
		event.Text = "active already: " + describe(r.deployment)
	case r.cli.DryRun:
		event.State, event.Text = stateWould, fmt.Sprintf("would offer it to %s of the devices", r.share())
	default:
		var err error
		if r.deployment, err = r.client.Deployments.Ensure(ctx, r.project, deploymentOf(r.Version, r.Cohort, r.share())); err != nil {
			return err
		}
		event.State, event.Text = stateDone, describe(r.deployment)
	}
	r.out.event(event)
	return nil
}

// deploymentOf describes a deployment to a share of the cohort. A deployment to the whole
// cohort is a normal deployment.
func deploymentOf(version, cohort string, share percent) memfault.DeploymentCreate {
	create := memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeStagedRollout, Release: memfault.ReleaseVersion(version), Cohort: cohort, RolloutPercent: int(share),
	}
	if share == 100 {
		create.Type, create.RolloutPercent = memfault.DeploymentTypeNormal, 0
	}
	return create
}

// shareOf returns the share of the cohort that a deployment reaches.
func shareOf(d *memfault.Deployment) percent {
	if d.Type == memfault.DeploymentTypeStagedRollout {
		return percent(d.RolloutPercent)
	}
	return 100
}

func describe(d *memfault.Deployment) string {
	return fmt.Sprintf("deployment %d offers it to %s of the devices", d.ID, shareOf(d))
}

// wait waits until a share of the devices that the deployment reaches run the version.
func (s *session) wait(ctx context.Context, flags waitFlags, cohort, version string, d *memfault.Deployment) error {
	event := event{Step: stepWait, State: stateWould, Subject: version + " on " + cohort, Text: fmt.Sprintf("would wait for %s of the devices that are offered it", flags.Wait)}
	if s.cli.DryRun {
		s.out.event(event)
		return nil
	}
	share := flags.Wait * shareOf(d) / 100
	event.State, event.Text = stateNote, fmt.Sprintf("waiting for %s of the cohort, which is %s of the %s that are offered it, at most %s", share, flags.Wait, shareOf(d), flags.WaitTimeout)
	s.out.event(event)
	limited, cancel := context.WithTimeout(ctx, flags.WaitTimeout)
	defer cancel()
	counts, err := s.client.Cohorts.WaitForVersion(limited, s.project, cohort, version, float64(share)/100, memfault.WaitOptions{MaxInterval: flags.Poll})
	if err != nil {
		return err
	}
	event.State, event.Text, event.Data = stateDone, counts.String(), newFleet(*counts)
	s.out.event(event)
	return nil
}

// fleet is the JSON form of counts of devices.
type fleet struct {
	Devices   int            `json:"devices"`
	ByVersion map[string]int `json:"by_version"`
}

func newFleet(counts memfault.VersionCounts) fleet { return fleet{counts.Devices, counts.ByVersion} }
