package chunk_test

import (
	"bytes"
	"compress/zlib"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"math"

	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
)

// enumerator is an enumerator of a C program.
type enumerator struct {
	name  string
	value int64
}

// debugFile describes a symbol file with one unit that contains an enumeration.
type debugFile struct {
	version     uint16
	wide        bool // 64-bit DWARF
	order       binary.AppendByteOrder
	nameForm    uint64
	valueForm   uint64
	typeUnit    bool
	compressed  bool
	enumerators []enumerator
}

// The forms and tags of DWARF that the tests use.
const (
	formData1         = 0x0b
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formSdata         = 0x0d
	formUdata         = 0x0f
	formString        = 0x08
	formStrp          = 0x0e
	formSecOffset     = 0x17
	formStrx          = 0x1a
	formStrx1         = 0x25
	formStrx2         = 0x26
	formStrx3         = 0x27
	formStrx4         = 0x28
	formLineStrp      = 0x1f
	formImplicitConst = 0x21
	formIndirect      = 0x16
)

func uleb(n uint64) []byte { return binary.AppendUvarint(nil, n) }

func sleb(n int64) (b []byte) {
	for {
		c := byte(n & 0x7F)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// number encodes a number of a fixed size.
func (f debugFile) number(size int, n uint64) []byte {
	b := f.order.AppendUint64(nil, n)
	if f.order.String() == binary.LittleEndian.String() {
		return b[:size]
	}
	return b[8-size:]
}

func (f debugFile) offsetSize() int {
	if f.wide {
		return 8
	}
	return 4
}

func (f debugFile) offset(n int) []byte { return f.number(f.offsetSize(), uint64(n)) }

// sections returns the sections of debug information.
func (f debugFile) sections() map[string][]byte {
	str := []byte("unused\x00")
	var strOffsets, codes, entries []byte
	code := uint64(10)
	attribute := func(at, form uint64) { codes = append(append(codes, uleb(at)...), uleb(form)...) }
	text := func(index int, s string) []byte {
		at := len(str)
		str = append(append(str, s...), 0)
		strOffsets = append(strOffsets, f.offset(at)...)
		switch f.nameForm {
		case formString:
			return append([]byte(s), 0)
		case formStrx:
			return uleb(uint64(index))
		case formStrx1:
			return f.number(1, uint64(index))
		case formStrx2:
			return f.number(2, uint64(index))
		case formStrx3:
			return f.number(3, uint64(index))
		case formStrx4:
			return f.number(4, uint64(index))
		default: // strp and line_strp
			return f.offset(at)
		}
	}
	for i, e := range f.enumerators {
		if i == 0 || f.valueForm == formImplicitConst { // it needs an abbreviation for each value
			code++
			codes = append(append(codes, uleb(code)...), 0x28, 0)
			attribute(0x03, f.nameForm)
			attribute(0x1c, f.valueForm)
			if f.valueForm == formImplicitConst {
				codes = append(codes, sleb(e.value)...)
			}
			codes = append(codes, 0, 0)
		}
		entries = append(append(entries, uleb(code)...), text(i, e.name)...)
		switch f.valueForm {
		case formData1:
			entries = append(entries, f.number(1, uint64(e.value))...)
		case formData2:
			entries = append(entries, f.number(2, uint64(e.value))...)
		case formData4:
			entries = append(entries, f.number(4, uint64(e.value))...)
		case formData8:
			entries = append(entries, f.number(8, uint64(e.value))...)
		case formSdata:
			entries = append(entries, sleb(e.value)...)
		case formUdata:
			entries = append(entries, uleb(uint64(e.value))...)
		case formIndirect:
			entries = append(append(entries, formUdata), uleb(uint64(e.value))...)
		}
	}
	// The unit has the base of its strings, a block and an address, the enumeration no attributes.
	var unit []byte
	codes = append(codes, 1, 0x11, 1)
	if f.version == 5 {
		codes = append(codes, 0x72, formSecOffset)
	}
	codes = append(codes, 0x02, 0x0a, 0x11, 0x01, 0, 0)
	codes = append(codes, 2, 0x04, 1, 0, 0, 0)
	unit = append(unit, 1)
	base := 2*f.offsetSize() + f.offsetSize() // an unused offset is before the first one
	if f.version == 5 {
		unit = append(unit, f.offset(base)...)
	}
	unit = append(append(unit, 3, 0xff, 0xff, 0xff), f.number(8, 0x1000)...)
	unit = join(unit, []byte{2}, entries, []byte{0, 0})

	const addressSize = 8
	var header []byte
	if f.version == 5 {
		kind := byte(1)
		if f.typeUnit {
			kind = 2
		}
		header = join([]byte{kind, addressSize}, f.offset(1))
	} else {
		header = join(f.offset(1), []byte{addressSize})
	}
	if f.typeUnit {
		header = join(header, f.number(8, 77), f.offset(0))
	}
	unit = join(f.number(2, uint64(f.version)), header, unit)
	if f.wide {
		unit = join([]byte{0xff, 0xff, 0xff, 0xff}, f.number(8, uint64(len(unit))), unit)
	} else {
		unit = append(f.number(4, uint64(len(unit))), unit...)
	}
	sections := map[string][]byte{
		".debug_info": unit, ".debug_abbrev": append([]byte{0}, codes...), ".debug_str": str, ".debug_line_str": str,
		".debug_str_offsets": join(make([]byte, base), strOffsets),
	}
	if f.typeUnit && f.version < 5 {
		sections[".debug_types"], sections[".debug_info"] = unit, nil
	}
	return sections
}

// bytes returns the file.
func (f debugFile) bytes() []byte { return elfFile(f.order, f.compressed, f.sections()) }

// elfFile returns an ELF file with sections, which can be compressed.
func elfFile(order binary.AppendByteOrder, compressed bool, sections map[string][]byte) []byte {
	file := elffile.File{Order: order}
	for _, name := range []string{".debug_info", ".debug_types", ".debug_abbrev", ".debug_str", ".debug_line_str", ".debug_str_offsets"} {
		content := sections[name]
		if content == nil {
			continue
		}
		section := elffile.Section{Name: name, Type: elf.SHT_PROGBITS, Align: 1, Content: content}
		if compressed {
			var b bytes.Buffer
			w := zlib.NewWriter(&b)
			_, _ = w.Write(content)
			_ = w.Close()
			header := order.AppendUint32(nil, uint32(elf.COMPRESS_ZLIB))
			header = order.AppendUint32(header, 0)
			header = order.AppendUint64(header, uint64(len(content)))
			header = order.AppendUint64(header, 1)
			section.Flags, section.Content = elf.SHF_COMPRESSED, append(header, b.Bytes()...)
		}
		file.Sections = append(file.Sections, section)
	}
	return file.Bytes()
}

// standardEnumerators returns the enumerators of a file as the package debug/dwarf reads them. It
// reports false if the package cannot read them.
func standardEnumerators(info, abbrev, str, lineStr, strOffsets []byte) (found []enumerator, ok bool) {
	defer func() {
		if recover() != nil { // the package is not made for damaged files
			found, ok = nil, false
		}
	}()
	data, err := dwarf.New(abbrev, nil, nil, info, nil, nil, nil, str)
	if err != nil {
		return nil, false
	}
	for name, content := range map[string][]byte{".debug_line_str": lineStr, ".debug_str_offsets": strOffsets} {
		if data.AddSection(name, content) != nil {
			return nil, false
		}
	}
	for reader := data.Reader(); ; {
		entry, err := reader.Next()
		if err != nil {
			return nil, false
		}
		if entry == nil {
			return found, true
		}
		name, isText := entry.Val(dwarf.AttrName).(string)
		value, isNumber := entry.Val(dwarf.AttrConstValue).(int64)
		if entry.Tag == dwarf.TagEnumerator && isText && isNumber && value >= 0 && value <= math.MaxInt32 {
			found = append(found, enumerator{name, value})
		}
	}
}
