package main

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/internal/chunkexport"
)

// finding is a kind of reason why a device, or some of its data, does not show up.
type finding int

// The findings, in the order of the report.
const (
	cutLine finding = iota
	damagedLine
	badLength
	asText
	badOrder
	wrongCRC
	startsLate
	endsEarly
	badContent
	otherSerial
	badSerial
	noVersion
	noHardware
	badVersion
	wrongClock
	repeated
	truncated
	unknownType
	archive
	otherBuild
	otherNames
	noNames
	countFindings
)

// found is how often something was found, and where first.
type found struct {
	count int
	first place
}

// device is what was read of a device.
type device struct {
	serial                           string // "" if the messages do not name it
	messages, heartbeats, recordings int
}

// maxDevices limits the memory of a file that names many devices.
const maxDevices = 1000

// findings counts what was read, and finds reasons why a device does not show up.
type findings struct {
	serial string // under which the chunks are uploaded, or ""
	format chunkexport.Format
	now    time.Time

	chunks, messages, damaged int
	coredumps                 int
	savedCoredumps            found // that a reboot announces
	found                     [countFindings]found
	devices                   []*device // by the first message
	others                    bool      // there are devices beyond maxDevices
	keys                      []string  // different project keys, at most 2
	keyed                     int       // messages with a project key
	atEnd                     bool      // the last message is unfinished
	last                      *chunk.Message
}

func newFindings(serial string, format chunkexport.Format, now time.Time) *findings {
	return &findings{serial: serial, format: format, now: now}
}

func (f *findings) add(kind finding, at place) { f.found[kind].add(at) }

func (f *found) add(at place) {
	if f.count++; f.count == 1 {
		f.first = at
	}
}

func (f *findings) damage(d damage) {
	f.damaged++
	switch {
	case d.line == nil:
	case f.format == chunkexport.FormatBytes:
		f.add(badLength, d.at)
		return
	case errors.Is(d.line, chunkexport.ErrCutLine):
		f.add(cutLine, d.at)
		return
	case errors.Is(d.line, chunkexport.ErrCutLog):
		f.add(endsEarly, d.at)
		return
	default:
		f.add(damagedLine, d.at)
		return
	}
	if d.lost.Hint != "" && d.lost.Kind != chunk.DamageContent {
		f.add(asText, d.at)
	}
	switch d.lost.Kind {
	case chunk.DamageUnfinished:
		if f.atEnd {
			f.add(endsEarly, d.at)
		} else {
			f.add(badOrder, d.at)
		}
	case chunk.DamageNoStart:
		if f.messages == 0 && d.lost.Chunk == 1 {
			f.add(startsLate, d.at)
		} else {
			f.add(badOrder, d.at)
		}
	case chunk.DamageGap, chunk.DamageOverlap:
		f.add(badOrder, d.at)
	case chunk.DamageCRC, chunk.DamageCut, chunk.DamageLength, chunk.DamageHeader:
		if d.lost.Hint == "" {
			f.add(wrongCRC, d.at)
		}
	case chunk.DamageContent:
		f.add(badContent, d.at)
	}
}

func (f *findings) message(m message) {
	f.messages++
	at := m.first
	if m.problem != nil {
		f.damaged++
		f.add(badContent, at)
	}
	if m.ProjectKey != "" {
		if f.keyed++; len(f.keys) < 2 && !slices.Contains(f.keys, m.ProjectKey) {
			f.keys = append(f.keys, m.ProjectKey)
		}
	}
	if f.last != nil && f.last.Type == m.Type && bytes.Equal(f.last.Payload, m.Payload) {
		f.add(repeated, at)
	}
	f.last = m.Message
	switch {
	case m.Type == chunk.MessageMAR:
		f.add(archive, at)
	case m.coredump != nil:
		f.coredumps++
		if m.coredump.Truncated {
			f.add(truncated, at)
		}
		f.device(m.coredump.DeviceSerial, at).messages++
		f.traits(m.coredump.SoftwareVersion, m.coredump.HardwareVersion, at)
	case m.Type < chunk.MessageCoredump || m.Type > chunk.MessageMAR:
		f.add(unknownType, at)
	}
	for i, event := range m.events {
		f.event(event, i == 0, at)
	}
}

func (f *findings) event(event chunk.Event, first bool, at place) {
	d := f.device(event.DeviceSerial, at)
	if first {
		d.messages++
	}
	f.traits(event.SoftwareVersion, event.HardwareVersion, at)
	switch {
	case event.Heartbeat != nil:
		d.heartbeats++
	case event.Recording != nil:
		d.recordings++
	case event.Trace != nil && event.Trace.CoredumpSaved:
		f.savedCoredumps.add(at)
	}
	if t := event.Captured; !t.IsZero() && (t.Year() < firstYear || t.After(f.now.Add(24*time.Hour))) {
		f.add(wrongClock, at)
	}
}

// firstYear is after the years with which clocks start that were never set: 1970, 1980, 2000.
const firstYear = 2015

// device returns the device of a serial in the data.
func (f *findings) device(serial string, at place) *device {
	if serial != "" && !validSerial.MatchString(serial) {
		f.add(badSerial, at)
		serial = serial[:min(len(serial), maxName)]
	}
	if serial != "" && f.serial != "" && serial != f.serial {
		f.add(otherSerial, at)
	}
	for _, d := range f.devices {
		if d.serial == serial {
			return d
		}
	}
	d := &device{serial: serial}
	if len(f.devices) < maxDevices {
		f.devices = append(f.devices, d)
	} else {
		f.others = true
	}
	return d
}

// The names that Memfault accepts, as far as its documentation is known.
var (
	validSerial  = regexp.MustCompile(`^[-a-zA-Z0-9_]{1,128}$`)
	validVersion = regexp.MustCompile(`^[-a-zA-Z0-9_.+:\\()\[\]/ ]{1,128}$`)
)

const maxName = 128

func (f *findings) traits(software, hardware string, at place) {
	switch {
	case software == "":
		f.add(noVersion, at)
	case !validVersion.MatchString(software):
		f.add(badVersion, at)
	}
	switch {
	case hardware == "":
		f.add(noHardware, at)
	case !validVersion.MatchString(hardware):
		f.add(badVersion, at)
	}
}
