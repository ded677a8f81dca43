// Package releasebot takes a release from one cohort to the next, and stops when it crashes. It is
// a small program of a user, whose tests use nothing of this project but its public packages.
package releasebot

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/memfault-go/memfault"
)

// ErrCrashes is returned if devices crashed too often; the rollout has been stopped.
var ErrCrashes = errors.New("too many crashes")

// Release is a version on its way through the cohorts.
type Release struct {
	Version    string
	Cohorts    []string      // in their order
	Percents   []int         // the steps on each cohort
	Share      float64       // of a cohort that must report the version before it is judged
	Soak       time.Duration // after each step
	MaxCrashes int           // on the version, since the release began
}

// Run offers the release to each cohort, step by step. It can be called again after a failure.
func Run(ctx context.Context, client *memfault.Client, project memfault.ProjectRef, release Release) error {
	began := time.Now()
	for _, cohort := range release.Cohorts {
		for _, percent := range release.Percents {
			_, err := client.Deployments.EnsureRollout(ctx, project, memfault.DeploymentCreate{
				Type: memfault.DeploymentTypeStagedRollout, Release: memfault.ReleaseVersion(release.Version), Cohort: cohort, RolloutPercent: percent,
			}, memfault.RolloutOptions{Replace: true})
			if err != nil {
				return err
			}
			// A step reaches a random part of the cohort, so only the last one is awaited.
			if percent == 100 {
				if _, err := client.Cohorts.WaitForVersion(ctx, project, cohort, release.Version, release.Share, memfault.WaitOptions{
					OnPoll:  func(counts memfault.VersionCounts) { log.Printf("%s: %v", cohort, counts) },
					OnError: func(err error) { log.Print(err) },
				}); err != nil {
					return err
				}
			}
			select {
			case <-time.After(release.Soak):
			case <-ctx.Done():
				return ctx.Err()
			}
			crashes, err := countCrashes(ctx, client, project, release.Version, began)
			if err != nil {
				return err
			}
			if crashes > release.MaxCrashes {
				_, err := client.Deployments.Deactivate(ctx, project, memfault.DeploymentSelector{Cohort: cohort, Release: memfault.ReleaseVersion(release.Version)})
				return errors.Join(fmt.Errorf("%w: %d on %s at %d %% of %s", ErrCrashes, crashes, release.Version, percent, cohort), err)
			}
		}
	}
	return nil
}

// countCrashes counts by the time of arrival, because the clock of a device can be wrong.
func countCrashes(ctx context.Context, client *memfault.Client, project memfault.ProjectRef, version string, since time.Time) (n int, err error) {
	for trace, err := range client.Traces.List(project, memfault.TraceListOptions{}).Prefetch(4).All(ctx) {
		if err != nil {
			return 0, err
		}
		if trace.Version() == version && trace.ArrivedAt().After(since) {
			n++
		}
	}
	return n, nil
}
