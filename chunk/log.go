package chunk

import (
	"fmt"
	"time"
)

// LogLevel is the level of a log line. The numbers are those on the wire.
type LogLevel int

// The levels of log lines.
const (
	LogDebug LogLevel = iota
	LogInfo
	LogWarning
	LogError
)

// String returns the name of the level, such as "warning".
func (l LogLevel) String() string {
	switch l {
	case LogDebug:
		return "debug"
	case LogInfo:
		return "info"
	case LogWarning:
		return "warning"
	case LogError:
		return "error"
	default:
		return fmt.Sprintf("level %d", int(l))
	}
}

// LogLine is a line of the log of a device.
type LogLine struct {
	Text string

	// Level is kept if it is unknown.
	Level LogLevel

	// Time is the zero value if the line has no time or the device no clock.
	Time time.Time

	// Compact is the line in Memfault's compact form, which is not decoded. Text is then "".
	Compact []byte
}

// String returns the level and the text. The text is quoted if it contains other than printable
// characters.
func (l LogLine) String() string {
	if l.Compact != nil {
		return fmt.Sprintf("%s: compact log of %d bytes", l.Level, len(l.Compact))
	}
	return l.Level.String() + ": " + printableLine(l.Text)
}

// setLogs reads the lines of an event. Each is a time, a level and a text, or only the last two.
// If a line has another form, it is kept with the lines after it.
func (e *Event) setLogs(value any) bool {
	values, ok := value.([]any)
	if !ok {
		return false
	}
	size := 2
	if e.Type == EventLogsTimed {
		size = 3
	}
	e.Logs = make([]LogLine, 0, len(values)/size)
	for rest := values; len(rest) > 0; rest = rest[size:] {
		var line LogLine
		if len(rest) < size || !line.set(rest[:size]) {
			e.UnknownInfo = append(e.UnknownInfo, Field{int64(len(values) - len(rest)), rest})
			break
		}
		e.Logs = append(e.Logs, line)
	}
	return true
}

// set sets a line from a time, which can be missing, a level and a text.
func (l *LogLine) set(values []any) bool {
	if len(values) == 3 {
		if !timestamp(values[0], &l.Time) {
			return false
		}
		values = values[1:]
	}
	return number(values[0], &l.Level) && (text(values[1], &l.Text) || assign(values[1], &l.Compact))
}
