// Package buildid reads the GNU build ID of ELF files.
//
// It promises that no file makes it panic, and that it reads at most 1 MiB of the notes of
// a section or segment, also if the section is compressed. Files of both byte orders and
// both classes are read, with and without sections.
package buildid

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
)

// ErrNotELF is returned if a file is not an ELF file.
var ErrNotELF = errors.New("it is not an ELF file")

// Read returns the GNU build ID of an ELF file in lowercase hexadecimal. If the file has
// none, Read returns "".
func Read(r io.ReaderAt) (string, error) {
	var magic [len(elf.ELFMAG)]byte
	if n, err := r.ReadAt(magic[:], 0); n < len(magic) && err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if string(magic[:]) != elf.ELFMAG {
		return "", ErrNotELF
	}
	file, err := elf.NewFile(r)
	if err != nil {
		return "", err
	}
	// Sections first: in a file that contains only the symbols, the sections are right,
	// while the segments describe content that the file lacks.
	for _, section := range file.Sections {
		if section.Type == elf.SHT_NOTE && section.FileSize <= maxNotes {
			if id := findNote(section.Open(), file.ByteOrder, section.Addralign); id != "" {
				return id, nil
			}
		}
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_NOTE && segment.Filesz <= maxNotes {
			if id := findNote(segment.Open(), file.ByteOrder, segment.Align); id != "" {
				return id, nil
			}
		}
	}
	return "", nil
}

const (
	maxNotes       = 1 << 20 // bytes; the note of a build ID has about thirty
	noteHeader     = 12
	noteGNUBuildID = 3
)

// findNote looks for the build ID among notes. Each note has the sizes of its name and its
// content, its type, and then both, padded to the alignment. A note that is cut off ends
// the notes.
func findNote(r io.Reader, order binary.ByteOrder, align uint64) string {
	notes, err := io.ReadAll(io.LimitReader(r, maxNotes)) // a compressed section can be far larger than its size in the file
	if err != nil {
		return ""
	}
	if align != 8 {
		align = 4
	}
	for len(notes) >= noteHeader {
		nameSize, size := uint64(order.Uint32(notes)), uint64(order.Uint32(notes[4:]))
		kind := order.Uint32(notes[8:])
		start := padded(noteHeader+nameSize, align)
		if start+size > uint64(len(notes)) {
			return ""
		}
		if kind == noteGNUBuildID && size > 0 && string(notes[noteHeader:noteHeader+nameSize]) == "GNU\x00" {
			return hex.EncodeToString(notes[start : start+size])
		}
		notes = notes[min(padded(start+size, align), uint64(len(notes))):]
	}
	return ""
}

func padded(n, align uint64) uint64 { return (n + align - 1) / align * align }
