package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/memfault-go/memfault"
)

const (
	stepPromote = "promote"
	stepStatus  = "status"
	stepPull    = "pull"
)

// promoteCmd offers a staged rollout to more devices.
type promoteCmd struct {
	Version string  `required:"" help:"Version of the release."`
	Cohort  string  `required:"" placeholder:"SLUG" help:"Cohort of the deployment."`
	Rollout percent `required:"" placeholder:"50" help:"New share of the cohort's devices that are offered the release."`
	Replace bool    `help:"If Memfault rejects the change, deactivate the deployment and create another one. In between, devices are not offered the release."`
	waitFlags
}

func (c *promoteCmd) read(context.Context) error {
	if c.Rollout != percent(int(c.Rollout)) {
		return badInput("-rollout %s: only whole percentages are possible", c.Rollout)
	}
	return nil
}

func (c *promoteCmd) steps(s *session) []step {
	var deployment *memfault.Deployment
	steps := []step{{stepPromote, func(ctx context.Context) (err error) {
		deployment, err = c.promote(ctx, s)
		return err
	}}}
	if c.Wait != 0 {
		steps = append(steps, step{stepWait, func(ctx context.Context) error {
			return s.wait(ctx, c.waitFlags, c.Cohort, c.Version, deployment)
		}})
	}
	return steps
}

func (c *promoteCmd) promote(ctx context.Context, s *session) (*memfault.Deployment, error) {
	found, err := s.deployments(ctx, c.Version, c.Cohort)
	if err != nil {
		return nil, err
	}
	event := event{Step: stepPromote, State: stateUnchanged, Subject: c.Version + " on " + c.Cohort}
	active := activeOf(found)
	switch {
	case active == nil && (!c.Replace || len(found) == 0):
		return nil, &blockedError{fmt.Sprintf("%s is not active on %s: deploy it with ci-release -version %s -cohort %s -payload ...", c.Version, c.Cohort, c.Version, c.Cohort)}
	case active != nil && shareOf(active) >= c.Rollout:
		event.Text = describe(active)
	case s.cli.DryRun:
		event.State, event.Text = stateWould, fmt.Sprintf("would offer it to %s of the devices", c.Rollout)
	default:
		if active, err = c.raise(ctx, s); err != nil {
			return nil, err
		}
		event.State, event.Text = stateDone, describe(active)
	}
	s.out.event(event)
	return active, nil
}

// raise changes the deployment, or replaces it if Memfault rejects that. A replacement that was
// interrupted continues with the creation.
func (c *promoteCmd) raise(ctx context.Context, s *session) (*memfault.Deployment, error) {
	create := deploymentOf(c.Version, c.Cohort, c.Rollout)
	create.Type, create.RolloutPercent = memfault.DeploymentTypeStagedRollout, int(c.Rollout) // also for 100 %
	raised, err := s.client.Deployments.EnsureRollout(ctx, s.project, create, memfault.RolloutOptions{Replace: c.Replace})
	if !c.Replace && (errors.Is(err, memfault.ErrUnexpectedResponse) || errors.Is(err, memfault.ErrBadRequest)) {
		return nil, fmt.Errorf("%w; Memfault is not known to change a rollout: the flag -replace deactivates it and creates another one", err)
	}
	return raised, err
}

// deployments returns all deployments of a release to a cohort, including those that are not
// active.
func (s *session) deployments(ctx context.Context, version, cohort string) ([]memfault.Deployment, error) {
	if err := s.checkCohort(ctx, cohort); err != nil {
		return nil, err
	}
	all, err := s.client.Deployments.List(s.project, memfault.DeploymentListOptions{Release: []string{version}, Cohort: []string{cohort}}).Collect(ctx)
	var found []memfault.Deployment
	for _, d := range all {
		if d.Release.Version == version && d.Cohort.Slug == cohort {
			found = append(found, d)
		}
	}
	return found, err
}

func activeOf(deployments []memfault.Deployment) *memfault.Deployment {
	for i := range deployments {
		if deployments[i].Status.IsActive() {
			return &deployments[i]
		}
	}
	return nil
}

// pullCmd deactivates a deployment.
type pullCmd struct {
	Version string `required:"" help:"Version of the release."`
	Cohort  string `required:"" placeholder:"SLUG" help:"Cohort of the deployment."`
}

func (c *pullCmd) read(context.Context) error { return nil }

func (c *pullCmd) steps(s *session) []step {
	return []step{{stepPull, func(ctx context.Context) error { return c.pull(ctx, s) }}}
}

func (c *pullCmd) pull(ctx context.Context, s *session) error {
	found, err := s.deployments(ctx, c.Version, c.Cohort)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return &blockedError{fmt.Sprintf("%s was never deployed to %s: ci-release status -cohort %s shows what is active", c.Version, c.Cohort, c.Cohort)}
	}
	pulled := false
	for _, d := range found {
		if !d.Status.IsActive() {
			continue
		}
		pulled = true
		e := event{Step: stepPull, State: stateWould, Subject: c.Version + " on " + c.Cohort, Text: fmt.Sprintf("would deactivate deployment %d", d.ID)}
		if !s.cli.DryRun {
			if err := s.client.Deployments.DeactivateByID(ctx, s.project, d.ID); err != nil {
				return err
			}
			e.State, e.Text = stateDone, fmt.Sprintf("deactivated deployment %d", d.ID)
		}
		s.out.event(e)
	}
	if !pulled {
		s.out.event(event{Step: stepPull, State: stateUnchanged, Subject: c.Version + " on " + c.Cohort, Text: "not active"})
	}
	return nil
}

// statusCmd shows the state of a cohort.
type statusCmd struct {
	Cohort string `required:"" placeholder:"SLUG" help:"Cohort to show."`
}

func (c *statusCmd) read(context.Context) error { return nil }

func (c *statusCmd) steps(s *session) []step {
	return []step{{stepStatus, func(ctx context.Context) error { return c.show(ctx, s) }}}
}

func (c *statusCmd) show(ctx context.Context, s *session) error {
	if err := s.checkCohort(ctx, c.Cohort); err != nil {
		return err
	}
	active, err := s.client.Deployments.Active(ctx, s.project, c.Cohort)
	if err != nil {
		return err
	}
	counts := memfault.VersionCounts{ByVersion: map[string]int{}}
	for device, err := range s.client.Cohorts.ListDevices(s.project, c.Cohort, memfault.CohortDeviceListOptions{}).Prefetch(4).All(ctx) {
		if err != nil {
			return err
		}
		counts.Devices++
		counts.ByVersion[runningVersion(device)]++
	}
	for _, d := range active {
		version := targetOf(d.Release)
		text := fmt.Sprintf("%s since %s", describe(&d), d.DeployedDate.UTC().Format("2006-01-02 15:04 MST"))
		s.out.event(event{Step: stepStatus, State: stateDone, Subject: version, Text: text, Data: d})
	}
	s.out.event(event{Step: stepStatus, State: stateDone, Subject: c.Cohort, Text: counts.String(), Data: newFleet(counts)})
	return nil
}
