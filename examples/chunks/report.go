package main

import (
	"bytes"
	"fmt"
	"strings"
)

// advice is what may keep a device from showing up, and what to do about it.
var advice = [countFindings]string{
	cutLine: "A line with a chunk is cut off: the logger or the terminal limits the length of lines. Let the firmware export smaller chunks.",
	damagedLine: "The text of a chunk is damaged. Two programs that write to one console mix their lines, and serial lines lose " +
		"characters without flow control.",
	badLength: "A length does not fit the file: the file is cut off or damaged, and the chunks after this place are missing.",
	asText: "A program on the way treats chunks as text. Chunks are bytes: send, store and log them as bytes, or as base64 and " +
		"decode it before the upload.",
	badOrder: "Chunks are missing, repeated or exchanged. Upload the chunks of a device one after another, in their order. Chunks do not " +
		"name their device: if the file has chunks of several devices, their messages damage each other, so read one device at a time " +
		"(such as grep SERIAL LOG | chunks).",
	wrongCRC:   "A message did not arrive as the device sent it. Memfault drops it, although it accepts the upload.",
	startsLate: "The file begins in the middle of a message: its first chunks are missing.",
	endsEarly:  "The file ends in the middle of a message: its last chunks are missing.",
	badContent: "A message arrived as the device sent it, but its content is not what the firmware SDK writes. Is its storage overwritten?",
	otherSerial: "A message names another device than -serial. Look for that device in Memfault: its data probably appears " +
		"there, whatever the address of the upload says.",
	badSerial:  "A serial has other characters than letters, digits, - and _, or more than 128 of them. Memfault may reject it.",
	noVersion:  "A message has no software version, which Memfault's API requires. The firmware sets it in memfault_platform_get_device_info.",
	noHardware: "A message has no hardware version, which Memfault's API requires. The firmware sets it in memfault_platform_get_device_info.",
	badVersion: "A version has characters that Memfault does not accept, or more than 128.",
	wrongClock: "An event happened before 2015 or in the future: the clock of the device is wrong. Look at that time in Memfault, and let " +
		"the firmware omit the time until its clock is set.",
	repeated: "A message is byte for byte the same as the one before it. If the device did not send it twice, a gateway uploads chunks again " +
		"that Memfault has.",
	truncated:   "A coredump is cut off by the device: its storage is too small for all regions.",
	unknownType: "A message has a type that this program does not know. Is the firmware SDK newer than 1.43?",
	archive:     "An archive of memfaultd (MAR) is not decoded. It is from a device with Linux or Android, not from a microcontroller.",
	otherBuild:  "A message is of another build than the symbol file, so its names are not used. Memfault needs the symbol file of that build.",
	otherNames:  "Metrics do not fit the names in the symbol file: it is of another build.",
	noNames:     "The symbol file has no names of Memfault's firmware SDK. Was it built with debug information (-g)?",
}

// The rates that Memfault documents for a device.
const (
	maxHeartbeats = 100 // in 24 hours
	maxRecordings = 1   // in 24 hours
)

// report returns the lines of the summary. start is the start of the file, and size its size.
func (f *findings) report(start []byte, size int64) []string {
	var reasons []string
	add := func(format string, args ...any) { reasons = append(reasons, "- "+fmt.Sprintf(format, args...)) }
	if f.chunks == 0 && f.damaged == 0 {
		add("%s", noChunk(start, size))
	}
	for kind, found := range f.found {
		if found.count > 0 {
			add("%s (%s)", advice[kind], found)
		}
	}
	if f.savedCoredumps.count > 0 && f.coredumps == 0 {
		add("A reboot says that a coredump was saved, but no coredump is here: the crash will have no issue. (%s)", f.savedCoredumps)
	}
	for _, d := range f.devices {
		if d.heartbeats > maxHeartbeats || d.recordings > maxRecordings {
			add("%s sent %s and %s. In 24 hours, Memfault accepts %d and %d of a device, unless it is in developer mode.",
				deviceName(d.serial, f.serial), count(d.heartbeats, "heartbeat"), count(d.recordings, "recording"), maxHeartbeats, maxRecordings)
		}
	}
	if len(f.keys) > 1 {
		add("The messages contain different project keys: they are of devices of different projects.")
	}
	if f.serial == "" && len(f.devices) == 1 && f.devices[0].serial == "" {
		add("No message names its device: Memfault takes the serial from the address of the upload.")
	}
	if len(reasons) == 0 {
		add("Nothing in these chunks explains it.")
	}
	key := "no message contains one"
	if f.keyed > 0 {
		key = count(f.keyed, "message") + " with one, which is not shown"
	}
	add("Chunks do not show how they are uploaded. The address must end with the serial, and the header Memfault-Project-Key must be "+
		"the key of the project (%s). Memfault answers 202 before it decodes; the project's processing log may say what it dropped.", key)

	lines := []string{"", f.summary()}
	if len(f.devices) > 0 {
		lines = append(lines, "Devices: "+f.deviceList())
	}
	return append(append(lines, "", "Why a device, or some of its data, may not show up:"), reasons...)
}

// summary says how much was read.
func (f *findings) summary() string {
	damaged := "nothing is damaged"
	if f.damaged > 0 {
		damaged = count(f.damaged, "place") + " damaged"
	}
	return fmt.Sprintf("%s in %s (%s), %s", count(f.messages, "message"), count(f.chunks, "chunk"), f.format, damaged)
}

// deviceList returns the devices with the numbers of their messages.
func (f *findings) deviceList() string {
	var list []string
	for _, d := range f.devices[:min(len(f.devices), maxListed)] {
		list = append(list, deviceName(d.serial, f.serial)+" ("+count(d.messages, "message")+")")
	}
	if more := len(f.devices) - len(list); f.others {
		list = append(list, fmt.Sprintf("and more than %d more", more))
	} else if more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, ", ")
}

const maxListed = 10

// noChunk says why a file has no chunk.
func noChunk(start []byte, size int64) string {
	switch {
	case size == 0:
		return "The file is empty."
	case len(start) > 0 && strings.IndexByte("\x00\x08\x40\x48\x80\xc0", start[0]) >= 0 && bytes.ContainsAny(start, "\x00\x01\x02\x03"):
		return fmt.Sprintf("The file has no chunk in a form that is read here, but it begins with 0x%02x, as a chunk does. If it is one "+
			"chunk without its length: xxd -p FILE | tr -d '\\n' | chunks", start[0])
	default:
		return "The file has no chunk: no MC: line of the data export, no line of hexadecimal digits, no base64 text of chunks, and no " +
			"bytes with lengths. Did the firmware call its data export, did the logger drop these lines, or is it another file?"
	}
}

// String returns where something was found.
func (f found) String() string {
	if f.count == 1 {
		return f.first.String()
	}
	return fmt.Sprintf("%d times, first in %s", f.count, f.first)
}

// count returns a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
