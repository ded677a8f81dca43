package memfault

import (
	"context"

	"github.com/memfault-go/memfault/internal/parallel"
)

// moveConcurrency is the default of MoveDevicesOptions.Concurrency.
const moveConcurrency = 8

// MoveDevicesOptions configures [CohortsService.MoveDevices].
type MoveDevicesOptions struct {
	Concurrency int // devices moved concurrently; defaults to 8
}

// MoveDevicesResult describes what happened to one device in [CohortsService.MoveDevices].
type MoveDevicesResult struct {
	DeviceSerial string
	Device       *Device // after the move; nil if it was not moved
	Err          error   // why it was not moved
}

// MoveDevices moves devices into a cohort, out of their previous cohorts.
//
// It returns one result for each device, in the order of deviceSerials, and an error that joins
// the errors of all failed devices. Each error contains the serial of its device. A failed
// device does not stop the others. If the context ends, the remaining devices fail with its
// error. It is safe to call MoveDevices again, because moving a device into its current cohort
// changes nothing.
//
// Memfault has an operation for many devices but documents no request body for it, so
// MoveDevices updates each device separately. [WithResponse] is ignored, because there is one
// response for each device.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/update-a-device
func (s *CohortsService) MoveDevices(ctx context.Context, project ProjectRef, cohortSlug string, deviceSerials []string, options MoveDevicesOptions, opts ...CallOption) ([]MoveDevicesResult, error) {
	switch {
	case ctx == nil:
		return nil, invalid("MoveDevices: nil context")
	case cohortSlug == "":
		return nil, invalid("MoveDevices: cohort must not be empty")
	case options.Concurrency < 0:
		return nil, invalid("MoveDevices: Concurrency must not be negative")
	}
	workers := options.Concurrency
	if workers == 0 {
		workers = moveConcurrency
	}
	opts = append(opts[:len(opts):len(opts)], WithResponse(nil))
	moves := make([]MoveDevicesResult, len(deviceSerials))
	parallel.Do(len(moves), workers, func(i int) {
		moves[i] = s.move(ctx, project, cohortSlug, deviceSerials[i], opts)
	})
	return moves, moveErrors(moves)
}

func (s *CohortsService) move(ctx context.Context, project ProjectRef, cohortSlug, deviceSerial string, opts []CallOption) MoveDevicesResult {
	move := MoveDevicesResult{DeviceSerial: deviceSerial}
	var err error
	if ctx.Err() != nil {
		err = contextError(ctx)
	} else {
		move.Device, err = clientOf(s).Devices.Update(ctx, project, deviceSerial, DeviceUpdate{Cohort: Set(cohortSlug)}, opts...)
	}
	move.Err = inPart("device", deviceSerial, err)
	return move
}

func moveErrors(moves []MoveDevicesResult) error {
	var failed []error
	for _, move := range moves {
		if move.Err != nil {
			failed = append(failed, move.Err)
		}
	}
	return joinParts(failed, "MoveDevices: %d of %d devices were not moved", len(failed), len(moves))
}
