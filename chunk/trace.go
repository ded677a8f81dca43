package chunk

import (
	"fmt"
	"strings"
)

// Trace is a reboot, or an error that the firmware recorded.
type Trace struct {
	// Reboot reports whether the trace is a reboot. Reason is then the number of the reason, such
	// as int(memfault.RebootReasonHardFault); see [ReasonName]. CoredumpSaved reports whether a
	// coredump was saved before the reboot. It is sent in a message of its own.
	Reboot        bool
	Reason        int
	CoredumpSaved bool

	// UserReason is the number of the reason that the firmware defines, or nil if the trace
	// is a reboot. UserReasonName is set by [Names.Apply].
	UserReason     *int
	UserReasonName string

	// PC and LR are the addresses of the place and of its caller, or 0.
	PC, LR uint64

	// ResetRegister is the register of the processor with the cause of its reset, or nil.
	ResetRegister *uint64

	// Status is a number that the firmware adds, or nil.
	Status *int64

	// Log is the text that the firmware adds, or "". CompactLog is a text in Memfault's
	// compact form, which is not decoded.
	Log        string
	CompactLog []byte
}

// The keys of the info of a trace.
const (
	traceReason     = 1
	tracePC         = 2
	traceLR         = 3
	traceRegister   = 4
	traceCoredump   = 5
	traceUserReason = 6
	traceStatus     = 7
	traceLog        = 8
	traceCompactLog = 9
)

// set sets a field of the info of a trace.
func (t *Trace) set(key int64, value any) bool {
	switch key {
	case traceReason:
		return number(value, &t.Reason)
	case tracePC:
		return address(value, &t.PC)
	case traceLR:
		return address(value, &t.LR)
	case traceRegister:
		return pointTo(&t.ResetRegister, value, address)
	case traceCoredump:
		return t.setCoredump(value)
	case traceUserReason:
		return pointTo(&t.UserReason, value, number)
	case traceStatus:
		return pointTo(&t.Status, value, assign)
	case traceLog:
		if log, ok := value.([]byte); ok {
			t.Log = string(log)
			return true
		}
		return text(value, &t.Log)
	case traceCompactLog:
		return assign(value, &t.CompactLog)
	default:
		return false
	}
}

func (t *Trace) setCoredump(value any) bool {
	n := 0
	if number(value, &n) && n <= 1 {
		t.CoredumpSaved = n == 1
		return true
	}
	return assign(value, &t.CoredumpSaved)
}

// pointTo sets target to a new value if set accepts the value.
func pointTo[T any](target **T, value any, set func(any, *T) bool) bool {
	v := new(T)
	if !set(value, v) {
		return false
	}
	*target = v
	return true
}

// String returns the reason and what the device added to it.
func (t *Trace) String() string {
	var b strings.Builder
	switch {
	case t.Reboot:
		b.WriteString("reboot " + ReasonName(t.Reason))
	case t.UserReasonName != "":
		b.WriteString("trace " + printable(t.UserReasonName))
	case t.UserReason != nil:
		fmt.Fprintf(&b, "trace of reason %d", *t.UserReason)
	case t.Reason != 0:
		b.WriteString("trace " + ReasonName(t.Reason))
	default:
		b.WriteString("trace")
	}
	if t.CoredumpSaved {
		b.WriteString(", coredump saved")
	}
	for _, a := range []struct {
		name    string
		address uint64
	}{{"pc", t.PC}, {"lr", t.LR}} {
		if a.address != 0 {
			fmt.Fprintf(&b, ", %s 0x%08x", a.name, a.address)
		}
	}
	if t.ResetRegister != nil {
		fmt.Fprintf(&b, ", reset register 0x%x", *t.ResetRegister)
	}
	if t.Status != nil {
		fmt.Fprintf(&b, ", status %d", *t.Status)
	}
	if t.Log != "" {
		fmt.Fprintf(&b, ", log %q", t.Log)
	}
	if len(t.CompactLog) > 0 {
		fmt.Fprintf(&b, ", compact log of %d bytes", len(t.CompactLog))
	}
	return b.String()
}
