package chunk

import "fmt"

// ReasonName returns Memfault's name of the reason of a reboot or a coredump, such as
// "HardFault". For a reason without a name it returns the number, such as "0x800D". The numbers
// are those of [github.com/memfault-go/memfault.RebootReason], which has constants for them.
func ReasonName(reason int) string {
	var names []string
	switch reason &^ 0xFF {
	case 0x0000:
		names = []string{
			"Unknown", "UserShutdown", "UserReset", "FirmwareUpdate", "LowPower", "DebuggerHalted", "ButtonReset", "PowerOnReset",
			"SoftwareReset", "DeepSleep", "PinReset", "SelfTest",
		}
	case 0x8000:
		names = []string{
			"UnknownError", "Assert", "Watchdog", "BrownOutReset", "Nmi", "HardwareWatchdog", "SoftwareWatchdog", "ClockFailure",
			"KernelPanic", "FirmwareUpdateError", "OutOfMemory", "StackOverflow", "TaskWatchdog",
		}
	case 0x9100:
		names = []string{"BusFault", "Ibuserr", "Preciserr", "Impreciserr", "Unstkerr", "Stkerr", "Lsperr", "Bfarvalid"}
	case 0x9200:
		names = []string{"MemFault", "Iaccviol", "Daccviol", "Munstkerr", "Mstkerr", "Mlsperr", "Mmarvalid"}
	case 0x9300:
		names = []string{"UsageFault", "Undefinstr", "Invstate", "Invpc", "Nocp", "Unaligned", "Divbyzero"}
	case 0x9400:
		names = []string{"HardFault", "Lockup", "SecurityViolation", "ParityError", "Temperature", "Hardware"}
	}
	if i := reason & 0xFF; i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("0x%04X", reason)
}
