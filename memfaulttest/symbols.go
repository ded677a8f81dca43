package memfaulttest

import (
	"debug/elf"
	"encoding/binary"

	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
)

// SymbolFile returns an ELF file with debug information and the given GNU build ID, for tests of
// [memfault.UploadsService.Symbols] and [memfault.UploadsService.SymbolsDir]. If buildID is
// empty, the file has no build ID. The debug information has no content.
func SymbolFile(buildID []byte) []byte {
	file := elffile.File{Sections: []elffile.Section{{Name: ".debug_info", Type: elf.SHT_PROGBITS, Content: []byte{0}}}}
	if len(buildID) > 0 {
		file.Sections = append(file.Sections, elffile.BuildID(binary.LittleEndian, buildID))
	}
	return file.Bytes()
}
