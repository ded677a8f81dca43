package memfault

import (
	"context"
	"fmt"
)

// WaitForVersion polls the devices of a cohort until a share of them reports that they run a
// software version, and returns how many devices have which version. share must be above 0 and
// at most 1: with 0.9, WaitForVersion returns when at least 90 % of the devices have exactly
// this version.
//
// All devices of the cohort count, also those that have been offline for long and those that
// have never reported. While the cohort is empty, and after temporary failures (see
// [WaitOptions]), WaitForVersion keeps polling. Any other error ends the wait, also that of ctx.
// The error is then a [*VersionWaitError] with the counts that the last successful poll found.
// ctx should have a deadline, because the devices may never report the version. It is safe to
// call WaitForVersion again.
//
// A staged rollout offers the release to a random subset of the devices, whose size is only
// about the percentage: of 100 devices at 10 %, it can be 4 or 16. A wait for exactly that share
// may therefore never end.
//
// Each poll reads the list of the cohort's devices, with one request for 100 devices. For a
// large cohort, use a longer [WaitOptions.MaxInterval].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/cohorts
func (s *CohortsService) WaitForVersion(ctx context.Context, project ProjectRef, cohortSlug, version string, share float64, options WaitOptions, opts ...CallOption) (*VersionCounts, error) {
	badVersion := checkName(version)
	switch {
	case badVersion != nil:
		return nil, invalid("WaitForVersion: version %w", badVersion)
	case version == "":
		return nil, invalid("WaitForVersion: version must not be empty")
	case !(share > 0 && share <= 1): // also NaN
		return nil, invalid("WaitForVersion: share must be above 0 and at most 1, got %v", share)
	}
	what := fmt.Sprintf("version %s on %v %% of the devices of cohort %s", version, float32(share*100), cohortSlug)
	return waitForVersion(ctx, version, what, options, func() (*VersionCounts, VersionCounts, bool, error) {
		counts, err := s.countVersions(ctx, project, cohortSlug, version, opts)
		if err != nil {
			return nil, VersionCounts{}, false, err
		}
		done := counts.Devices > 0 && float64(counts.ByVersion[version])/float64(counts.Devices) >= share
		return counts, *counts, done, nil
	})
}

// CountVersions counts the devices of a cohort by the software version that they last reported.
// Devices that have not reported a version count under "". It reads the list of the cohort's
// devices, with one request for 100 devices.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/cohorts
func (s *CohortsService) CountVersions(ctx context.Context, project ProjectRef, cohortSlug string, opts ...CallOption) (*VersionCounts, error) {
	return s.countVersions(ctx, project, cohortSlug, "", opts)
}

// countVersions counts each device once: a device that joins the cohort while the list is read
// moves others to later pages. If a response has a version in two forms that differ, wanted is
// preferred.
func (s *CohortsService) countVersions(ctx context.Context, project ProjectRef, cohortSlug, wanted string, opts []CallOption) (*VersionCounts, error) {
	counts := new(VersionCounts)
	seen := map[string]bool{}
	for device, err := range s.ListDevices(project, cohortSlug, CohortDeviceListOptions{}, opts...).All(ctx) {
		if err != nil {
			return nil, err
		}
		if !seen[device.DeviceSerial] {
			seen[device.DeviceSerial] = true
			counts.add(device.runningVersion(wanted))
		}
	}
	return counts, nil
}
