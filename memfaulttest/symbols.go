package memfaulttest

import (
	"debug/elf"
	"encoding/binary"

	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
)

// SymbolFile returns an ELF file with debug information and the given GNU build ID, for tests of
// [memfault.UploadsService.Symbols] and [memfault.UploadsService.SymbolsDir]. If buildID is
// empty, the file has no build ID. The debug information has no content. [SymbolFileWith]
// returns other kinds of files.
func SymbolFile(buildID []byte) []byte {
	return SymbolFileWith(SymbolFileOptions{GNUBuildID: buildID})
}

// SymbolFileOptions describes an ELF file for tests. The zero value describes a 64-bit
// little-endian file with debug information and without a build ID.
type SymbolFileOptions struct {
	GNUBuildID      []byte // none if empty
	MemfaultBuildID []byte // none if empty; 20 bytes, behind the firmware SDK's symbols
	// Unwritten describes the file before the step after the build that writes the Memfault
	// build ID.
	Unwritten        bool
	WithoutDebugInfo bool
	BigEndian        bool
	Is32Bit          bool
}

// unwrittenID is what the firmware SDK reserves for the Memfault build ID.
var unwrittenID = make([]byte, 20)

// SymbolFileWith returns an ELF file. See [SymbolFile].
func SymbolFileWith(options SymbolFileOptions) []byte {
	file := elffile.File{Order: binary.LittleEndian, Class: elf.ELFCLASS64}
	if options.BigEndian {
		file.Order = binary.BigEndian
	}
	if options.Is32Bit {
		file.Class = elf.ELFCLASS32
	}
	if !options.WithoutDebugInfo {
		file.Sections = append(file.Sections, elffile.DebugInfo(1))
	}
	if len(options.GNUBuildID) > 0 {
		file.Sections = append(file.Sections, elffile.BuildID(file.Order, options.GNUBuildID))
	}
	switch {
	case options.Unwritten:
		file.AddMemfaultBuildID(elffile.Unwritten, unwrittenID)
	case len(options.MemfaultBuildID) > 0:
		file.AddMemfaultBuildID(elffile.Memfault, options.MemfaultBuildID)
	}
	return file.Bytes()
}
