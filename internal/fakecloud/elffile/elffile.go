// Package elffile builds small ELF files for tests.
package elffile

import (
	"debug/elf"
	"encoding/binary"
)

// File describes an ELF file. Its segments and sections are stored in order, after the
// headers.
type File struct {
	Order    binary.AppendByteOrder // little-endian if nil
	Class    elf.Class              // 64-bit if 0
	Type     elf.Type               // an executable if 0
	Machine  elf.Machine            // ARM if 0
	Segments []Segment
	Sections []Section // without those of symbols and names, which Bytes adds
	Symbols  []Symbol
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
	Address uint64
	Align   uint64
	Content []byte
	Size    uint64 // in the section header; the length of Content if 0

	link, entrySize uint64
}

// Symbol is a data object.
type Symbol struct {
	Name    string
	Section string // its name; undefined if empty
	Value   uint64
	Size    uint64
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
	return Section{Name: ".note.gnu.build-id", Type: elf.SHT_NOTE, Flags: elf.SHF_ALLOC, Align: 4, Content: Note(order, 3, "GNU", id, 4)}
}

// DebugInfo returns a section of debug information with the given size.
func DebugInfo(size int) Section {
	return Section{Name: ".debug_info", Type: elf.SHT_PROGBITS, Align: 1, Content: make([]byte, size)}
}

func pad(b []byte, align int) []byte {
	for len(b)%align != 0 {
		b = append(b, 0)
	}
	return b
}

func (f *File) class() elf.Class {
	if f.Class == 0 {
		return elf.ELFCLASS64
	}
	return f.Class
}

func (f *File) order() binary.AppendByteOrder {
	if f.Order == nil {
		return binary.LittleEndian
	}
	return f.Order
}

// word appends a number of the size of an address.
func (f *File) word(b []byte, n uint64) []byte {
	if f.class() == elf.ELFCLASS32 {
		return f.order().AppendUint32(b, uint32(n)) //nolint:gosec // tests use small numbers
	}
	return f.order().AppendUint64(b, n)
}

// sizes returns the sizes of the header of a file, and of the entries that describe a segment,
// a section and a symbol.
func (f *File) sizes() (header, segment, section, symbol int) {
	if f.class() == elf.ELFCLASS32 {
		return 52, 32, 40, elf.Sym32Size
	}
	return 64, 56, 64, elf.Sym64Size
}

// Bytes returns the file.
func (f File) Bytes() []byte {
	order := f.order()
	sections := f.sections()
	headerSize, segmentSize, sectionSize, _ := f.sizes()
	b := f.header(len(sections))
	at := uint64(headerSize + segmentSize*len(f.Segments) + sectionSize*len(sections)) //nolint:gosec // positive
	var contents []byte
	for _, s := range f.Segments {
		b = f.segment(b, s, at)
		contents = append(contents, s.Content...)
		at += uint64(len(s.Content))
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
		for _, n := range []uint64{uint64(s.Flags), s.Address, at, size} {
			b = f.word(b, n)
		}
		b = order.AppendUint32(b, uint32(s.link)) //nolint:gosec // an index
		b = order.AppendUint32(b, 0)
		b = f.word(f.word(b, s.Align), s.entrySize)
		contents = append(contents, s.Content...)
		at += uint64(len(s.Content))
	}
	return append(b, contents...)
}

func (f *File) segment(b []byte, s Segment, at uint64) []byte {
	size := uint64(len(s.Content))
	b = f.order().AppendUint32(b, uint32(elf.PT_NOTE))
	numbers := []uint64{at, 0, 0, size, size, s.Align}
	if f.class() == elf.ELFCLASS32 {
		numbers = []uint64{at, 0, 0, size, size, 0, s.Align} // the flags are elsewhere
	} else {
		b = f.order().AppendUint32(b, 0)
	}
	for _, n := range numbers {
		b = f.word(b, n)
	}
	return b
}

// sections returns all sections: the null section, those of the file, its symbols, and the
// names.
func (f *File) sections() []Section {
	if len(f.Sections) == 0 {
		return nil
	}
	all := append([]Section{{}}, f.Sections...)
	if len(f.Symbols) > 0 {
		table, names := f.symbolTable()
		_, _, _, entry := f.sizes()
		all = append(all,
			Section{Name: ".symtab", Type: elf.SHT_SYMTAB, Align: 4, Content: table, link: uint64(len(all) + 1), entrySize: uint64(entry)}, //nolint:gosec // positive
			Section{Name: ".strtab", Type: elf.SHT_STRTAB, Align: 1, Content: names})
	}
	names := []byte{0}
	all = append(all, Section{Name: ".shstrtab", Type: elf.SHT_STRTAB, Align: 1})
	for _, s := range all[1:] {
		names = append(append(names, s.Name...), 0)
	}
	all[len(all)-1].Content = names
	return all
}

func (f *File) symbolTable() (table, names []byte) {
	order := f.order()
	_, _, _, entry := f.sizes()
	table, names = make([]byte, entry), []byte{0}
	for _, s := range f.Symbols {
		index := uint16(elf.SHN_UNDEF)
		for i, section := range f.Sections {
			if section.Name == s.Section {
				index = uint16(i + 1)
			}
		}
		info := elf.ST_INFO(elf.STB_GLOBAL, elf.STT_OBJECT)
		table = order.AppendUint32(table, uint32(len(names))) //nolint:gosec // tests use short names
		if f.class() == elf.ELFCLASS32 {
			table = f.word(f.word(table, s.Value), s.Size)
			table = order.AppendUint16(append(table, info, 0), index)
		} else {
			table = order.AppendUint16(append(table, info, 0), index)
			table = f.word(f.word(table, s.Value), s.Size)
		}
		names = append(append(names, s.Name...), 0)
	}
	return table, names
}

func (f *File) header(sections int) []byte {
	order := f.order()
	data := elf.ELFDATA2LSB
	if order.String() == binary.BigEndian.String() {
		data = elf.ELFDATA2MSB
	}
	kind, machine := f.Type, f.Machine
	if kind == 0 {
		kind = elf.ET_EXEC
	}
	if machine == 0 {
		machine = elf.EM_ARM
	}
	b := append([]byte(elf.ELFMAG), byte(f.class()), byte(data), 1)
	b = append(b, make([]byte, 16-len(b))...)
	b = order.AppendUint16(b, uint16(kind))
	b = order.AppendUint16(b, uint16(machine))
	b = order.AppendUint32(b, 1)
	headerSize, segmentSize, sectionSize, _ := f.sizes()
	segmentsAt, sectionsAt := 0, 0
	if len(f.Segments) > 0 {
		segmentsAt = headerSize
	}
	if sections > 0 {
		sectionsAt = headerSize + segmentSize*len(f.Segments)
	}
	for _, n := range []int{0, segmentsAt, sectionsAt} {
		b = f.word(b, uint64(n)) //nolint:gosec // positive
	}
	b = order.AppendUint32(b, 0)
	for _, n := range []int{headerSize, segmentSize, len(f.Segments), sectionSize, sections, max(sections, 1) - 1} {
		b = order.AppendUint16(b, uint16(n)) //nolint:gosec // small
	}
	return b
}
