package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/memfault-go/memfault"
)

// check finds out, before anything is sent, whether the release is possible.
func (r *release) check(ctx context.Context) error {
	if r.Cohort != "" {
		if err := r.checkCohort(ctx, r.Cohort); err != nil {
			return err
		}
		if err := r.findDevices(ctx); err != nil {
			return err
		}
		if err := r.checkDeployments(ctx); err != nil {
			return err
		}
	}
	for _, p := range r.payloads {
		if err := r.checkBoard(ctx, p.board); err != nil {
			return err
		}
		if err := r.checkPayload(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// checkCohort finds out what does not exist: the cohort or the project.
func (s *session) checkCohort(ctx context.Context, cohort string) error {
	_, err := s.client.Cohorts.Get(ctx, s.project, cohort)
	if !errors.Is(err, memfault.ErrNotFound) {
		return err
	}
	project := s.project.Organization + "/" + s.project.Project
	if _, err := s.client.Projects.Get(ctx, s.project); errors.Is(err, memfault.ErrNotFound) {
		return &blockedError{fmt.Sprintf("project %s does not exist, or the credential has no access: check MEMFAULT_ORG and MEMFAULT_PROJECT", project)}
	}
	return &blockedError{fmt.Sprintf("cohort %s does not exist in %s: create it, or correct -cohort", cohort, project)}
}

// findDevices reads devices of the cohort until there are enough of each board.
func (r *release) findDevices(ctx context.Context) error {
	enough := 0
	for device, err := range r.client.Cohorts.ListDevices(r.project, r.Cohort, memfault.CohortDeviceListOptions{}).All(ctx) {
		if err != nil {
			return err
		}
		board := device.HardwareVersion.Name
		if len(r.devices[board]) == maxAsked {
			continue
		}
		r.devices[board] = append(r.devices[board], device)
		if len(r.devices[board]) == maxAsked && r.isBoard(board) {
			enough++
		}
		if enough == len(r.payloads) {
			return nil
		}
	}
	return nil
}

func (r *release) isBoard(name string) bool {
	for _, p := range r.payloads {
		if p.board == name {
			return true
		}
	}
	return false
}

// checkDeployments looks for a deployment of the release, and for deployments that devices
// prefer to it.
func (r *release) checkDeployments(ctx context.Context) error {
	active, err := r.client.Deployments.Active(ctx, r.project, r.Cohort)
	if err != nil {
		return err
	}
	for _, d := range active {
		other, err := semver.StrictNewVersion(targetOf(d.Release))
		switch {
		case d.Release.Version == r.Version && !d.Release.IsDelta():
			if d.Type == memfault.DeploymentTypeStagedRollout && percent(d.RolloutPercent) < r.share() {
				return &blockedError{fmt.Sprintf("%s is already offered to %d%% of %s: ci-release promote -version %s -cohort %s -rollout %s offers it to more",
					r.Version, d.RolloutPercent, r.Cohort, r.Version, r.Cohort, strings.TrimSuffix(r.share().String(), "%"))}
			}
			r.deployment = &d
		case r.version == nil && targetOf(d.Release) != r.Version:
			r.note("%s is active on %s, and may shadow %s, because the order of the two versions is not known (ci-release pull deactivates it)", targetOf(d.Release), r.Cohort, r.Version)
		case r.version == nil || err != nil || other.LessThan(r.version) || other.String() == r.Version:
		case other.Equal(r.version):
			r.note("%s is active on %s and has the same precedence: devices that run it are not offered %s", other, r.Cohort, r.Version)
		default:
			r.note("%s is active on %s: if it has the same software type, it shadows %s (ci-release pull deactivates it)", other, r.Cohort, r.Version)
		}
	}
	return nil
}

// note tells something that the check found and that does not stop the release.
func (s *session) note(format string, args ...any) {
	s.out.event(event{Step: stepCheck, State: stateNote, Text: fmt.Sprintf(format, args...)})
}

// share is the part of the cohort that should be offered the release.
func (r *release) share() percent {
	if r.Rollout == 0 {
		return 100
	}
	return r.Rollout
}

// targetOf returns the version after the update.
func targetOf(r memfault.DeploymentRelease) string {
	if r.ToVersion != nil {
		return r.ToVersion.Version
	}
	return r.Version
}

// checkBoard finds out whether a hardware version exists. Memfault is not known to list them,
// so check looks for a device or a release, and then asks for an update like a device.
func (r *release) checkBoard(ctx context.Context, board string) error {
	if len(r.devices[board]) > 0 {
		return nil
	}
	first := memfault.ListOptions{PerPage: 1}
	devices, err := r.client.Devices.List(r.project, memfault.DeviceListOptions{ListOptions: first, HardwareVersion: []string{board}}).Page(ctx)
	if err == nil && len(devices.Items) > 0 && devices.Items[0].HardwareVersion.Name == board {
		return nil
	}
	if err != nil && !errors.Is(err, memfault.ErrForbidden) {
		return err
	}
	releases, err := r.client.Releases.List(r.project, memfault.ReleaseListOptions{ListOptions: first, HardwareVersion: []string{board}}).Page(ctx)
	if err == nil && len(releases.Items) > 0 {
		for _, artifact := range releases.Items[0].Artifacts {
			if artifact.HardwareVersion.Name == board {
				return nil
			}
		}
	}
	if err != nil && !errors.Is(err, memfault.ErrForbidden) {
		return err
	}
	return r.askForBoard(ctx, board)
}

// askForBoard relies on Memfault's 400 for an unknown hardware version.
func (r *release) askForBoard(ctx context.Context, board string) error {
	device, err := r.asDevice(ctx)
	if err != nil {
		return err
	}
	if device == nil {
		r.note("whether hardware version %s exists cannot be found out without MEMFAULT_PROJECT_KEY", board)
		return nil
	}
	serial := "ci-release"
	for _, others := range r.devices {
		serial = others[0].DeviceSerial
	}
	_, err = device.Releases.Latest(ctx, memfault.LatestReleaseQuery{DeviceSerial: serial, HardwareVersion: board, SoftwareType: r.SoftwareType})
	switch {
	case !errors.Is(err, memfault.ErrBadRequest):
		if errors.Is(err, memfault.ErrRateLimited) { // of that device
			return nil
		}
		return err
	case strings.Contains(strings.ToLower(err.Error()), "software"):
		r.note("software type %s is new in this project", r.SoftwareType)
		return nil
	default:
		return &blockedError{fmt.Sprintf("hardware version %s does not exist in %s/%s: create it, or correct -hardware-version", board, r.project.Organization, r.project.Project)}
	}
}
