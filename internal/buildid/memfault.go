package buildid

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
)

// The firmware SDK describes the build ID in a struct: its type, its length, the length of the
// short form, a reserved byte, and a pointer to the ID.
const (
	infoSymbol    = "g_memfault_build_id"
	storageSymbol = "g_memfault_sdk_derived_build_id"

	typeUnwritten = 1
	typeGNU       = 2
	typeMemfault  = 3

	memfaultSize = 20 // bytes of the ID, a SHA-1
)

// errUnknown is a build ID that only a newer version of the package may understand.
var errUnknown = errors.New("unknown form of g_memfault_build_id")

// findMemfault returns the Memfault build ID. It returns ErrNone if the file has none, or if it
// identifies itself by a GNU build ID, and ErrNoContent if it cannot be read.
func findMemfault(file *elf.File) (string, error) {
	if file.Type != elf.ET_EXEC && file.Type != elf.ET_DYN {
		return "", ErrNone // before the linker has run, addresses are not known
	}
	found, err := findSymbols(file, infoSymbol, storageSymbol)
	if err != nil {
		return "", err
	}
	info := found[0]
	if info == nil {
		return "", ErrNone
	}
	pointerAt, pointerSize := 4, 4
	if file.Class == elf.ELFCLASS64 {
		pointerAt, pointerSize = 8, 8
	}
	content, err := read(file, info.Value, pointerAt+pointerSize, info.Section)
	if errors.Is(err, ErrNoContent) && found[1] == nil {
		return "", ErrNone // software that identifies itself by a GNU build ID has no storage
	}
	if err != nil {
		return "", err
	}
	switch kind, length := content[0], content[1]; {
	case kind == typeUnwritten:
		return "", ErrUnwritten
	case kind == typeGNU:
		return "", ErrNone
	case kind != typeMemfault:
		return "", fmt.Errorf("%w: type %d", errUnknown, kind)
	case length != memfaultSize:
		return "", fmt.Errorf("%w: %d bytes instead of %d", errUnknown, length, memfaultSize)
	}
	pointer := uint64(file.ByteOrder.Uint32(content[pointerAt:]))
	if pointerSize == 8 {
		pointer = file.ByteOrder.Uint64(content[pointerAt:])
	}
	id, err := readID(file, pointer, found[1])
	return hex.EncodeToString(id), err
}

// readID reads the ID at the pointer. If no section holds that address, as in a file whose
// addresses are set when it is loaded, it reads the ID at the symbol. The ID is unknown if its
// content is not in the file.
func readID(file *elf.File, pointer uint64, symbol *elf.Symbol) ([]byte, error) {
	section := elf.SHN_UNDEF
	if symbol != nil && symbol.Value == pointer {
		section = symbol.Section
	}
	id, err := read(file, pointer, memfaultSize, section)
	if errors.Is(err, ErrNoContent) && symbol != nil {
		id, err = read(file, symbol.Value, memfaultSize, symbol.Section)
	}
	if errors.Is(err, ErrNoContent) {
		return nil, fmt.Errorf("%w: no section holds the ID", errUnknown)
	}
	return id, err
}

// read returns the bytes at an address, preferably from the given section. It returns
// ErrNoContent if no section holds them.
func read(file *elf.File, address uint64, size int, preferred elf.SectionIndex) ([]byte, error) {
	holds := func(s *elf.Section) bool {
		return s.Flags&elf.SHF_ALLOC != 0 && s.Flags&elf.SHF_COMPRESSED == 0 && s.Type != elf.SHT_NOBITS &&
			address >= s.Addr && address-s.Addr < s.Size && s.Size-(address-s.Addr) >= uint64(size) //nolint:gosec // positive
	}
	var section *elf.Section
	if int(preferred) < len(file.Sections) && holds(file.Sections[preferred]) {
		section = file.Sections[preferred]
	}
	for _, s := range file.Sections {
		if section == nil && holds(s) {
			section = s
		}
	}
	if section == nil {
		return nil, ErrNoContent
	}
	content := make([]byte, size)
	if n, err := section.ReadAt(content, int64(address-section.Addr)); n < size { //nolint:gosec // an offset beyond the file fails
		return nil, err
	}
	return content, nil
}

// findSymbols returns the first defined symbol of each name; nil if there is none. It reads
// the names of the symbols first: most files have none of these.
func findSymbols(file *elf.File, names ...string) ([]*elf.Symbol, error) {
	found := make([]*elf.Symbol, len(names))
	table := file.SectionByType(elf.SHT_SYMTAB)
	if table == nil {
		return found, nil
	}
	if int64(table.Link) >= int64(len(file.Sections)) {
		return nil, errors.New("symbol table without names")
	}
	strings := file.Sections[table.Link]
	if (table.Flags|strings.Flags)&elf.SHF_COMPRESSED != 0 {
		return nil, errors.New("compressed symbol table")
	}
	places, err := findNames(strings, names)
	if err != nil || len(places) == 0 {
		return found, err
	}
	return found, eachSymbol(file, table, func(name uint32, symbol elf.Symbol) {
		i, ok := places[name]
		if ok && found[i] == nil && symbol.Section != elf.SHN_UNDEF {
			kept := symbol
			found[i] = &kept
		}
	})
}

const (
	blockSize = 48 << 10 // a multiple of the size of a symbol in both classes
	maxPlaces = 1000     // a linker stores a name once, or once for each file that it is local to
)

// findNames returns where in a string table the names are, with their index. A name may be the
// end of a longer one, because linkers share them.
func findNames(table *elf.Section, names []string) (map[uint32]int, error) {
	places := map[uint32]int{}
	longest := 0
	for _, name := range names {
		longest = max(longest, len(name))
	}
	return places, eachBlock(table, longest, func(block []byte, at uint64) {
		for i, name := range names {
			text := append([]byte(name), 0)
			for from := 0; len(places) < maxPlaces; from++ {
				next := bytes.Index(block[from:], text)
				if next < 0 {
					break
				}
				from += next
				places[uint32(at)+uint32(from)] = i //nolint:gosec // larger ones are no place of a name
			}
		}
	})
}

// eachSymbol calls a function with each symbol of a table, and the place of its name.
func eachSymbol(file *elf.File, table *elf.Section, do func(name uint32, symbol elf.Symbol)) error {
	order, size := file.ByteOrder, elf.Sym64Size
	if file.Class == elf.ELFCLASS32 {
		size = elf.Sym32Size
	}
	return eachBlock(table, 0, func(block []byte, _ uint64) {
		for ; len(block) >= size; block = block[size:] {
			if size == elf.Sym32Size {
				do(order.Uint32(block), elf.Symbol{Value: uint64(order.Uint32(block[4:])), Section: elf.SectionIndex(order.Uint16(block[14:]))})
			} else {
				do(order.Uint32(block), elf.Symbol{Value: order.Uint64(block[8:]), Section: elf.SectionIndex(order.Uint16(block[6:]))})
			}
		}
	})
}

// eachBlock reads a section in blocks. Each begins with the last bytes of the block before it.
func eachBlock(section *elf.Section, overlap int, do func(block []byte, at uint64)) error {
	buffer := make([]byte, overlap+blockSize)
	kept := 0
	for at := uint64(0); at < section.Size; {
		n := int(min(blockSize, section.Size-at))
		if read, err := section.ReadAt(buffer[kept:kept+n], int64(at)); read < n {
			return err
		}
		do(buffer[:kept+n], at-uint64(kept))
		at += uint64(n) //nolint:gosec // positive
		keep := min(overlap, kept+n)
		copy(buffer, buffer[kept+n-keep:kept+n])
		kept = keep
	}
	return nil
}
