package memfault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// VersionCounts counts devices by the software version that they last reported.
type VersionCounts struct {
	Devices int // in total; devices that are not known yet do not count
	// ByVersion is the number of devices by version. A device that has not reported a version
	// counts under "".
	ByVersion map[string]int
}

// String returns the counts in one line, the most frequent version first. After ten versions,
// it returns only the number of the others.
func (c VersionCounts) String() string {
	const most = 10
	versions := slices.SortedFunc(maps.Keys(c.ByVersion), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.ByVersion[b], c.ByVersion[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, version := range versions[:min(len(versions), most)] {
		parts = append(parts, fmt.Sprintf("%d with %s", c.ByVersion[version], cmp.Or(oneLine(version, 80), "no version")))
	}
	if len(versions) > most {
		parts = append(parts, fmt.Sprintf("others with %d more versions", len(versions)-most))
	}
	noun := "devices"
	if c.Devices == 1 {
		noun = "device"
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%d %s", c.Devices, noun)
	}
	return fmt.Sprintf("%d %s: %s", c.Devices, noun, strings.Join(parts, ", "))
}

func (c *VersionCounts) add(version string) {
	if c.ByVersion == nil {
		c.ByVersion = map[string]int{}
	}
	c.Devices++
	c.ByVersion[version]++
}

// VersionWaitError is returned by [DevicesService.WaitForVersion] and
// [CohortsService.WaitForVersion] if the wait ends before the devices have the version. It
// unwraps to the cause. If the context ended, the error is of the kind [ErrNoAnswer].
type VersionWaitError struct {
	Version string        // for which the method waited
	Last    VersionCounts // found by the last poll that succeeded
	Polls   int           // that succeeded; if 0, Last is not known

	what  string
	cause error
}

// Error returns one line with the last known state and the cause.
func (e *VersionWaitError) Error() string {
	last := "no poll succeeded"
	if e.Polls > 0 {
		last = "last state: " + e.Last.String()
	}
	return fmt.Sprintf("memfault: waiting for %s: %s: %s", e.what, last, strings.TrimPrefix(e.cause.Error(), "memfault: "))
}

// Unwrap returns why the wait ended.
func (e *VersionWaitError) Unwrap() error { return e.cause }

// Is reports whether target is [ErrNoAnswer] and the context ended.
func (e *VersionWaitError) Is(target error) bool {
	return target == ErrNoAnswer && isContextError(e.cause)
}

// waitForVersion polls until look reports that it is done. look returns the state that it
// found.
func waitForVersion[T any](ctx context.Context, version, what string, options WaitOptions, look func() (T, VersionCounts, bool, error)) (T, error) {
	failed := &VersionWaitError{Version: version, what: what}
	found, err := poll(ctx, options, func() (T, bool, error) {
		found, counts, done, err := look()
		if err == nil {
			failed.Polls++
			failed.Last = counts
			if options.OnPoll != nil {
				options.OnPoll(counts)
			}
		}
		return found, done, err
	})
	if err == nil || errors.Is(err, ErrInvalidArgument) || errors.Is(err, ErrWrongCredential) {
		return found, err
	}
	failed.cause = err
	return found, failed
}

// WaitForVersion polls a device until it reports that it runs a software version, and returns
// the device.
//
// If the device does not exist because it has never reported, WaitForVersion keeps polling. It
// also survives temporary failures; see [WaitOptions]. Any other error ends the wait, also that
// of ctx. The error is then a [*VersionWaitError] with the version that the device had last. ctx
// should have a deadline, because the device may never report the version.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-device
func (s *DevicesService) WaitForVersion(ctx context.Context, project ProjectRef, deviceSerial, version string, options WaitOptions, opts ...CallOption) (*Device, error) {
	if version == "" {
		return nil, invalid("WaitForVersion: version must not be empty")
	}
	if err := checkName(version); err != nil {
		return nil, invalid("WaitForVersion: version %w", err)
	}
	what := fmt.Sprintf("version %s on device %s", version, deviceSerial)
	return waitForVersion(ctx, version, what, options, func() (*Device, VersionCounts, bool, error) {
		var counts VersionCounts
		device, err := s.Get(ctx, project, deviceSerial, opts...)
		if errors.Is(err, ErrNotFound) {
			return nil, counts, false, nil
		}
		if err != nil {
			return nil, counts, false, err
		}
		counts.add(device.runningVersion(version))
		return device, counts, counts.ByVersion[version] > 0, nil
	})
}

// runningVersion returns the version that d last reported. A response can have it in the newer
// form, the older form or both; if they differ, wanted is preferred.
func (d *Device) runningVersion(wanted string) string {
	switch newer, older := d.LastSeenSoftwareVersion, d.LastSeenRelease; {
	case older != nil && (newer == nil || older.Version == wanted):
		return older.Version
	case newer != nil:
		return newer.Version
	default:
		return ""
	}
}
