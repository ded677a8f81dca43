package chunk

import (
	"debug/elf"
	"encoding/binary"
	"math"
)

// Coredump is the state of a device at a crash. Its texts and data refer to the payload of the
// message, which must not be changed.
type Coredump struct {
	// DeviceSerial is "" by default; see [Event.DeviceSerial].
	DeviceSerial string

	SoftwareType, SoftwareVersion, HardwareVersion string

	// BuildID is the build ID of the firmware (20 bytes), or nil.
	BuildID []byte

	// Reason is the number of the reason of the crash; see [ReasonName].
	Reason int

	// Machine is the kind of the processor, with the numbers of ELF files, or 0.
	Machine elf.Machine

	// Registers contains the registers of each thread that the coredump has, as they are in
	// memory. Their order depends on the processor.
	Registers [][]byte

	// Regions are the parts of the memory that the firmware saved.
	Regions []Region

	// Truncated reports that the storage of the device was too small for everything.
	Truncated bool

	// Unknown contains the blocks that the package does not know, or whose data has an
	// unexpected form.
	Unknown []Block
}

// Region is a part of the memory of a device.
type Region struct {
	Address uint64
	Data    []byte
}

// Block is a part of a coredump.
type Block struct {
	Type    int
	Address uint64
	Data    []byte
}

// The types of blocks.
const (
	blockRegisters       = 0
	blockMemory          = 1
	blockDeviceSerial    = 2
	blockHardwareVersion = 4
	blockReason          = 5
	blockPadding         = 6
	blockMachine         = 7
	blockSoftwareVersion = 10
	blockSoftwareType    = 11
	blockBuildID         = 12
)

const (
	coredumpMagic      = "CORE"
	coredumpVersion    = 2
	coredumpHeader     = 12 // the magic, the version, and the size with header and footer
	coredumpFooter     = "DUMP"
	coredumpFooterSize = 16 // the magic, flags, and 8 reserved bytes
	flagTruncated      = 1
	blockHeader        = 12 // the type, 3 reserved bytes, the address, and the length
)

// Coredump returns the coredump of a message of the type [MessageCoredump].
//
// If the message has another type or its payload does not begin as a coredump, Coredump returns
// nil and a [*FormatError]. If a later part is invalid, it returns the blocks before it and a
// FormatError.
func (m *Message) Coredump() (*Coredump, error) {
	b := m.Payload
	problem := func(at int, text string) error {
		return &FormatError{Content: m.Type.String(), Offset: at, Problem: text}
	}
	switch {
	case m.Type != MessageCoredump:
		return nil, problem(0, "a message of this type is not a coredump")
	case len(b) < coredumpHeader || string(b[:4]) != coredumpMagic:
		return nil, problem(0, "not a coredump")
	case binary.LittleEndian.Uint32(b[4:]) != coredumpVersion:
		return nil, problem(4, "unknown version of the coredump")
	}
	c := &Coredump{}
	size := uint64(binary.LittleEndian.Uint32(b[8:]))
	end := int(min(size, uint64(len(b)))) //nolint:gosec // at most len(b)
	var err error
	switch {
	case size < coredumpHeader+coredumpFooterSize:
		return c, problem(8, "the size of the coredump is too small")
	case size > uint64(len(b)):
		err = problem(8, "the coredump is shorter than its size")
	case string(b[end-coredumpFooterSize:][:4]) != coredumpFooter:
		err = problem(end-coredumpFooterSize, "the coredump has no footer")
	default:
		end -= coredumpFooterSize
		c.Truncated = binary.LittleEndian.Uint32(b[end+4:])&flagTruncated != 0
		if size < uint64(len(b)) {
			err = problem(int(size), "bytes after the coredump") //nolint:gosec // below len(b)
		}
	}
	var known fieldSet
	for at := coredumpHeader; at < end; {
		if end-at < blockHeader {
			if err == nil && !c.Truncated {
				err = problem(at, "a block is cut off")
			}
			break
		}
		block := Block{Type: int(b[at]), Address: uint64(binary.LittleEndian.Uint32(b[at+4:]))}
		length := uint64(binary.LittleEndian.Uint32(b[at+8:]))
		at += blockHeader
		if room := uint64(end - at); length > room { //nolint:gosec // not negative
			if !c.Truncated {
				if err == nil {
					err = problem(at-blockHeader, "a block is longer than the coredump")
				}
				break
			}
			length = room
		}
		block.Data = b[at : at+int(length) : at+int(length)] //nolint:gosec // at most len(b)
		at += len(block.Data)
		if !c.set(block, &known) {
			c.Unknown = append(c.Unknown, block)
		}
	}
	return c, err
}

// set sets what a block contains. It reports whether the package knows the block and its data
// has the expected form.
func (c *Coredump) set(block Block, known *fieldSet) bool {
	switch block.Type {
	case blockRegisters:
		c.Registers = append(c.Registers, block.Data)
		return true
	case blockMemory:
		c.Regions = append(c.Regions, Region{block.Address, block.Data})
		return true
	case blockPadding:
		return true
	}
	if _, first := known.add(int64(block.Type)); !first {
		return false
	}
	switch block.Type {
	case blockDeviceSerial:
		c.DeviceSerial = string(block.Data)
	case blockHardwareVersion:
		c.HardwareVersion = string(block.Data)
	case blockSoftwareVersion:
		c.SoftwareVersion = string(block.Data)
	case blockSoftwareType:
		c.SoftwareType = string(block.Data)
	case blockBuildID:
		c.BuildID = block.Data
	case blockReason, blockMachine:
		if len(block.Data) != 4 {
			return false
		}
		n := binary.LittleEndian.Uint32(block.Data)
		switch {
		case block.Type == blockReason && n <= math.MaxInt32:
			c.Reason = int(n)
		case block.Type == blockMachine && n <= math.MaxUint16:
			c.Machine = elf.Machine(n)
		default:
			return false
		}
	default:
		return false
	}
	return true
}
