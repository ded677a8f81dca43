package memfault_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault"
)

func TestRebootReason_Table(t *testing.T) {
	const none = memfault.RebootReasonUnknown
	for _, row := range []struct {
		reason memfault.RebootReason
		number int
		name   string
		fault  memfault.RebootReason
	}{
		{memfault.RebootReasonUnknown, 0x0000, "Unknown", none},
		{memfault.RebootReasonUserShutdown, 0x0001, "UserShutdown", none},
		{memfault.RebootReasonUserReset, 0x0002, "UserReset", none},
		{memfault.RebootReasonFirmwareUpdate, 0x0003, "FirmwareUpdate", none},
		{memfault.RebootReasonLowPower, 0x0004, "LowPower", none},
		{memfault.RebootReasonDebuggerHalted, 0x0005, "DebuggerHalted", none},
		{memfault.RebootReasonButtonReset, 0x0006, "ButtonReset", none},
		{memfault.RebootReasonPowerOnReset, 0x0007, "PowerOnReset", none},
		{memfault.RebootReasonSoftwareReset, 0x0008, "SoftwareReset", none},
		{memfault.RebootReasonDeepSleep, 0x0009, "DeepSleep", none},
		{memfault.RebootReasonPinReset, 0x000A, "PinReset", none},
		{memfault.RebootReasonSelfTest, 0x000B, "SelfTest", none},

		{memfault.RebootReasonUnknownError, 0x8000, "UnknownError", none},
		{memfault.RebootReasonAssert, 0x8001, "Assert", none},
		{memfault.RebootReasonWatchdog, 0x8002, "Watchdog", none},
		{memfault.RebootReasonBrownOutReset, 0x8003, "BrownOutReset", none},
		{memfault.RebootReasonNMI, 0x8004, "Nmi", none},
		{memfault.RebootReasonHardwareWatchdog, 0x8005, "HardwareWatchdog", none},
		{memfault.RebootReasonSoftwareWatchdog, 0x8006, "SoftwareWatchdog", none},
		{memfault.RebootReasonClockFailure, 0x8007, "ClockFailure", none},
		{memfault.RebootReasonKernelPanic, 0x8008, "KernelPanic", none},
		{memfault.RebootReasonFirmwareUpdateError, 0x8009, "FirmwareUpdateError", none},
		{memfault.RebootReasonOutOfMemory, 0x800A, "OutOfMemory", none},
		{memfault.RebootReasonStackOverflow, 0x800B, "StackOverflow", none},
		{memfault.RebootReasonTaskWatchdog, 0x800C, "TaskWatchdog", none},

		{memfault.RebootReasonBusFault, 0x9100, "BusFault", memfault.RebootReasonBusFault},
		{memfault.RebootReasonBusFaultIBusErr, 0x9101, "Ibuserr", memfault.RebootReasonBusFault},
		{memfault.RebootReasonBusFaultPrecisErr, 0x9102, "Preciserr", memfault.RebootReasonBusFault},
		{memfault.RebootReasonBusFaultImprecisErr, 0x9103, "Impreciserr", memfault.RebootReasonBusFault},
		{memfault.RebootReasonBusFaultUnstkErr, 0x9104, "Unstkerr", memfault.RebootReasonBusFault},
		{memfault.RebootReasonBusFaultStkErr, 0x9105, "Stkerr", memfault.RebootReasonBusFault},
		{memfault.RebootReasonBusFaultLSPErr, 0x9106, "Lsperr", memfault.RebootReasonBusFault},
		{memfault.RebootReasonBusFaultBFARValid, 0x9107, "Bfarvalid", memfault.RebootReasonBusFault},

		{memfault.RebootReasonMemFault, 0x9200, "MemFault", memfault.RebootReasonMemFault},
		{memfault.RebootReasonMemFaultIAccViol, 0x9201, "Iaccviol", memfault.RebootReasonMemFault},
		{memfault.RebootReasonMemFaultDAccViol, 0x9202, "Daccviol", memfault.RebootReasonMemFault},
		{memfault.RebootReasonMemFaultMUnstkErr, 0x9203, "Munstkerr", memfault.RebootReasonMemFault},
		{memfault.RebootReasonMemFaultMStkErr, 0x9204, "Mstkerr", memfault.RebootReasonMemFault},
		{memfault.RebootReasonMemFaultMLSPErr, 0x9205, "Mlsperr", memfault.RebootReasonMemFault},
		{memfault.RebootReasonMemFaultMMARValid, 0x9206, "Mmarvalid", memfault.RebootReasonMemFault},

		{memfault.RebootReasonUsageFault, 0x9300, "UsageFault", memfault.RebootReasonUsageFault},
		{memfault.RebootReasonUsageFaultUndefInstr, 0x9301, "Undefinstr", memfault.RebootReasonUsageFault},
		{memfault.RebootReasonUsageFaultInvState, 0x9302, "Invstate", memfault.RebootReasonUsageFault},
		{memfault.RebootReasonUsageFaultInvPC, 0x9303, "Invpc", memfault.RebootReasonUsageFault},
		{memfault.RebootReasonUsageFaultNoCP, 0x9304, "Nocp", memfault.RebootReasonUsageFault},
		{memfault.RebootReasonUsageFaultUnaligned, 0x9305, "Unaligned", memfault.RebootReasonUsageFault},
		{memfault.RebootReasonUsageFaultDivByZero, 0x9306, "Divbyzero", memfault.RebootReasonUsageFault},

		{memfault.RebootReasonHardFault, 0x9400, "HardFault", memfault.RebootReasonHardFault},
		{memfault.RebootReasonHardFaultLockup, 0x9401, "Lockup", memfault.RebootReasonHardFault},
		{memfault.RebootReasonHardFaultSecurityViolation, 0x9402, "SecurityViolation", memfault.RebootReasonHardFault},
		{memfault.RebootReasonHardFaultParityError, 0x9403, "ParityError", memfault.RebootReasonHardFault},
		{memfault.RebootReasonHardFaultTemperature, 0x9404, "Temperature", memfault.RebootReasonHardFault},
		{memfault.RebootReasonHardFaultHardware, 0x9405, "Hardware", memfault.RebootReasonHardFault},
	} {
		assert.Equal(t, memfault.RebootReason(row.number), row.reason, row.name)
		assert.Equal(t, row.name, row.reason.String())
		assert.Equal(t, row.number >= 0x8000, row.reason.IsError(), row.name)
		assert.Equal(t, row.fault, row.reason.Fault(), row.name)
		watchdog := row.number == 0x8002 || row.number == 0x8005 || row.number == 0x8006 || row.number == 0x800C
		assert.Equal(t, watchdog, row.reason.IsWatchdog(), row.name)
	}
}

func TestRebootReason_UnknownNumber(t *testing.T) {
	for reason, text := range map[memfault.RebootReason]string{
		0x000C: "0x000C", 0x1234: "0x1234", 0x800D: "0x800D", 0x9000: "0x9000", 0x9108: "0x9108", 0x9207: "0x9207", 0x9307: "0x9307",
		0x9406: "0x9406", 0x12345: "0x12345", 0x19100: "0x19100",
	} {
		assert.Equal(t, text, reason.String())
		assert.False(t, reason.IsWatchdog(), text)
	}
	assert.Equal(t, memfault.RebootReasonBusFault, memfault.RebootReason(0x91FF).Fault(), "a number of the group that has no name")
	for _, reason := range []memfault.RebootReason{0x9000, 0x9500, 0x800D, 0x0100, 0x19100, -1} {
		assert.Equal(t, memfault.RebootReasonUnknown, reason.Fault(), reason.String())
	}
}
