package memfault

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
)

// GNUBuildID returns the GNU build id of an ELF file, in lower-case hexadecimal. A
// file that carries none is an error; linkers write one when they are told to, as
// with -Wl,--build-id.
func GNUBuildID(r io.ReaderAt) (string, error) {
	if r == nil {
		return "", invalid("GNUBuildID: the reader is nil")
	}
	id, err := readBuildID(r)
	if err == nil && id == "" {
		err = errors.New("the ELF file carries no GNU build id")
	}
	if err != nil {
		return "", invalid("GNUBuildID: %w", err)
	}
	return id, nil
}

var errNotELF = errors.New("it is not an ELF file")

// readBuildID returns an empty id when an ELF file carries none.
func readBuildID(r io.ReaderAt) (string, error) {
	var magic [len(elf.ELFMAG)]byte
	if n, err := r.ReadAt(magic[:], 0); n < len(magic) && err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if string(magic[:]) != elf.ELFMAG {
		return "", errNotELF
	}
	file, err := elf.NewFile(r)
	if err != nil {
		return "", err
	}
	// Sections first: those of a file that holds only the symbols are right, where
	// its segments tell of content that it lacks.
	for _, section := range file.Sections {
		if section.Type == elf.SHT_NOTE && section.FileSize <= maxNotes {
			if id := buildIDNote(section.Open(), file.ByteOrder, section.Addralign); id != "" {
				return id, nil
			}
		}
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_NOTE && segment.Filesz <= maxNotes {
			if id := buildIDNote(segment.Open(), file.ByteOrder, segment.Align); id != "" {
				return id, nil
			}
		}
	}
	return "", nil
}

const (
	maxNotes       = 1 << 20 // bytes; a build id takes some thirty
	noteHeader     = 12
	noteGNUBuildID = 3
)

// buildIDNote looks for the build id among notes: each has the sizes of its name and
// its content, its type, and then both, padded to the alignment. What breaks off is
// taken for the end.
func buildIDNote(r io.Reader, order binary.ByteOrder, align uint64) string {
	notes, err := io.ReadAll(io.LimitReader(r, maxNotes)) // what is compressed may be far larger than it looks
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
