package main

import (
	"encoding/binary"
	"time"
)

// device simulates the firmware of a device: it encodes what Memfault's firmware SDK sends. A
// real device needs none of this.
type device struct {
	softwareType, softwareVersion, hardwareVersion string
}

// Numbers of the format.
const (
	messageCoredump = 1
	messageEvent    = 2

	powerOnReset = 0x0007
	hardFault    = 0x9400
)

// reboot returns the message about a reboot.
func (d device) reboot(at time.Time, reason, pc uint64, coredumpSaved bool) []byte {
	saved := uint64(0)
	if coredumpSaved {
		saved = 1
	}
	event := cborMap(7)
	event = cborPair(event, 2, cborNumber(2)) // a trace
	event = cborPair(event, 3, cborNumber(1)) // the version of the form
	event = cborPair(event, 6, cborText(d.hardwareVersion))
	event = cborPair(event, 9, cborText(d.softwareVersion))
	event = cborPair(event, 10, cborText(d.softwareType))
	info := cborPair(cborPair(cborPair(cborMap(3), 1, cborNumber(reason)), 2, cborNumber(pc)), 5, cborNumber(saved))
	event = cborPair(event, 4, info)
	event = cborPair(event, 1, cborNumber(uint64(at.Unix()))) //nolint:gosec // after 1970
	return append([]byte{messageEvent}, event...)
}

// coredump returns the message with the state of the device at a crash.
func (d device) coredump(reason uint32, stack []byte) []byte {
	var blocks []byte
	block := func(kind byte, address uint32, data []byte) {
		blocks = append(blocks, kind, 0, 0, 0)
		blocks = binary.LittleEndian.AppendUint32(blocks, address)
		blocks = binary.LittleEndian.AppendUint32(blocks, uint32(len(data))) //nolint:gosec // a small coredump
		blocks = append(blocks, data...)
	}
	block(11, 0, []byte(d.softwareType))
	block(10, 0, []byte(d.softwareVersion))
	block(4, 0, []byte(d.hardwareVersion))
	block(5, 0, binary.LittleEndian.AppendUint32(nil, reason))
	block(1, 0x20000000, stack)

	const header, footer = 12, 16
	dump := binary.LittleEndian.AppendUint32([]byte("CORE"), 2)
	dump = binary.LittleEndian.AppendUint32(dump, uint32(header+len(blocks)+footer)) //nolint:gosec // as above
	dump = append(append(dump, blocks...), "DUMP"...)
	return append(append([]byte{messageCoredump}, dump...), make([]byte, footer-4)...)
}

// chunks splits a message into chunks of at most 64 bytes, as a radio link requires it.
func chunks(message []byte) [][]byte {
	const size = 64
	data := binary.LittleEndian.AppendUint16(message[:len(message):len(message)], crc16(message))
	if len(data) < size {
		return [][]byte{append([]byte{0x08}, data...)}
	}
	header := binary.AppendUvarint([]byte{0x48}, uint64(len(message)))
	var all [][]byte
	for sent := 0; sent < len(data); {
		n := min(size-len(header), len(data)-sent)
		if sent > 0 && sent+n == len(data) {
			header[0] = 0x80 // the last chunk
		}
		all = append(all, append(header, data[sent:sent+n]...))
		sent += n
		header = binary.AppendUvarint([]byte{0xC0}, uint64(sent)) //nolint:gosec // positive
	}
	return all
}

// crc16 returns the checksum of a message.
func crc16(b []byte) uint16 {
	crc := uint16(0)
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			carry := crc & 0x8000
			if crc <<= 1; carry != 0 {
				crc ^= 0x1021
			}
		}
	}
	return crc
}

// An event is a map in CBOR, with numbers as keys.
func cborMap(pairs byte) []byte { return []byte{0xA0 | pairs} }

func cborPair(m []byte, key uint64, value []byte) []byte {
	return append(append(m, cborNumber(key)...), value...)
}

func cborText(text string) []byte { return append([]byte{0x78, byte(len(text))}, text...) } //nolint:gosec // up to 255 bytes

func cborNumber(n uint64) []byte {
	if n < 24 {
		return []byte{byte(n)}
	}
	return binary.BigEndian.AppendUint32([]byte{0x1A}, uint32(n)) //nolint:gosec // the numbers here have 32 bits
}
