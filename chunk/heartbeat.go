package chunk

import (
	"fmt"
	"strings"
)

// Heartbeat contains the metrics of an interval, or of a session that the firmware defines.
type Heartbeat struct {
	// Metrics are in the order in which the firmware defines them.
	Metrics []Metric

	// Session is the number of the session, or -1 if the event has none. The heartbeat is the
	// session with the highest number; only the symbol file contains its number.
	Session int

	// SessionName is set by [Names.Apply]: "heartbeat", or the name of another session.
	SessionName string
}

// Metric is the value of a metric.
type Metric struct {
	// Name is "" unless [Names.Apply] set it. In events of older SDKs it is always set.
	Name string

	// Value is an int64, a uint64 above its range, a float64 or a string, or nil if the
	// firmware did not set the metric. The firmware SDK sends no other types; if a device does,
	// they are those of [Field.Value]. Memfault divides it by the scale of the metric, which
	// the event does not contain.
	Value any
}

// set sets a field of the info of a heartbeat.
func (h *Heartbeat) set(key int64, value any) bool {
	switch key {
	case 1:
		return h.setMetrics(value)
	case 2:
		return number(value, &h.Session)
	default:
		return false
	}
}

// setMetrics reads metrics by position, or by name.
func (h *Heartbeat) setMetrics(value any) bool {
	switch metrics := value.(type) {
	case []any:
		h.Metrics = make([]Metric, 0, len(metrics))
		for _, value := range metrics {
			h.Metrics = append(h.Metrics, Metric{Value: value})
		}
		return true
	case []Field:
		for _, field := range metrics {
			name, ok := field.Key.(string)
			if !ok {
				h.Metrics = nil
				return false
			}
			h.Metrics = append(h.Metrics, Metric{name, field.Value})
		}
		return true
	default:
		return false
	}
}

// String returns the metrics that are set. If a metric has no name, its number in brackets is
// used.
func (h *Heartbeat) String() string {
	var b strings.Builder
	switch {
	case h.SessionName != "":
		b.WriteString(printable(h.SessionName))
	case h.Session >= 0:
		fmt.Fprintf(&b, "metrics of session %d:", h.Session)
	default:
		b.WriteString("heartbeat")
	}
	for i, metric := range h.Metrics {
		if metric.Value == nil {
			continue
		}
		name := printable(metric.Name)
		if metric.Name == "" {
			name = fmt.Sprintf("[%d]", i)
		}
		fmt.Fprintf(&b, " %s=%s", name, printable(fmt.Sprint(metric.Value)))
	}
	return b.String()
}
