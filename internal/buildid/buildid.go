// Package buildid reads the build ID of ELF files, and whether they have debug information.
//
// A build ID is a GNU build ID, which the linker writes into a note, or a Memfault build ID,
// which a step after the build writes behind the symbol g_memfault_build_id. If the file has
// the symbol, it decides which of them the software reports.
//
// The package promises that no file makes it panic, and that an error of the reader is always
// returned: it never looks like a file without a build ID. It reads symbols in blocks of 48 KiB,
// once, and at most 1 MiB of the notes of a section or segment, also if the section is
// compressed. Files of both byte orders and both classes are read, with and without sections.
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

// Reasons why a file has no build ID, besides an unknown form of it.
var (
	ErrNone      = errors.New("the ELF file has no GNU build ID and no Memfault build ID")
	ErrUnwritten = errors.New("the ELF file has no Memfault build ID yet: run the step after the build that writes it, " +
		"scripts/fw_build_id.py of the firmware SDK")
	ErrNoContent = errors.New("the content of g_memfault_build_id is not in the ELF file, as after objcopy --only-keep-debug")
)

// Kind is the kind of a build ID.
type Kind int

// Kinds of build IDs.
const (
	KindNone Kind = iota
	KindGNU
	KindMemfault
)

// Info describes an ELF file.
type Info struct {
	Type         elf.Type
	Kind         Kind   // of the build ID; also KindMemfault if it is not written yet
	BuildID      string // that the software reports, in lowercase hexadecimal; "" if there is none
	Missing      error  // why BuildID is empty
	GNUBuildID   string // "" if the file has none
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
	file, err := open(source)
	if err != nil {
		return info, err
	}
	info.Type = file.Type
	if info.HasDebugInfo, err = hasSection(source, file, ".debug_info", ".zdebug_info"); err != nil {
		return info, err
	}
	if info.GNUBuildID, err = findGNU(file); err != nil {
		return info, err
	}
	err = info.choose(file)
	return info, err
}

// choose sets the build ID that the software reports.
func (i *Info) choose(file *elf.File) error {
	id, err := findMemfault(file)
	switch {
	case err == nil:
		i.Kind, i.BuildID = KindMemfault, id
	case errors.Is(err, ErrUnwritten):
		i.Kind, i.Missing = KindMemfault, err
	case errors.Is(err, errUnknown), errors.Is(err, ErrNoContent):
		i.Missing = err // a GNU build ID would be the wrong one
	case !errors.Is(err, ErrNone):
		return err
	case i.GNUBuildID != "":
		i.Kind, i.BuildID = KindGNU, i.GNUBuildID
	default:
		i.Missing = err
	}
	return nil
}

// findGNU returns "" if there is no GNU build ID.
func findGNU(file *elf.File) (id string, err error) {
	// Sections first: in a file that contains only the symbols, the sections are right,
	// while the segments describe content that the file lacks.
	for _, section := range file.Sections {
		if section.Type != elf.SHT_NOTE || section.FileSize > maxNotes {
			continue
		}
		id, problem := findNote(section.Open(), section.Size, file.ByteOrder, section.Addralign)
		if id != "" {
			return id, nil
		}
		if err == nil {
			err = problem
		}
	}
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_NOTE || segment.Filesz > maxNotes {
			continue
		}
		if id, _ = findNote(segment.Open(), segment.Filesz, file.ByteOrder, segment.Align); id != "" {
			return id, nil
		}
	}
	return "", err
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
