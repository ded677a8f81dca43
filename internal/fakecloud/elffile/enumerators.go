package elffile

import (
	"debug/elf"
	"encoding/binary"
)

// Enumerator is an enumerator of a C program.
type Enumerator struct {
	Name  string
	Value byte // below 64
}

// Enumerators returns the sections of debug information, in little-endian order and version 4 of
// DWARF, that contain one enumeration.
func Enumerators(all ...Enumerator) []Section {
	const unit, enumeration, enumerator = 1, 2, 3 // codes of abbreviations
	abbreviations := []byte{
		unit, 0x11, 1, 0, 0,
		enumeration, 0x04, 1, 0, 0,
		enumerator, 0x28, 0, 0x03, 0x08, 0x1c, 0x0d, 0, 0, // the name as a string, the value as a signed LEB128
		0,
	}
	info := []byte{4, 0, 0, 0, 0, 0, 4, unit, enumeration} // the version, the abbreviations, the size of an address
	for _, e := range all {
		info = append(append(append(info, enumerator), e.Name...), 0, e.Value)
	}
	info = append(info, 0, 0)
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(info))) //nolint:gosec // tests use few enumerators
	return []Section{
		{Name: ".debug_abbrev", Type: elf.SHT_PROGBITS, Align: 1, Content: abbreviations},
		{Name: ".debug_info", Type: elf.SHT_PROGBITS, Align: 1, Content: append(length, info...)},
	}
}
