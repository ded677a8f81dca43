package elffile

import "debug/elf"

// Addresses of the sections that AddMemfaultBuildID adds.
const (
	ROMAddress = 0x0800_1000
	RAMAddress = 0x2000_0400
)

// Types of build IDs for AddMemfaultBuildID.
const (
	Unwritten byte = 1
	GNU       byte = 2
	Memfault  byte = 3
)

// AddMemfaultBuildID adds a build ID of the given type as the firmware SDK stores it: a struct
// in .rodata whose pointer leads to the ID in .data, and the symbols of both. Only the struct has
// a symbol if the type is GNU. The Order and the Class must be set before.
func (f *File) AddMemfaultBuildID(kind byte, id []byte) {
	const before = 12                                               // bytes of other data
	info := append(make([]byte, before), kind, byte(len(id)), 6, 0) //nolint:gosec // tests use short IDs
	if f.class() == elf.ELFCLASS64 {
		info = append(info, make([]byte, 4)...)
	}
	info = f.word(info, RAMAddress+before)
	f.Sections = append(f.Sections,
		Section{Name: ".text", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, Address: ROMAddress - 64, Align: 4, Content: make([]byte, 64)},
		Section{Name: ".rodata", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC, Address: ROMAddress, Align: 4, Content: append(info, make([]byte, 8)...)},
		Section{Name: ".data", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC | elf.SHF_WRITE, Address: RAMAddress, Align: 4, Content: append(append(make([]byte, before), id...), 1, 2, 3)},
		Section{Name: ".bss", Type: elf.SHT_NOBITS, Flags: elf.SHF_ALLOC | elf.SHF_WRITE, Address: RAMAddress + 0x1000, Align: 4, Size: 64},
	)
	f.Symbols = append(f.Symbols,
		Symbol{Name: "main", Section: ".text", Value: ROMAddress - 64, Size: 16},
		Symbol{Name: "g_memfault_build_id", Section: ".rodata", Value: ROMAddress + before, Size: uint64(len(info) - before)}, //nolint:gosec // positive
	)
	if kind != GNU {
		f.Symbols = append(f.Symbols, Symbol{Name: "g_memfault_sdk_derived_build_id", Section: ".data", Value: RAMAddress + before, Size: uint64(len(id))})
	}
}

// Strip removes the symbols and the debug information, as strip does.
func (f *File) Strip() {
	f.Symbols = nil
	kept := f.Sections[:0:0]
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 || s.Type == elf.SHT_NOTE {
			kept = append(kept, s)
		}
	}
	f.Sections = kept
}

// OnlyKeepDebug removes the content of all loaded sections but notes, as objcopy does with
// --only-keep-debug.
func (f *File) OnlyKeepDebug() {
	f.Sections = append([]Section(nil), f.Sections...)
	for i := range f.Sections {
		s := &f.Sections[i]
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOTE {
			s.Type, s.Size, s.Content = elf.SHT_NOBITS, max(s.Size, uint64(len(s.Content))), nil
		}
	}
}
