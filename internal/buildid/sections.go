package buildid

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
)

// maxNames is the largest table of section names that is read.
const maxNames = 64 << 20

var errNames = errors.New("invalid names of sections")

// nameless is a file whose header seems to have no table of section names. Package debug/elf
// would copy the name of each section, and in a crafted file, many sections have a part of the
// same long name.
type nameless struct {
	r  io.ReaderAt
	at int64 // of the number of the table in the header
}

func (n nameless) ReadAt(p []byte, offset int64) (int, error) {
	read, err := n.r.ReadAt(p, offset)
	for i := range int64(2) {
		if at := n.at + i - offset; at >= 0 && at < int64(read) {
			p[at] = 0
		}
	}
	return read, err
}

// open opens an ELF file, and leaves the names of its sections empty.
func open(r io.ReaderAt) (*elf.File, error) {
	var ident [elf.EI_NIDENT]byte
	_, _ = r.ReadAt(ident[:], 0) // NewFile reads them again, and returns the error
	if elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS64 {
		return elf.NewFile(nameless{r, 0x3E})
	}
	return elf.NewFile(nameless{r, 0x32})
}

// hasSection reports whether a section has one of the names and content.
func hasSection(r io.ReaderAt, file *elf.File, names ...string) (bool, error) {
	header := make([]byte, 52)
	if file.Class == elf.ELFCLASS64 {
		header = make([]byte, 64)
	}
	if _, err := r.ReadAt(header, 0); err != nil {
		return false, err
	}
	at, tail := uint64(file.ByteOrder.Uint32(header[0x20:])), header[0x2E:]
	if file.Class == elf.ELFCLASS64 {
		at, tail = file.ByteOrder.Uint64(header[0x28:]), header[0x3A:]
	}
	size, index := int(file.ByteOrder.Uint16(tail)), uint32(file.ByteOrder.Uint16(tail[4:]))
	switch {
	case len(file.Sections) == 0 || index == 0:
		return false, nil
	case index == uint32(elf.SHN_XINDEX) && len(file.Sections) >= int(elf.SHN_LORESERVE):
		index = file.Sections[0].Link
	}
	if int64(index) >= int64(len(file.Sections)) {
		return false, errNames
	}
	table := file.Sections[index]
	if table.Type != elf.SHT_STRTAB || table.Size > maxNames {
		return false, errNames
	}
	text, err := table.Data()
	if err != nil {
		return false, err
	}
	headers := make([]byte, size*len(file.Sections))        // not larger than the file
	if _, err := r.ReadAt(headers, int64(at)); err != nil { //nolint:gosec // debug/elf has read there
		return false, err
	}
	found := false
	for i, section := range file.Sections {
		name := int64(file.ByteOrder.Uint32(headers[i*size:]))
		if name > int64(bytes.LastIndexByte(text, 0)) {
			return false, errNames
		}
		for _, known := range names {
			if bytes.HasPrefix(text[name:], append([]byte(known), 0)) && section.Type != elf.SHT_NOBITS && section.FileSize > 0 {
				found = true
			}
		}
	}
	return found, nil
}
