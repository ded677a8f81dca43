// Package cihelper publishes a build. It is a small program of a user, whose tests use
// nothing of this project but its public packages.
package cihelper

import (
	"context"
	"errors"
	"fmt"

	"github.com/memfault-go/memfault"
)

// Build is a payload of a software version.
type Build struct {
	Payload          string // file
	Version          string
	HardwareVersions []string
	Cohort           string
}

// Publish uploads the payload for each hardware version, and deploys the release. It can be
// called again after a failure, and then sends only what is missing.
func Publish(ctx context.Context, client *memfault.Client, project memfault.ProjectRef, build Build) error {
	if _, err := client.Cohorts.Get(ctx, project, build.Cohort); err != nil {
		return fmt.Errorf("cohort %s: %w", build.Cohort, err)
	}
	for _, hardware := range build.HardwareVersions {
		if err := upload(ctx, client, project, build, hardware); err != nil {
			return fmt.Errorf("payload for %s: %w", hardware, err)
		}
	}
	_, err := client.Deployments.Create(ctx, project, memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion(build.Version), Cohort: build.Cohort,
	})
	if err != nil && !errors.Is(err, memfault.ErrConflict) { // deployed by an earlier run
		return fmt.Errorf("deployment: %w", err)
	}
	return nil
}

func upload(ctx context.Context, client *memfault.Client, project memfault.ProjectRef, build Build, hardware string) error {
	file, err := memfault.OpenFile(build.Payload)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // opened for reading
	_, err = client.Uploads.OTAPayload(ctx, project, file, memfault.OTAPayloadOptions{
		HardwareVersion: hardware, SoftwareType: "main", SoftwareVersion: build.Version, IfMissing: true,
	})
	return err
}
