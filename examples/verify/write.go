package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/operation"
)

// cleanupTime limits how long the removal of what was created may take.
const cleanupTime = 2 * time.Minute

// confirm asks before something is changed.
func confirm(in io.Reader, out io.Writer, organization, project string) bool {
	fmt.Fprintf(out, `This changes project %s of organization %s.
It creates a cohort, a device, a release and deployments of the release to the cohort, all
named verify-…, changes them and removes them again. Memfault keeps a deleted device under
another serial, and lists deactivated deployments.
Type yes to continue: `, project, organization)
	answer, _ := bufio.NewReader(in).ReadString('\n') // without a line, it is not yes
	fmt.Fprintln(out)
	return strings.TrimSpace(answer) == "yes"
}

// write tries the writing operations in a project, and then removes what it created there,
// also if ctx ends.
func (s *session) write(ctx context.Context, project memfault.ProjectRef, out io.Writer) {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	s.scratch, s.wrote = project, true
	s.known["own name"] = "verify-" + hex.EncodeToString(random)
	s.known["own version"] = "0.0.1-" + s.known["own name"]
	s.recorder.allowWrites()
	for _, step := range writeSteps() {
		if ctx.Err() != nil {
			break
		}
		step.run(ctx, s)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	for _, step := range cleanupSteps() {
		if s.missing(step.probe.needs) != "" {
			continue // it was never requested
		}
		step.probe.run(ctx, s)
		if r := &s.results[len(s.results)-1]; r.Outcome != agrees {
			s.leftovers = append(s.leftovers, step.what)
			fmt.Fprintf(out, "LEFT BEHIND in project %s: %s %s\n\n", project.Project, step.what, s.known[step.probe.needs[0]])
		}
	}
}

// step is a probe or a check.
type step interface {
	run(ctx context.Context, s *session)
}

// cleanupStep removes something that was created.
type cleanupStep struct {
	what  string
	probe probe
}

// nothing returns the probe of an operation that returns nothing.
func nothing(op *operation.Operation, needs []string, do func(context.Context, *session, *memfault.Client) error) probe {
	return probe{op: op, needs: needs, call: do}
}

// cleanupSteps returns the steps that remove what the steps of writeSteps requested, whether
// they succeeded or not. So something that is not there is not a failure.
func cleanupSteps() []cleanupStep {
	remove := func(what string, op *operation.Operation, need string, do func(context.Context, *session, *memfault.Client) error) cleanupStep {
		p := nothing(op, []string{need}, do)
		p.goneIsFine = true
		return cleanupStep{what, p}
	}
	return []cleanupStep{
		remove("deployments of release", operation.DeploymentsDeactivate, "requested deployment", func(ctx context.Context, s *session, c *memfault.Client) error {
			options := memfault.DeploymentListOptions{Cohort: []string{s.known["own name"]}}
			deployments, err := c.Deployments.List(s.scratch, options).Collect(ctx)
			if err != nil {
				return err
			}
			for _, d := range deployments {
				if d.Status == memfault.DeploymentStatusPulled || d.Cohort.Slug != s.known["own name"] {
					continue
				}
				if err := c.Deployments.DeactivateByID(ctx, s.scratch, d.ID); err != nil && d.Status.IsActive() {
					return err
				}
			}
			return nil
		}),
		remove("release", operation.ReleasesDelete, "requested release", func(ctx context.Context, s *session, c *memfault.Client) error {
			return c.Releases.Delete(ctx, s.scratch, s.known["own version"])
		}),
		remove("device", operation.DevicesDelete, "requested device", func(ctx context.Context, s *session, c *memfault.Client) error {
			return c.Devices.Delete(ctx, s.scratch, s.known["own name"])
		}),
		remove("cohort", operation.CohortsDelete, "requested cohort", func(ctx context.Context, s *session, c *memfault.Client) error {
			return c.Cohorts.Delete(ctx, s.scratch, s.known["own name"])
		}),
	}
}
