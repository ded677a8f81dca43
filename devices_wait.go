package memfault

import (
	"context"
	"errors"
	"fmt"
)

// WaitForVersion polls a device until it reports that it runs a software version, and returns
// the device.
//
// If the device does not exist because it has never reported, WaitForVersion keeps polling.
// Any other error ends the wait. ctx should have a deadline, because the device may never
// report the version.
//
// Memfault: https://docs.memfault.com/api/retrieve-device
func (s *DevicesService) WaitForVersion(ctx context.Context, project ProjectRef, deviceSerial, version string, options WaitOptions, opts ...CallOption) (*Device, error) {
	if version == "" {
		return nil, invalid("WaitForVersion: version must not be empty")
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

// isRunning reports whether d last reported the version, in the newer or the older form of the
// response.
func (d *Device) isRunning(version string) bool {
	return d.LastSeenSoftwareVersion != nil && d.LastSeenSoftwareVersion.Version == version ||
		d.LastSeenRelease != nil && d.LastSeenRelease.Version == version
}
