package memfault

import "fmt"

// RebootReason is why a device restarted, or why it took a trace: the numbers are
// one set.
type RebootReason int

// The reasons that Memfault names. A reason with the bit 0x8000 is an error.
const (
	ReasonUnknown      RebootReason = 0x0000
	ReasonUserShutdown RebootReason = 0x0001
	ReasonUserReset    RebootReason = 0x0002
	ReasonFWUpdate     RebootReason = 0x0003
	ReasonLowPower     RebootReason = 0x0004

	ReasonError    RebootReason = 0x8000
	ReasonAssert   RebootReason = 0x8001
	ReasonWatchdog RebootReason = 0x8002

	ReasonBusFault            RebootReason = 0x9100
	ReasonBusFaultIBusErr     RebootReason = 0x9101
	ReasonBusFaultPrecisErr   RebootReason = 0x9102
	ReasonBusFaultImprecisErr RebootReason = 0x9103
	ReasonBusFaultUnstkErr    RebootReason = 0x9104
	ReasonBusFaultStkErr      RebootReason = 0x9105
	ReasonBusFaultLSPErr      RebootReason = 0x9106
	ReasonBusFaultBFARValid   RebootReason = 0x9107

	ReasonMemFault          RebootReason = 0x9200
	ReasonMemFaultIAccViol  RebootReason = 0x9201
	ReasonMemFaultDAccViol  RebootReason = 0x9202
	ReasonMemFaultMUnstkErr RebootReason = 0x9203
	ReasonMemFaultMStkErr   RebootReason = 0x9204
	ReasonMemFaultMLSPErr   RebootReason = 0x9205
	ReasonMemFaultMMARValid RebootReason = 0x9206

	ReasonUsageFault           RebootReason = 0x9300
	ReasonUsageFaultUndefInstr RebootReason = 0x9301
	ReasonUsageFaultInvState   RebootReason = 0x9302
	ReasonUsageFaultInvPC      RebootReason = 0x9303
	ReasonUsageFaultNoCP       RebootReason = 0x9304
	ReasonUsageFaultUnaligned  RebootReason = 0x9305
	ReasonUsageFaultDivByZero  RebootReason = 0x9306

	ReasonHardFault RebootReason = 0x9400
)

// IsError reports whether the reason is a failure.
func (r RebootReason) IsError() bool { return r&ReasonError != 0 }

// String returns Memfault's short name of the reason, or its number.
func (r RebootReason) String() string {
	if name := r.name(); name != "" {
		return name
	}
	return fmt.Sprintf("0x%04X", int(r))
}

func (r RebootReason) name() string {
	switch r {
	case ReasonUnknown:
		return "UNKNOWN"
	case ReasonUserShutdown:
		return "USER_SHUTDOWN"
	case ReasonUserReset:
		return "USER_RESET"
	case ReasonFWUpdate:
		return "FW_UPDATE"
	case ReasonLowPower:
		return "LOW_POWER"
	case ReasonError:
		return "ERROR"
	case ReasonAssert:
		return "ASSERT"
	case ReasonWatchdog:
		return "WATCHDOG"
	case ReasonHardFault:
		return "HARD_FAULT"
	}
	switch r &^ 0xFF {
	case ReasonBusFault:
		return "BUS_FAULT"
	case ReasonMemFault:
		return "MEM_FAULT"
	case ReasonUsageFault:
		return "USAGE_FAULT"
	}
	return ""
}
