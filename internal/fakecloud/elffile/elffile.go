// Package elffile builds small ELF files for tests.
package elffile

import (
	"debug/elf"
	"encoding/binary"
)

// File describes a 64-bit ELF file. Its segments and sections are stored in order, after
// the headers.
type File struct {
	Order    binary.AppendByteOrder // little-endian if nil
	Segments []Segment
	Sections []Section // without the section of the names, which Bytes adds
}

// Segment is a segment of notes.
type Segment struct {
	Align   uint64
	Content []byte
}

// Section is a section. One of type SHT_NOBITS has a size, and no content in the file.
type Section struct {
	Name    string
	Type    elf.SectionType
	Flags   elf.SectionFlag
	Align   uint64
	Content []byte
	Size    uint64 // in the section header; the length of Content if 0
}

// Note returns a note, padded to the alignment.
func Note(order binary.AppendByteOrder, kind uint32, name string, content []byte, align int) []byte {
	b := order.AppendUint32(nil, uint32(len(name)+1)) //nolint:gosec // tests use short names and contents
	b = order.AppendUint32(b, uint32(len(content)))   //nolint:gosec // as above
	b = order.AppendUint32(b, kind)
	b = pad(append(append(b, name...), 0), align)
	return pad(append(b, content...), align)
}

// BuildID returns a section that contains a GNU build ID.
func BuildID(order binary.AppendByteOrder, id []byte) Section {
	return Section{Name: ".note.gnu.build-id", Type: elf.SHT_NOTE, Align: 4, Content: Note(order, 3, "GNU", id, 4)}
}

func pad(b []byte, align int) []byte {
	for len(b)%align != 0 {
		b = append(b, 0)
	}
	return b
}

const (
	headerSize  = 64
	segmentSize = 56
	sectionSize = 64
)

// Bytes returns the file.
func (f File) Bytes() []byte {
	order := f.Order
	if order == nil {
		order = binary.LittleEndian
	}
	sections := f.sections()
	b := f.header(order, len(sections))
	at := uint64(headerSize + segmentSize*len(f.Segments) + sectionSize*len(sections))
	var contents []byte
	for _, s := range f.Segments {
		size := uint64(len(s.Content))
		b = order.AppendUint32(b, uint32(elf.PT_NOTE))
		b = order.AppendUint32(b, 0)
		for _, n := range []uint64{at, 0, 0, size, size, s.Align} {
			b = order.AppendUint64(b, n)
		}
		contents = append(contents, s.Content...)
		at += size
	}
	name := uint32(1)
	for i, s := range sections {
		size := s.Size
		if size == 0 {
			size = uint64(len(s.Content))
		}
		if i > 0 {
			b = order.AppendUint32(b, name)
			name += uint32(len(s.Name) + 1) //nolint:gosec // a short name
		} else {
			b = order.AppendUint32(b, 0)
		}
		b = order.AppendUint32(b, uint32(s.Type))
		for _, n := range []uint64{uint64(s.Flags), 0, at, size, 0, s.Align, 0} {
			b = order.AppendUint64(b, n)
		}
		contents = append(contents, s.Content...)
		at += uint64(len(s.Content))
	}
	return append(b, contents...)
}

// sections returns all sections: the null section, those of the file, and their names.
func (f File) sections() []Section {
	if len(f.Sections) == 0 {
		return nil
	}
	all := append([]Section{{}}, f.Sections...)
	names := []byte{0}
	all = append(all, Section{Name: ".shstrtab", Type: elf.SHT_STRTAB, Align: 1})
	for _, s := range all[1:] {
		names = append(append(names, s.Name...), 0)
	}
	all[len(all)-1].Content = names
	return all
}

func (f File) header(order binary.AppendByteOrder, sections int) []byte {
	data := elf.ELFDATA2LSB
	if order.String() == binary.BigEndian.String() {
		data = elf.ELFDATA2MSB
	}
	b := append([]byte(elf.ELFMAG), byte(elf.ELFCLASS64), byte(data), 1)
	b = append(b, make([]byte, 16-len(b))...)
	b = order.AppendUint16(b, uint16(elf.ET_EXEC))
	b = order.AppendUint16(b, uint16(elf.EM_ARM))
	b = order.AppendUint32(b, 1)
	segmentsAt, sectionsAt := 0, 0
	if len(f.Segments) > 0 {
		segmentsAt = headerSize
	}
	if sections > 0 {
		sectionsAt = headerSize + segmentSize*len(f.Segments)
	}
	for _, n := range []int{0, segmentsAt, sectionsAt} {
		b = order.AppendUint64(b, uint64(n)) //nolint:gosec // positive
	}
	b = order.AppendUint32(b, 0)
	for _, n := range []int{headerSize, segmentSize, len(f.Segments), sectionSize, sections, max(sections, 1) - 1} {
		b = order.AppendUint16(b, uint16(n)) //nolint:gosec // small
	}
	return b
}
