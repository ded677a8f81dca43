package memfault

import "fmt"

// RebootReason is why a device restarted, or why it took a trace: the numbers are
// one set.
type RebootReason int

// The reasons that Memfault names. A reason with the bit 0x8000 is an error.
const (
	RebootReasonUnknown      RebootReason = 0x0000
	RebootReasonUserShutdown RebootReason = 0x0001
	RebootReasonUserReset    RebootReason = 0x0002
	RebootReasonFWUpdate     RebootReason = 0x0003
	RebootReasonLowPower     RebootReason = 0x0004

	RebootReasonError    RebootReason = 0x8000
	RebootReasonAssert   RebootReason = 0x8001
	RebootReasonWatchdog RebootReason = 0x8002

	RebootReasonBusFault            RebootReason = 0x9100
	RebootReasonBusFaultIBusErr     RebootReason = 0x9101
	RebootReasonBusFaultPrecisErr   RebootReason = 0x9102
	RebootReasonBusFaultImprecisErr RebootReason = 0x9103
	RebootReasonBusFaultUnstkErr    RebootReason = 0x9104
	RebootReasonBusFaultStkErr      RebootReason = 0x9105
	RebootReasonBusFaultLSPErr      RebootReason = 0x9106
	RebootReasonBusFaultBFARValid   RebootReason = 0x9107

	RebootReasonMemFault          RebootReason = 0x9200
	RebootReasonMemFaultIAccViol  RebootReason = 0x9201
	RebootReasonMemFaultDAccViol  RebootReason = 0x9202
	RebootReasonMemFaultMUnstkErr RebootReason = 0x9203
	RebootReasonMemFaultMStkErr   RebootReason = 0x9204
	RebootReasonMemFaultMLSPErr   RebootReason = 0x9205
	RebootReasonMemFaultMMARValid RebootReason = 0x9206

	RebootReasonUsageFault           RebootReason = 0x9300
	RebootReasonUsageFaultUndefInstr RebootReason = 0x9301
	RebootReasonUsageFaultInvState   RebootReason = 0x9302
	RebootReasonUsageFaultInvPC      RebootReason = 0x9303
	RebootReasonUsageFaultNoCP       RebootReason = 0x9304
	RebootReasonUsageFaultUnaligned  RebootReason = 0x9305
	RebootReasonUsageFaultDivByZero  RebootReason = 0x9306

	RebootReasonHardFault RebootReason = 0x9400
)

// IsError reports whether the reason is a failure.
func (r RebootReason) IsError() bool { return r&RebootReasonError != 0 }

// String returns Memfault's short name of the reason, or its number.
func (r RebootReason) String() string {
	if name := r.name(); name != "" {
		return name
	}
	return fmt.Sprintf("0x%04X", int(r))
}

func (r RebootReason) name() string {
	switch r {
	case RebootReasonUnknown:
		return "UNKNOWN"
	case RebootReasonUserShutdown:
		return "USER_SHUTDOWN"
	case RebootReasonUserReset:
		return "USER_RESET"
	case RebootReasonFWUpdate:
		return "FW_UPDATE"
	case RebootReasonLowPower:
		return "LOW_POWER"
	case RebootReasonError:
		return "ERROR"
	case RebootReasonAssert:
		return "ASSERT"
	case RebootReasonWatchdog:
		return "WATCHDOG"
	case RebootReasonHardFault:
		return "HARD_FAULT"
	}
	switch r &^ 0xFF {
	case RebootReasonBusFault:
		return "BUS_FAULT"
	case RebootReasonMemFault:
		return "MEM_FAULT"
	case RebootReasonUsageFault:
		return "USAGE_FAULT"
	}
	return ""
}
