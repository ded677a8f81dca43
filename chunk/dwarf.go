package chunk

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The limits of a symbol file. The tables of abbreviations take more memory than in the file.
const (
	maxDebugInfo     = 256 << 20
	maxAbbreviations = 8 << 20
	maxNameSize      = 1 << 10
)

// readEnumerators calls found for each enumerator of the debug information of an ELF file.
//
// The package debug/dwarf is not used: it copies the texts of every entry, and neither its time
// nor its memory is bounded by the size of the file. This reader looks only at enumerators, and
// needs time proportional to the size.
func readEnumerators(file io.ReaderAt, found func(name []byte, value int64)) error {
	source := &readerAt{r: file}
	f, err := openELF(source)
	if err != nil {
		return err
	}
	d := &debugInfo{order: f.ByteOrder, tables: map[uint64]abbreviations{}}
	var info, types []byte
	total := uint64(0)
	for _, section := range []struct {
		name    string
		content *[]byte
		limit   uint64
	}{
		{".debug_info", &info, maxDebugInfo},
		{".debug_types", &types, maxDebugInfo},
		{".debug_abbrev", &d.abbrev, maxAbbreviations},
		{".debug_str", &d.str, maxDebugInfo},
		{".debug_line_str", &d.lineStr, maxDebugInfo},
		{".debug_str_offsets", &d.strOffsets, maxDebugInfo},
	} {
		s := f.Section(section.name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		if total += s.Size; s.Size > section.limit || total > maxDebugInfo {
			return fmt.Errorf("section %s is too large: %d bytes", s.Name, s.Size)
		}
		if *section.content, err = s.Data(); err != nil {
			if source.err != nil {
				err = source.err
			}
			return fmt.Errorf("section %s: %w", s.Name, err)
		}
	}
	if err = d.enumerators(info, false, found); err == nil {
		err = d.enumerators(types, true, found)
	}
	return err
}

// debugInfo contains the sections of DWARF that enumerators need.
type debugInfo struct {
	order                            binary.ByteOrder
	abbrev, str, lineStr, strOffsets []byte

	tables map[uint64]abbreviations // by their offset
	parsed int                      // bytes of abbrev in tables
}

// abbreviations describe the forms of entries by their code.
type abbreviations map[uint64]abbreviation

type abbreviation struct {
	tag        uint64
	attributes []attribute
}

type attribute struct {
	name, form uint64
	implicit   int64
}

// unit describes how values in a unit are encoded.
type unit struct {
	version     uint16
	addressSize uint64
	offsetSize  uint64
	stringsBase uint64 // in .debug_str_offsets
}

// The numbers of DWARF that are needed.
const (
	tagEnumerator = 0x28

	attrName           = 0x03
	attrConstValue     = 0x1c
	attrStrOffsetsBase = 0x72

	unitType         = 2
	unitSkeleton     = 4
	unitSplitCompile = 5
	unitSplitType    = 6
)

var errCorrupt = errors.New("corrupt debug information")

// enumerators reads a section of units.
func (d *debugInfo) enumerators(section []byte, types bool, found func([]byte, int64)) error {
	for c := (cursor{b: section, order: d.order}); len(c.b) > 0; {
		u := unit{offsetSize: 4}
		size := uint64(c.uint32())
		if size == 0 {
			continue // padding
		}
		if size == 0xFFFFFFFF {
			u.offsetSize, size = 8, c.uint64()
		}
		content := cursor{b: c.take(size), order: d.order}
		if c.failed {
			return errCorrupt
		}
		if err := d.unit(content, u, types, found); err != nil {
			return err
		}
	}
	return nil
}

// unit reads a unit after its length.
func (d *debugInfo) unit(c cursor, u unit, types bool, found func([]byte, int64)) error {
	u.version = c.uint16()
	if c.failed {
		return errCorrupt
	}
	if u.version < 2 || u.version > 5 {
		return fmt.Errorf("unknown version %d of DWARF", u.version)
	}
	var table uint64
	if u.version < 5 {
		table, u.addressSize = c.offset(u), uint64(c.uint8())
		if types {
			c.take(8 + u.offsetSize)
		}
	} else {
		kind := c.uint8()
		u.addressSize, table = uint64(c.uint8()), c.offset(u)
		switch kind {
		case unitType, unitSplitType:
			c.take(8 + u.offsetSize)
		case unitSkeleton, unitSplitCompile:
			c.take(8)
		}
	}
	u.stringsBase = 2 * u.offsetSize // after the header of the section
	codes, err := d.table(table)
	if err != nil {
		return err
	}
	for len(c.b) > 0 && !c.failed {
		code := c.uleb()
		if code == 0 {
			continue // the end of a list of children
		}
		entry, ok := codes[code]
		if !ok {
			return errCorrupt
		}
		d.entry(&c, &u, entry, found)
	}
	if c.failed {
		return errCorrupt
	}
	return nil
}

// table reads a table of abbreviations. No linker makes tables overlap. If they could, a small
// file could need much time and memory.
func (d *debugInfo) table(offset uint64) (abbreviations, error) {
	if table, ok := d.tables[offset]; ok {
		return table, nil
	}
	if offset > uint64(len(d.abbrev)) {
		return nil, errCorrupt
	}
	c := cursor{b: d.abbrev[offset:], order: d.order}
	available := len(c.b)
	table := abbreviations{}
	for !c.failed {
		code := c.uleb()
		if code == 0 {
			break
		}
		entry := abbreviation{tag: c.uleb()}
		c.uint8() // whether the entry has children, which need no special treatment
		for !c.failed {
			a := attribute{name: c.uleb(), form: c.uleb()}
			if a.form == formImplicitConst {
				a.implicit = c.sleb()
			}
			if a.name == 0 && a.form == 0 {
				break
			}
			entry.attributes = append(entry.attributes, a)
		}
		table[code] = entry
	}
	if d.parsed += available - len(c.b); c.failed || d.parsed > len(d.abbrev) {
		return nil, errCorrupt
	}
	d.tables[offset] = table
	return table, nil
}

// entry reads an entry, and calls found if it is an enumerator.
func (d *debugInfo) entry(c *cursor, u *unit, entry abbreviation, found func([]byte, int64)) {
	var name []byte
	var value int64
	hasValue := false
	for _, a := range entry.attributes {
		v := c.value(a.form, a.implicit, u)
		switch {
		case a.name == attrStrOffsetsBase:
			u.stringsBase = uint64(v.number) //nolint:gosec // an offset
		case entry.tag != tagEnumerator:
		case a.name == attrName:
			name = d.text(v, u)
		case a.name == attrConstValue:
			value, hasValue = v.number, true
		}
	}
	if len(name) > 0 && hasValue && !c.failed {
		found(name, value)
	}
}

// text returns a text that is at most maxNameSize bytes long, or nil.
func (d *debugInfo) text(v value, u *unit) []byte {
	section, offset := d.str, uint64(v.number) //nolint:gosec // an offset
	switch v.form {
	case formString:
		return v.text
	case formStrp:
	case formLineStrp:
		section = d.lineStr
	case formStrx, formStrx1, formStrx2, formStrx3, formStrx4:
		if offset > uint64(len(d.strOffsets)) || u.stringsBase > uint64(len(d.strOffsets)) {
			return nil
		}
		c := cursor{b: d.strOffsets, order: d.order}
		c.take(u.stringsBase + offset*u.offsetSize)
		if offset = c.offset(*u); c.failed {
			return nil
		}
	default:
		return nil
	}
	if offset > uint64(len(section)) {
		return nil
	}
	text := section[offset:]
	if end := bytes.IndexByte(text[:min(len(text), maxNameSize)], 0); end >= 0 {
		return text[:end]
	}
	return nil
}

// value is the value of an attribute: a number or an offset, or a text.
type value struct {
	form   uint64
	number int64
	text   []byte
}

// The forms of attributes.
const (
	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formData1         = 0x0b
	formFlag          = 0x0c
	formSdata         = 0x0d
	formStrp          = 0x0e
	formUdata         = 0x0f
	formRefAddr       = 0x10
	formRef1          = 0x11
	formRef2          = 0x12
	formRef4          = 0x13
	formRef8          = 0x14
	formRefUdata      = 0x15
	formIndirect      = 0x16
	formSecOffset     = 0x17
	formExprloc       = 0x18
	formFlagPresent   = 0x19
	formStrx          = 0x1a
	formAddrx         = 0x1b
	formRefSup4       = 0x1c
	formStrpSup       = 0x1d
	formData16        = 0x1e
	formLineStrp      = 0x1f
	formRefSig8       = 0x20
	formImplicitConst = 0x21
	formLoclistx      = 0x22
	formRnglistx      = 0x23
	formRefSup8       = 0x24
	formStrx1         = 0x25
	formStrx2         = 0x26
	formStrx3         = 0x27
	formStrx4         = 0x28
	formAddrx1        = 0x29
	formAddrx2        = 0x2a
	formAddrx3        = 0x2b
	formAddrx4        = 0x2c
	formGNUAddrIndex  = 0x1f01
	formGNUStrIndex   = 0x1f02
	formGNURefAlt     = 0x1f20
	formGNUStrpAlt    = 0x1f21
)

// cursor reads the start of b. After an error, it has failed, and all reads return 0.
type cursor struct {
	b      []byte
	order  binary.ByteOrder
	failed bool
}

// value reads an attribute.
func (c *cursor) value(form uint64, implicit int64, u *unit) value {
	for form == formIndirect {
		form = c.uleb()
	}
	v := value{form: form}
	switch form {
	case formFlagPresent:
	case formImplicitConst:
		v.number = implicit
	case formData1, formFlag, formRef1, formStrx1, formAddrx1:
		v.number = int64(c.uint8())
	case formData2, formRef2, formStrx2, formAddrx2:
		v.number = int64(c.uint16())
	case formStrx3, formAddrx3:
		v.number = c.uint24()
	case formData4, formRef4, formRefSup4, formStrx4, formAddrx4:
		v.number = int64(c.uint32())
	case formData8, formRef8, formRefSig8, formRefSup8:
		v.number = int64(c.uint64()) //nolint:gosec // negative if it is too large, and then ignored
	case formData16:
		c.take(16)
	case formSdata:
		v.number = c.sleb()
	case formUdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddrIndex, formGNUStrIndex:
		v.number = int64(c.uleb()) //nolint:gosec // as above
	case formStrp, formLineStrp, formSecOffset, formStrpSup, formGNURefAlt, formGNUStrpAlt:
		v.number = int64(c.offset(*u)) //nolint:gosec // as above
	case formRefAddr:
		if u.version == 2 {
			c.take(u.addressSize)
		} else {
			c.offset(*u)
		}
	case formAddr:
		c.take(u.addressSize)
	case formBlock1:
		c.take(uint64(c.uint8()))
	case formBlock2:
		c.take(uint64(c.uint16()))
	case formBlock4:
		c.take(uint64(c.uint32()))
	case formBlock, formExprloc:
		c.take(c.uleb())
	case formString:
		v.text = c.text()
	default:
		c.fail()
	}
	return v
}

func (c *cursor) fail() { c.b, c.failed = nil, true }

// take returns the next n bytes.
func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	taken := c.b[:n]
	c.b = c.b[n:]
	return taken
}

func (c *cursor) uint8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if b := c.take(2); b != nil {
		return c.order.Uint16(b)
	}
	return 0
}

func (c *cursor) uint24() int64 {
	b := c.take(3)
	if b == nil {
		return 0
	}
	if c.order.Uint16([]byte{1, 0}) == 1 { // little-endian
		return int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
	}
	return int64(b[2]) | int64(b[1])<<8 | int64(b[0])<<16
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return c.order.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.take(8); b != nil {
		return c.order.Uint64(b)
	}
	return 0
}

// offset reads an offset into a section.
func (c *cursor) offset(u unit) uint64 {
	if u.offsetSize == 8 {
		return c.uint64()
	}
	return uint64(c.uint32())
}

func (c *cursor) uleb() uint64 {
	n, used := binary.Uvarint(c.b)
	if used <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[used:]
	return n
}

func (c *cursor) sleb() int64 {
	n := int64(0)
	for shift := 0; shift < 64; shift += 7 {
		b := c.uint8()
		n |= int64(b&0x7F) << shift
		if b&0x80 == 0 {
			if b&0x40 != 0 && shift < 57 {
				n |= -1 << (shift + 7)
			}
			return n
		}
	}
	c.fail()
	return 0
}

// text reads a text that ends with a NUL.
func (c *cursor) text() []byte {
	end := bytes.IndexByte(c.b, 0)
	if end < 0 {
		c.fail()
		return nil
	}
	text := c.b[:end]
	c.b = c.b[end+1:]
	return text
}
