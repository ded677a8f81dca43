package chunk

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Recording is a custom data recording.
type Recording struct {
	MIMETypes []string
	Data      []byte
	Duration  time.Duration
	Reason    string
}

// set sets a field of the info of a recording.
func (r *Recording) set(key int64, value any) bool {
	switch key {
	case 1:
		ms, ok := value.(int64)
		if !ok || ms < 0 || ms > math.MaxInt64/int64(time.Millisecond) {
			return false
		}
		r.Duration = time.Duration(ms) * time.Millisecond
		return true
	case 2:
		values, ok := value.([]any)
		types := make([]string, len(values))
		for i, value := range values {
			ok = ok && text(value, &types[i])
		}
		if ok {
			r.MIMETypes = types
		}
		return ok
	case 3:
		return text(value, &r.Reason)
	case 4:
		return assign(value, &r.Data)
	default:
		return false
	}
}

// String returns the reason, the duration, the types and the size.
func (r *Recording) String() string {
	types := make([]string, len(r.MIMETypes))
	for i, t := range r.MIMETypes {
		types[i] = printable(t)
	}
	return fmt.Sprintf("recording %s, %v, %d bytes of %s", printable(r.Reason), r.Duration, len(r.Data), strings.Join(types, " "))
}
