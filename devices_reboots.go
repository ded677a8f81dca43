package memfault

import (
	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/operation"
)

// Reboot is a restart of a device.
type Reboot struct {
	Type              string              `json:"type"` // "memfault" or "android"
	Reason            RebootReason        `json:"reason"`
	MCUReasonRegister *int64              `json:"mcu_reason_register"` // nil if not reported
	Time              Timestamp           `json:"time"`
	SoftwareVersion   *SoftwareVersionRef `json:"software_version"`
}

// RebootListOptions filters reboots. Since is compared with the time of the reboot by the clock of
// the device: reboots of a device whose clock is behind are not found.
type RebootListOptions struct {
	ListOptions
	Since Timestamp `url:"since,omitempty"`
}

// ListReboots returns the reboots of a device, the newest first.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests and in dashboards.
func (s *DevicesService) ListReboots(project ProjectRef, deviceSerial string, options RebootListOptions, opts ...CallOption) *Pager[Reboot] {
	return list[Reboot](clientOf(s), operation.DeviceRebootsList, project.path(deviceSerial), options, opts)
}

// RebootReason is the reason for which a device restarted or recorded a trace. Reboots and
// traces use the same numbers.
//
// The numbers and names are those of Memfault's firmware SDK.
type RebootReason int

// Expected reboots.
const (
	RebootReasonUnknown        RebootReason = 0x0000
	RebootReasonUserShutdown   RebootReason = 0x0001
	RebootReasonUserReset      RebootReason = 0x0002
	RebootReasonFirmwareUpdate RebootReason = 0x0003
	RebootReasonLowPower       RebootReason = 0x0004
	RebootReasonDebuggerHalted RebootReason = 0x0005
	RebootReasonButtonReset    RebootReason = 0x0006
	RebootReasonPowerOnReset   RebootReason = 0x0007
	RebootReasonSoftwareReset  RebootReason = 0x0008
	RebootReasonDeepSleep      RebootReason = 0x0009
	RebootReasonPinReset       RebootReason = 0x000A
	RebootReasonSelfTest       RebootReason = 0x000B // only in the firmware SDK's header
)

// Errors.
const (
	RebootReasonUnknownError        RebootReason = 0x8000
	RebootReasonAssert              RebootReason = 0x8001
	RebootReasonWatchdog            RebootReason = 0x8002 // replaced by the hardware and software watchdogs
	RebootReasonBrownOutReset       RebootReason = 0x8003
	RebootReasonNMI                 RebootReason = 0x8004
	RebootReasonHardwareWatchdog    RebootReason = 0x8005
	RebootReasonSoftwareWatchdog    RebootReason = 0x8006
	RebootReasonClockFailure        RebootReason = 0x8007
	RebootReasonKernelPanic         RebootReason = 0x8008
	RebootReasonFirmwareUpdateError RebootReason = 0x8009
	RebootReasonOutOfMemory         RebootReason = 0x800A
	RebootReasonStackOverflow       RebootReason = 0x800B // only in the firmware SDK's header
	RebootReasonTaskWatchdog        RebootReason = 0x800C // only in the firmware SDK's header
)

// Bus faults.
const (
	RebootReasonBusFault            RebootReason = 0x9100
	RebootReasonBusFaultIBusErr     RebootReason = 0x9101
	RebootReasonBusFaultPrecisErr   RebootReason = 0x9102
	RebootReasonBusFaultImprecisErr RebootReason = 0x9103
	RebootReasonBusFaultUnstkErr    RebootReason = 0x9104
	RebootReasonBusFaultStkErr      RebootReason = 0x9105
	RebootReasonBusFaultLSPErr      RebootReason = 0x9106
	RebootReasonBusFaultBFARValid   RebootReason = 0x9107
)

// Memory management faults.
const (
	RebootReasonMemFault          RebootReason = 0x9200
	RebootReasonMemFaultIAccViol  RebootReason = 0x9201
	RebootReasonMemFaultDAccViol  RebootReason = 0x9202
	RebootReasonMemFaultMUnstkErr RebootReason = 0x9203
	RebootReasonMemFaultMStkErr   RebootReason = 0x9204
	RebootReasonMemFaultMLSPErr   RebootReason = 0x9205
	RebootReasonMemFaultMMARValid RebootReason = 0x9206
)

// Usage faults.
const (
	RebootReasonUsageFault           RebootReason = 0x9300
	RebootReasonUsageFaultUndefInstr RebootReason = 0x9301
	RebootReasonUsageFaultInvState   RebootReason = 0x9302
	RebootReasonUsageFaultInvPC      RebootReason = 0x9303
	RebootReasonUsageFaultNoCP       RebootReason = 0x9304
	RebootReasonUsageFaultUnaligned  RebootReason = 0x9305
	RebootReasonUsageFaultDivByZero  RebootReason = 0x9306
)

// Hard faults. Those from 0x9402 on are only in the firmware SDK's header.
const (
	RebootReasonHardFault                  RebootReason = 0x9400
	RebootReasonHardFaultLockup            RebootReason = 0x9401
	RebootReasonHardFaultSecurityViolation RebootReason = 0x9402
	RebootReasonHardFaultParityError       RebootReason = 0x9403
	RebootReasonHardFaultTemperature       RebootReason = 0x9404
	RebootReasonHardFaultHardware          RebootReason = 0x9405
)

// IsError reports whether r is an error: a reason with the bit 0x8000.
func (r RebootReason) IsError() bool { return r&RebootReasonUnknownError != 0 }

// IsWatchdog reports whether a watchdog reset the device.
func (r RebootReason) IsWatchdog() bool {
	switch r {
	case RebootReasonWatchdog, RebootReasonHardwareWatchdog, RebootReasonSoftwareWatchdog, RebootReasonTaskWatchdog:
		return true
	default:
		return false
	}
}

// Fault returns the kind of processor fault that r belongs to: [RebootReasonBusFault],
// [RebootReasonMemFault], [RebootReasonUsageFault] or [RebootReasonHardFault]. It also does so
// for a number of these groups that has no name. If r is not a fault, Fault returns
// [RebootReasonUnknown].
func (r RebootReason) Fault() RebootReason {
	switch group := r &^ 0xFF; group {
	case RebootReasonBusFault, RebootReasonMemFault, RebootReasonUsageFault, RebootReasonHardFault:
		return group
	default:
		return RebootReasonUnknown
	}
}

// String returns Memfault's name of the reason, such as HardwareWatchdog. If r has no name,
// String returns its number, such as 0x800D.
func (r RebootReason) String() string { return chunk.ReasonName(int(r)) }
