package chunk

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The limits of the section headers of an ELF file.
const (
	maxSections     = 4096
	maxSectionNames = 64 << 10
)

// openELF opens a linked ELF file. It returns the first error of the reader as it is.
func openELF(source *readerAt) (*elf.File, error) {
	err := checkSections(source)
	var f *elf.File
	if err == nil {
		f, err = elf.NewFile(source)
	}
	switch {
	case source.err != nil:
		return nil, source.err
	case err != nil:
		return nil, fmt.Errorf("invalid ELF file: %w", err)
	case f.Type == elf.ET_REL:
		return nil, errors.New("the ELF file is not linked")
	}
	return f, nil
}

// checkSections limits the memory that package debug/elf needs: it copies the name of each section,
// and many sections can have a part of the same long name. Other problems are left to that
// package.
func checkSections(r io.ReaderAt) error {
	var header [64]byte
	if n, _ := r.ReadAt(header[:], 0); n < len(header) { // the caller looks for errors of the reader
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(header[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	at, counts := uint64(order.Uint32(header[0x20:])), header[0x2E:]
	wide := elf.Class(header[elf.EI_CLASS]) == elf.ELFCLASS64
	if wide {
		at, counts = order.Uint64(header[0x28:]), header[0x3A:]
	}
	size, sections, names := order.Uint16(counts), order.Uint16(counts[2:]), order.Uint16(counts[4:])
	if sections > maxSections || sections == 0 && at != 0 { // 0: the first section contains the number
		return errors.New("too many sections")
	}
	var section [64]byte
	offset := int64(at) + int64(names)*int64(size)            //nolint:gosec // negative offsets are not read
	if n, _ := r.ReadAt(section[:], max(offset, 0)); n < 40 { // as above
		return nil
	}
	flags, length := uint64(order.Uint32(section[0x08:])), uint64(order.Uint32(section[0x14:]))
	if wide {
		flags, length = order.Uint64(section[0x08:]), order.Uint64(section[0x20:])
	}
	if sections > 0 && (length > maxSectionNames || elf.SectionFlag(flags)&elf.SHF_COMPRESSED != 0) { //nolint:gosec // flags
		return errors.New("the names of the sections are too large")
	}
	return nil
}

// readerAt keeps the first error of its reader, except EOF.
type readerAt struct {
	r   io.ReaderAt
	err error
}

func (r *readerAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r.r.ReadAt(p, offset)
	if n < len(p) && err != nil && !errors.Is(err, io.EOF) && r.err == nil {
		r.err = err
	}
	return n, err
}
