package main

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/memfault-go/memfault/chunk"
)

// textPrinter prints a line for each message, and more for its parts.
type textPrinter struct {
	out    io.Writer
	serial string // of messages that name no device
	failed error
}

func (p *textPrinter) err() error { return p.failed }

func (p *textPrinter) print(format string, args ...any) {
	if _, err := fmt.Fprintf(p.out, format, args...); err != nil && p.failed == nil {
		p.failed = err
	}
}

func (p *textPrinter) damage(d damage) { p.print("%s: DAMAGED: %s\n", d.at, d.text()) }

// text says what is damaged.
func (d damage) text() string {
	if d.line != nil {
		return "a chunk: " + printable(d.line.Error())
	}
	var b strings.Builder
	b.WriteString(d.lost.Kind.String())
	if d.lost.From < d.lost.To {
		fmt.Fprintf(&b, ", bytes %d to %d", d.lost.From, d.lost.To-1)
	}
	switch {
	case d.lost.Kind == chunk.DamageHeader:
	case d.lost.FirstChunk == 0:
		b.WriteString(" of an unknown message")
	default:
		b.WriteString(" of the message")
		if d.lost.Size > 0 {
			fmt.Fprintf(&b, " (%s, %d bytes)", d.lost.Type, d.lost.Size)
		}
		if d.first != d.at && d.first.chunk > 0 {
			fmt.Fprintf(&b, " that began in %s", d.first)
		}
	}
	if d.lost.Hint != "" {
		b.WriteString(": " + d.lost.Hint)
	}
	return b.String()
}

func (p *textPrinter) message(m message) {
	chunks := m.first.String()
	if m.last > m.first.chunk {
		chunks = strings.Replace(chunks, "chunk", "chunks", 1) + fmt.Sprintf("-%d", m.last)
	}
	size := fmt.Sprintf("%d bytes", len(m.Payload))
	switch {
	case m.coredump != nil:
		c := m.coredump
		p.print("%s: %s, %s, %s: %s\n", chunks, m.Type, size,
			p.device(c.DeviceSerial, c.SoftwareType, c.SoftwareVersion, c.HardwareVersion), chunk.ReasonName(c.Reason))
		p.coredump(c)
	case len(m.events) == 1:
		p.print("%s: %s, %s, %s\n", chunks, m.Type, size, p.event(m.events[0]))
		p.logs(m.events[0])
	case len(m.events) > 1:
		p.print("%s: %s, %s, %d events\n", chunks, m.Type, size, len(m.events))
		for _, event := range m.events {
			p.print("    %s\n", p.event(event))
			p.logs(event)
		}
	case m.problem == nil:
		p.print("%s: %s, %s, not decoded\n", chunks, m.Type, size)
	default:
		p.print("%s: %s, %s\n", chunks, m.Type, size)
	}
	if m.problem != nil {
		p.print("%s: DAMAGED: %s\n", m.first, strings.TrimPrefix(m.problem.Error(), "chunk: "))
	}
}

// event returns the device, the time and the content of an event in a line.
func (p *textPrinter) event(e chunk.Event) string {
	captured := "no time"
	if !e.Captured.IsZero() {
		captured = e.Captured.Format(time.DateTime) + " UTC"
	}
	text := fmt.Sprintf("%s, %s: %s", p.device(e.DeviceSerial, e.SoftwareType, e.SoftwareVersion, e.HardwareVersion), captured, e)
	if n := len(e.Unknown) + len(e.UnknownInfo); n > 0 {
		text += fmt.Sprintf(" (%s, see -json)", count(n, "unknown field"))
	}
	return text
}

func (p *textPrinter) device(serial, software, version, hardware string) string {
	text := deviceName(serial, p.serial) + ", "
	if version == "" {
		text += "no software version"
	} else {
		text += printable(strings.TrimSpace(software + " " + version))
	}
	if hardware == "" {
		return text + ", no hardware version"
	}
	return text + " on " + printable(hardware)
}

// deviceName returns the serial in the data, or that under which the chunks are uploaded.
func deviceName(serial, uploaded string) string {
	switch {
	case serial != "":
		return printable(serial)
	case uploaded != "":
		return printable(uploaded)
	default:
		return "no serial"
	}
}

func (p *textPrinter) logs(e chunk.Event) {
	for _, line := range e.Logs {
		at := ""
		if !line.Time.IsZero() {
			at = line.Time.Format(time.DateTime) + " "
		}
		p.print("    %s%s\n", at, line)
	}
}

func (p *textPrinter) coredump(c *chunk.Coredump) {
	p.print("    %-12s %s\n", "processor", processor(c.Machine))
	if len(c.BuildID) > 0 {
		p.print("    %-12s %x\n", "build ID", c.BuildID)
	}
	if c.Truncated {
		p.print("    %-12s cut off: the storage of the device is too small\n", "memory")
	}
	for i, registers := range c.Registers {
		p.print("    thread %d: %d bytes of registers, in the order of the processor\n", i+1, len(registers))
		p.words(registers, wordSize(c.Machine))
	}
	if len(c.Regions) > 0 {
		p.print("    %-18s %8s  %s\n", "address", "bytes", "begins with")
	}
	for _, region := range c.Regions {
		start := region.Data[:min(8, len(region.Data))]
		p.print("    0x%-16s %8d  %-23s  %s\n", fmt.Sprintf("%08x", region.Address), len(region.Data), fmt.Sprintf("% x", start), ascii(start))
	}
	for _, block := range c.Unknown {
		p.print("    unknown block of type %d: %d bytes\n", block.Type, len(block.Data))
	}
}

// words prints registers, four in a line.
func (p *textPrinter) words(b []byte, size int) {
	for i := 0; len(b) > 0; i++ {
		if i%4 == 0 {
			p.print("      [%2d]", i)
		}
		if len(b) < size {
			p.print("  %x", b)
			b = nil
		} else {
			word := uint64(binary.LittleEndian.Uint32(b))
			if size == 8 {
				word = binary.LittleEndian.Uint64(b)
			}
			p.print("  0x%0*x", 2*size, word)
			b = b[size:]
		}
		if i%4 == 3 || len(b) == 0 {
			p.print("\n")
		}
	}
}

func wordSize(m elf.Machine) int {
	switch m {
	case elf.EM_AARCH64, elf.EM_X86_64:
		return 8
	default:
		return 4
	}
}

func processor(m elf.Machine) string {
	if m == elf.EM_NONE {
		return "unknown"
	}
	return strings.TrimPrefix(m.String(), "EM_")
}

// ascii returns the printable characters of bytes, and a dot for each other byte.
func ascii(b []byte) string {
	text := []byte(strings.Repeat(".", len(b)))
	for i, c := range b {
		if c >= ' ' && c <= '~' {
			text[i] = c
		}
	}
	return string(text)
}

// printable returns a text in a form that a terminal prints in one line.
func printable(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	return strconv.Quote(text)
}
