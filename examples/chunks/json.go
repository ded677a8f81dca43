package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/memfault-go/memfault/chunk"
)

// jsonPrinter prints a JSON object for each message and each damage, in a line.
type jsonPrinter struct {
	out    io.Writer
	serial string // of messages that name no device
	failed error
}

// jsonPlace is where something is. A chunk has a line in a text, and a byte in any file.
type jsonPlace struct {
	Line  int   `json:"line,omitempty"`
	Byte  int64 `json:"byte"`
	Chunk int   `json:"chunk,omitempty"`
}

type jsonMessage struct {
	jsonPlace
	LastChunk     int           `json:"last_chunk"`
	Type          string        `json:"type"`
	Size          int           `json:"size"`
	HasProjectKey bool          `json:"has_project_key"`
	Events        []jsonEvent   `json:"events,omitempty"`
	Coredump      *jsonCoredump `json:"coredump,omitempty"`
	Payload       []byte        `json:"payload,omitempty"` // of a message that is not decoded
	Damage        string        `json:"damage,omitempty"`
}

type jsonDevice struct {
	DeviceSerial    string `json:"device_serial,omitempty"`
	SoftwareType    string `json:"software_type,omitempty"`
	SoftwareVersion string `json:"software_version,omitempty"`
	HardwareVersion string `json:"hardware_version,omitempty"`
	BuildID         string `json:"build_id,omitempty"`
}

type jsonEvent struct {
	Type     string     `json:"type"`
	Text     string     `json:"text"`
	Captured *time.Time `json:"captured,omitempty"`
	jsonDevice
	Session     string       `json:"session,omitempty"`
	Metrics     []jsonMetric `json:"metrics,omitempty"`
	Trace       *jsonTrace   `json:"trace,omitempty"`
	Logs        []jsonLog    `json:"logs,omitempty"`
	Recording   *jsonRecord  `json:"recording,omitempty"`
	UserInfo    any          `json:"user_info,omitempty"`
	Unknown     any          `json:"unknown,omitempty"`
	UnknownInfo any          `json:"unknown_info,omitempty"`
}

type jsonMetric struct {
	Name  string `json:"name,omitempty"`
	Value any    `json:"value"`
}

type jsonTrace struct {
	Reboot         bool    `json:"reboot"`
	Reason         string  `json:"reason,omitempty"`
	CoredumpSaved  bool    `json:"coredump_saved"`
	UserReason     *int    `json:"user_reason,omitempty"`
	UserReasonName string  `json:"user_reason_name,omitempty"`
	PC             string  `json:"pc,omitempty"`
	LR             string  `json:"lr,omitempty"`
	ResetRegister  *uint64 `json:"reset_register,omitempty"`
	Status         *int64  `json:"status,omitempty"`
	Log            string  `json:"log,omitempty"`
	CompactLog     []byte  `json:"compact_log,omitempty"`
}

type jsonLog struct {
	Time    *time.Time `json:"time,omitempty"`
	Level   string     `json:"level"`
	Text    string     `json:"text"`
	Compact []byte     `json:"compact,omitempty"`
}

type jsonRecord struct {
	Reason     string   `json:"reason"`
	DurationMS int64    `json:"duration_ms"`
	MIMETypes  []string `json:"mime_types"`
	Data       []byte   `json:"data"`
}

type jsonCoredump struct {
	jsonDevice
	Reason    string       `json:"reason"`
	Machine   string       `json:"machine"`
	Truncated bool         `json:"truncated"`
	Registers [][]byte     `json:"registers"`
	Regions   []jsonRegion `json:"regions"`
	Unknown   []jsonRegion `json:"unknown,omitempty"`
}

type jsonRegion struct {
	Type    int    `json:"type,omitempty"` // of an unknown block
	Address string `json:"address"`
	Size    int    `json:"size"`
	Data    []byte `json:"data"`
}

// jsonDamage is something that is damaged. Kind is "text" if it is the text of a chunk.
type jsonDamage struct {
	jsonPlace
	Damage     string `json:"damage"`
	Kind       string `json:"kind"`
	FirstChunk int    `json:"first_chunk,omitempty"`
	FirstLine  int    `json:"first_line,omitempty"`
	Type       string `json:"type,omitempty"` // of the message, with Size
	Size       int    `json:"size,omitempty"`
	From       int    `json:"from,omitempty"`
	To         int    `json:"to,omitempty"`
}

func (p *jsonPrinter) err() error { return p.failed }

func (p *jsonPrinter) damage(d damage) {
	object := jsonDamage{jsonPlace: newPlace(d.at), Damage: d.text(), Kind: "text"}
	if d.lost != nil {
		object.Kind, object.FirstChunk, object.FirstLine = d.lost.Kind.String(), d.lost.FirstChunk, d.first.line
		object.Size, object.From, object.To = d.lost.Size, d.lost.From, d.lost.To
		if d.lost.Size > 0 {
			object.Type = d.lost.Type.String()
		}
	}
	p.print(object)
}

func (p *jsonPrinter) message(m message) {
	object := jsonMessage{
		jsonPlace: newPlace(m.first), LastChunk: m.last, Type: m.Type.String(), Size: len(m.Payload), HasProjectKey: m.ProjectKey != "",
	}
	for _, event := range m.events {
		object.Events = append(object.Events, p.event(event))
	}
	if m.coredump != nil {
		object.Coredump = p.coredump(m.coredump)
	}
	if m.coredump == nil && len(m.events) == 0 {
		object.Payload = m.Payload
	}
	if m.problem != nil {
		object.Damage = m.problem.Error()
	}
	p.print(object)
}

// print prints an object. Characters that a terminal does not print are escaped: JSON contains
// them only in texts.
func (p *jsonPrinter) print(object any) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(object)
	var line strings.Builder
	for _, r := range text.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			line.WriteRune(r)
		case r <= 0xFFFF:
			fmt.Fprintf(&line, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&line, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		}
	}
	if err == nil {
		_, err = io.WriteString(p.out, line.String())
	}
	if p.failed == nil {
		p.failed = err
	}
}

func newPlace(p place) jsonPlace { return jsonPlace{p.line, p.offset, p.chunk} }

func (p *jsonPrinter) device(serial, software, version, hardware string, buildID []byte) jsonDevice {
	if serial == "" {
		serial = p.serial
	}
	return jsonDevice{serial, software, version, hardware, hex.EncodeToString(buildID)}
}

func (p *jsonPrinter) event(e chunk.Event) jsonEvent {
	object := jsonEvent{
		Type: e.Type.String(), Text: e.String(), Captured: newTime(e.Captured),
		jsonDevice: p.device(e.DeviceSerial, e.SoftwareType, e.SoftwareVersion, e.HardwareVersion, e.BuildID),
		UserInfo:   newValue(e.UserInfo), Unknown: newFields(e.Unknown), UnknownInfo: newFields(e.UnknownInfo),
	}
	if h := e.Heartbeat; h != nil {
		object.Session = h.SessionName
		if object.Session == "" && h.Session >= 0 {
			object.Session = fmt.Sprint(h.Session)
		}
		for _, metric := range h.Metrics {
			object.Metrics = append(object.Metrics, jsonMetric{metric.Name, newValue(metric.Value)})
		}
	}
	if t := e.Trace; t != nil {
		object.Trace = &jsonTrace{
			Reboot: t.Reboot, CoredumpSaved: t.CoredumpSaved, UserReason: t.UserReason, UserReasonName: t.UserReasonName,
			PC: newAddress(t.PC), LR: newAddress(t.LR), ResetRegister: t.ResetRegister, Status: t.Status, Log: t.Log, CompactLog: t.CompactLog,
		}
		if t.UserReason == nil {
			object.Trace.Reason = chunk.ReasonName(t.Reason)
		}
	}
	for _, line := range e.Logs {
		object.Logs = append(object.Logs, jsonLog{newTime(line.Time), line.Level.String(), line.Text, line.Compact})
	}
	if r := e.Recording; r != nil {
		object.Recording = &jsonRecord{r.Reason, r.Duration.Milliseconds(), r.MIMETypes, r.Data}
	}
	return object
}

func (p *jsonPrinter) coredump(c *chunk.Coredump) *jsonCoredump {
	object := &jsonCoredump{
		jsonDevice: p.device(c.DeviceSerial, c.SoftwareType, c.SoftwareVersion, c.HardwareVersion, c.BuildID),
		Reason:     chunk.ReasonName(c.Reason), Machine: processor(c.Machine), Truncated: c.Truncated, Registers: c.Registers,
	}
	for _, r := range c.Regions {
		object.Regions = append(object.Regions, jsonRegion{Address: fmt.Sprintf("0x%08x", r.Address), Size: len(r.Data), Data: r.Data})
	}
	for _, b := range c.Unknown {
		object.Unknown = append(object.Unknown, jsonRegion{b.Type, fmt.Sprintf("0x%08x", b.Address), len(b.Data), b.Data})
	}
	return object
}

func newAddress(a uint64) string {
	if a == 0 {
		return ""
	}
	return fmt.Sprintf("0x%08x", a)
}

func newTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// newFields returns a list of the fields, or nil.
func newFields(fields []chunk.Field) any {
	if len(fields) == 0 {
		return nil
	}
	return newValue(fields)
}

// newValue returns a value of a device in a form that JSON can represent. A number that JSON
// does not have is its name, such as "NaN"; bytes are base64.
func newValue(value any) any {
	switch v := value.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
	case []any:
		list := make([]any, 0, len(v))
		for _, element := range v {
			list = append(list, newValue(element))
		}
		return list
	case []chunk.Field:
		list := make([]any, 0, len(v))
		for _, field := range v {
			list = append(list, map[string]any{"key": newValue(field.Key), "value": newValue(field.Value)})
		}
		return list
	case chunk.Tagged:
		return map[string]any{"tag": v.Tag, "value": newValue(v.Value)}
	}
	return value
}
