package memfault

import (
	"context"
	"errors"
	"fmt"
)

// moveConcurrency is how many devices MoveDevices moves at the same time when its
// options do not say.
const moveConcurrency = 8

// MoveDevicesOptions configures MoveDevices.
type MoveDevicesOptions struct {
	Concurrency int // devices moved at the same time; 8 by default
}

// MoveDevicesResult is what became of one device of a MoveDevices.
type MoveDevicesResult struct {
	DeviceSerial string
	Device       *Device // as it is in its new cohort; nil when it was not moved
	Err          error   // why it was not moved
}

// MoveDevices puts devices into a cohort, and so out of the one they were in. It
// returns what became of each, in the order of the serials, and an error that
// joins those of all that failed; the others are moved all the same. When the
// context ends, the devices not yet moved fail with its error.
//
// Memfault has an operation for many devices, but documents no body for it, so
// each is moved by an update of its own. Moving a device into the cohort it is in
// changes nothing, so a failed MoveDevices may be repeated whole. WithResponse is
// not obeyed: there are as many responses as devices.
//
// Memfault: https://docs.memfault.com/api/update-device
func (s *CohortsService) MoveDevices(ctx context.Context, project ProjectRef, cohortSlug string, deviceSerials []string, options MoveDevicesOptions, opts ...CallOption) ([]MoveDevicesResult, error) {
	if ctx == nil || cohortSlug == "" || options.Concurrency < 0 {
		return nil, invalid("MoveDevices: the context is nil, the cohort is empty, or Concurrency is negative")
	}
	workers := options.Concurrency
	if workers == 0 {
		workers = moveConcurrency
	}
	opts = append(opts[:len(opts):len(opts)], WithResponse(nil))
	moves := make([]MoveDevicesResult, len(deviceSerials))
	parallel(len(moves), workers, func(i int) {
		moves[i] = s.move(ctx, project, cohortSlug, deviceSerials[i], opts)
	})
	return moves, moveErrors(moves)
}

func (s *CohortsService) move(ctx context.Context, project ProjectRef, cohortSlug, deviceSerial string, opts []CallOption) MoveDevicesResult {
	move := MoveDevicesResult{DeviceSerial: deviceSerial}
	if ctx.Err() != nil {
		move.Err = contextError(ctx)
	} else {
		move.Device, move.Err = clientOf(s).Devices.Update(ctx, project, deviceSerial, DeviceUpdate{Cohort: Set(cohortSlug)}, opts...)
	}
	return move
}

func moveErrors(moves []MoveDevicesResult) error {
	var failed []error
	for _, move := range moves {
		if move.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", move.DeviceSerial, move.Err))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("memfault: %d of %d devices were not moved: %w", len(failed), len(moves), errors.Join(failed...))
}
