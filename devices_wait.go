package memfault

import (
	"context"
	"errors"
	"fmt"
)

// WaitForVersion asks for a device again and again until it reports that it runs a
// software version, and returns it. A device that is unknown, because it never
// reported, counts as not there yet; any other failure to ask ends the wait. ctx
// should have a deadline: a version that never comes is waited for as long.
//
// Memfault: https://docs.memfault.com/api/retrieve-device
func (s *DevicesService) WaitForVersion(ctx context.Context, project ProjectRef, deviceSerial, version string, options WaitOptions, opts ...CallOption) (*Device, error) {
	if version == "" {
		return nil, invalid("WaitForVersion: the version is empty")
	}
	what := fmt.Sprintf("version %s on device %s", version, deviceSerial)
	return poll(ctx, what, options, func() (*Device, bool, error) {
		device, err := s.Get(ctx, project, deviceSerial, opts...)
		if errors.Is(err, ErrNotFound) {
			return nil, false, nil
		}
		return device, err == nil && device.isRunning(version), err
	})
}

// isRunning reports whether the device last reported a version, in the new form of
// replies or in the old one.
func (d *Device) isRunning(version string) bool {
	return d.LastSeenSoftwareVersion != nil && d.LastSeenSoftwareVersion.Version == version ||
		d.LastSeenRelease != nil && d.LastSeenRelease.Version == version
}
