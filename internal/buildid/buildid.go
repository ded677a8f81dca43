// Package buildid reads the GNU build ID of ELF files, and whether they have debug
// information.
//
// It promises that no file makes it panic, that it reads at most 1 MiB of the notes of a
// section or segment, also if the section is compressed, and that an error of the reader is
// always returned: it never looks like a file without a build ID. Files of both byte orders
// and both classes are read, with and without sections.
package buildid

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// ErrNotELF is returned if a file is not an ELF file.
var ErrNotELF = errors.New("not an ELF file")

// Info describes an ELF file.
type Info struct {
	BuildID      string // in lowercase hexadecimal; "" if the file has none
	HasDebugInfo bool   // the file has a section .debug_info or .zdebug_info with content
}

// Inspect reads an ELF file. It returns [ErrNotELF] for a file of another kind, and another
// error if the reader fails or the file is corrupt.
func Inspect(r io.ReaderAt) (Info, error) {
	source := &source{r: r}
	info, err := inspect(source)
	switch {
	case source.err != nil:
		return Info{}, fmt.Errorf("reading the ELF file: %w", source.err)
	case errors.Is(err, ErrNotELF):
		return Info{}, err
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Info{}, fmt.Errorf("corrupt ELF file: %w", err)
	}
	return info, nil
}

// source keeps the first error of its reader, except EOF.
type source struct {
	r   io.ReaderAt
	err error
}

func (s *source) ReadAt(p []byte, offset int64) (int, error) {
	n, err := s.r.ReadAt(p, offset)
	if n < len(p) && err != nil && !errors.Is(err, io.EOF) && s.err == nil {
		s.err = err
	}
	return n, err
}

func inspect(source *source) (info Info, err error) {
	var magic [len(elf.ELFMAG)]byte
	if _, _ = source.ReadAt(magic[:], 0); string(magic[:]) != elf.ELFMAG { // source keeps the error
		return info, ErrNotELF
	}
	file, err := elf.NewFile(source)
	if err != nil {
		return info, err
	}
	for _, section := range file.Sections {
		if (section.Name == ".debug_info" || section.Name == ".zdebug_info") && section.Type != elf.SHT_NOBITS && section.FileSize > 0 {
			info.HasDebugInfo = true
		}
	}
	// Sections first: in a file that contains only the symbols, the sections are right,
	// while the segments describe content that the file lacks.
	for _, section := range file.Sections {
		if section.Type != elf.SHT_NOTE || section.FileSize > maxNotes {
			continue
		}
		id, problem := findNote(section.Open(), section.Size, file.ByteOrder, section.Addralign)
		if info.BuildID = id; id != "" {
			return info, nil
		}
		if err == nil {
			err = problem
		}
	}
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_NOTE || segment.Filesz > maxNotes {
			continue
		}
		id, _ := findNote(segment.Open(), segment.Filesz, file.ByteOrder, segment.Align)
		if info.BuildID = id; id != "" {
			return info, nil
		}
	}
	return info, err
}

const (
	maxNotes       = 1 << 20 // bytes; the note of a build ID has about thirty
	noteHeader     = 12
	noteGNUBuildID = 3
)

// findNote looks for the build ID among notes. Each note has the sizes of its name and its
// content, its type, and then both, padded to the alignment. A note that exceeds the notes
// ends them. findNote returns an error if it does not find the build ID and cannot read all
// notes. total is their size.
func findNote(r io.Reader, total uint64, order binary.ByteOrder, align uint64) (string, error) {
	notes, err := io.ReadAll(io.LimitReader(r, maxNotes)) // a compressed section can be far larger than in the file
	if err == nil && uint64(len(notes)) < min(total, maxNotes) {
		err = io.ErrUnexpectedEOF
	}
	if align != 8 {
		align = 4
	}
	for len(notes) >= noteHeader {
		nameSize, size := uint64(order.Uint32(notes)), uint64(order.Uint32(notes[4:]))
		kind := order.Uint32(notes[8:])
		start := padded(noteHeader+nameSize, align)
		if start+size > uint64(len(notes)) {
			break
		}
		if kind == noteGNUBuildID && size > 0 && string(notes[noteHeader:noteHeader+nameSize]) == "GNU\x00" {
			return hex.EncodeToString(notes[start : start+size]), nil
		}
		notes = notes[min(padded(start+size, align), uint64(len(notes))):]
	}
	return "", err
}

func padded(n, align uint64) uint64 { return (n + align - 1) / align * align }
