package buildid_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/buildid"
	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
)

var sha1 = []byte("\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1\xc2\xc3\xc4")

// forms returns an empty ELF file of each class, byte order and common processor.
func forms() []elffile.File {
	return []elffile.File{
		{Class: elf.ELFCLASS32, Order: little, Machine: elf.EM_ARM},
		{Class: elf.ELFCLASS32, Order: big, Machine: elf.EM_MIPS},
		{Class: elf.ELFCLASS32, Order: little, Machine: elf.EM_XTENSA},
		{Class: elf.ELFCLASS32, Order: little, Machine: elf.EM_RISCV},
		{Class: elf.ELFCLASS32, Order: little, Machine: elf.EM_386},
		{Class: elf.ELFCLASS64, Order: little, Machine: elf.EM_AARCH64},
		{Class: elf.ELFCLASS64, Order: little, Machine: elf.EM_X86_64, Type: elf.ET_DYN},
		{Class: elf.ELFCLASS64, Order: big, Machine: elf.EM_PPC64},
	}
}

func inspect(t testing.TB, file elffile.File) buildid.Info {
	t.Helper()
	got, err := buildid.Inspect(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	return got
}

func TestInspect_MemfaultBuildID(t *testing.T) {
	want := hex.EncodeToString(sha1)
	for _, form := range forms() {
		t.Run(fmt.Sprint(form.Class, form.Order, form.Machine), func(t *testing.T) {
			note := elffile.BuildID(form.Order, id)
			build := func(kind byte, sections ...elffile.Section) elffile.File {
				file := form
				file.Sections = append(sections, elffile.DebugInfo(5))
				file.AddMemfaultBuildID(kind, sha1)
				return file
			}

			got := inspect(t, build(3))
			assert.Equal(t, buildid.Info{Type: got.Type, Kind: buildid.KindMemfault, BuildID: want, HasDebugInfo: true}, got)
			both := inspect(t, build(3, note))
			assert.Equal(t, buildid.Info{Type: got.Type, Kind: buildid.KindMemfault, BuildID: want, GNUBuildID: "c0ffee0102", HasDebugInfo: true}, both)

			for _, unwritten := range []buildid.Info{inspect(t, build(1)), inspect(t, build(1, note))} {
				assert.Equal(t, buildid.KindMemfault, unwritten.Kind)
				assert.Empty(t, unwritten.BuildID, "the software reports neither")
				require.ErrorIs(t, unwritten.Missing, buildid.ErrUnwritten)
				require.ErrorContains(t, unwritten.Missing, "fw_build_id.py")
			}

			isGNU := inspect(t, build(2, note))
			assert.Equal(t, []any{buildid.KindGNU, "c0ffee0102"}, []any{isGNU.Kind, isGNU.BuildID})
			require.ErrorIs(t, inspect(t, build(2)).Missing, buildid.ErrNone, "the note that it stands for is missing")
		})
	}
}

// A type or a length of a later SDK must not be taken for another.
func TestInspect_UnknownMemfaultBuildID(t *testing.T) {
	for _, form := range forms() {
		for name, add := range map[string]func(*elffile.File){
			"type":   func(f *elffile.File) { f.AddMemfaultBuildID(4, sha1) },
			"length": func(f *elffile.File) { f.AddMemfaultBuildID(3, sha1[:16]) },
			"no storage": func(f *elffile.File) {
				f.AddMemfaultBuildID(3, sha1)
				f.Symbols = f.Symbols[:2]
				f.Sections = slices.DeleteFunc(f.Sections, func(s elffile.Section) bool { return s.Name == ".data" })
			},
		} {
			file := form
			file.Sections = []elffile.Section{elffile.BuildID(form.Order, id)}
			add(&file)
			got := inspect(t, file)
			assert.Empty(t, got.BuildID, name)
			require.ErrorContains(t, got.Missing, "unknown form of g_memfault_build_id", name)
		}
	}
}

func TestInspect_MemfaultBuildIDAfterTools(t *testing.T) {
	build := func(kind byte, sections ...elffile.Section) elffile.File {
		file := elffile.File{Class: elf.ELFCLASS32, Sections: append(sections, elffile.DebugInfo(5))}
		file.AddMemfaultBuildID(kind, sha1)
		return file
	}
	note := elffile.BuildID(little, id)

	stripped := build(3)
	stripped.Strip()
	assert.Equal(t, buildid.Info{Type: elf.ET_EXEC, Missing: buildid.ErrNone}, inspect(t, stripped), "strip removes the symbol")

	for _, debug := range []elffile.File{build(3), build(3, note), build(1, note)} {
		debug.OnlyKeepDebug()
		got := inspect(t, debug)
		require.ErrorIs(t, got.Missing, buildid.ErrNoContent)
		assert.Empty(t, got.BuildID, "the software does not report the GNU build ID")
	}
	debug := build(2, note)
	debug.OnlyKeepDebug()
	assert.Equal(t, "c0ffee0102", inspect(t, debug).BuildID, "the note is still there")

	object := build(1)
	object.Type = elf.ET_REL
	require.ErrorIs(t, inspect(t, object).Missing, buildid.ErrNone, "an object file is not the result of a build")
}

// Other symbols and sections do not hide those of the build ID.
func TestInspect_MemfaultBuildIDAmongOthers(t *testing.T) {
	decoy := elffile.Section{Name: ".decoy", Type: elf.SHT_PROGBITS, Address: elffile.RAMAddress, Content: make([]byte, 500)}
	overlay := elffile.Section{Name: ".overlay", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC, Address: elffile.RAMAddress, Content: make([]byte, 500)}
	for name, change := range map[string]func(*elffile.File){
		"undefined before": func(f *elffile.File) {
			f.Symbols = append([]elffile.Symbol{{Name: "g_memfault_build_id"}}, f.Symbols...)
		},
		"longer names": func(f *elffile.File) {
			f.Symbols = append([]elffile.Symbol{{Name: "xg_memfault_build_id", Section: ".text"}, {Name: "g_memfault_build_ids", Section: ".text"}}, f.Symbols...)
		},
		"not loaded": func(f *elffile.File) { f.Sections = append([]elffile.Section{decoy}, f.Sections...) },
		"overlay":    func(f *elffile.File) { f.Sections = append([]elffile.Section{overlay}, f.Sections...) },
		"no symbol of the storage": func(f *elffile.File) {
			f.Symbols = f.Symbols[:2]
		},
		"symbol of another section": func(f *elffile.File) { f.Symbols[1].Section = ".bss" },
		"pointer set by the loader": func(f *elffile.File) {
			clear(f.Sections[1].Content[16:])
		},
		"many symbols": func(f *elffile.File) {
			var many []elffile.Symbol
			for i := range 20_000 {
				many = append(many, elffile.Symbol{Name: fmt.Sprintf("symbol_%d", i), Section: ".text"})
			}
			f.Symbols = append(many, f.Symbols...)
		},
	} {
		for _, class := range []elf.Class{elf.ELFCLASS32, elf.ELFCLASS64} {
			file := elffile.File{Class: class, Order: big}
			file.AddMemfaultBuildID(3, sha1)
			change(&file)
			assert.Equal(t, hex.EncodeToString(sha1), inspect(t, file).BuildID, "%s, %s", name, class)
		}
	}
}

func TestInspect_CorruptSymbols(t *testing.T) {
	whole := elffile.File{Class: elf.ELFCLASS32}
	whole.AddMemfaultBuildID(3, sha1)
	content := whole.Bytes()
	parsed, err := elf.NewFile(bytes.NewReader(content))
	require.NoError(t, err)
	table := parsed.Section(".symtab")
	// The header of a section contains the offset, the size and the section of the names, in this order.
	header := bytes.LastIndex(content, little.AppendUint32(little.AppendUint32(nil, uint32(table.Offset)), uint32(table.Size)))
	require.Positive(t, header)
	for name, change := range map[string]func([]byte){
		"size":  func(b []byte) { binary.LittleEndian.PutUint32(b[header+4:], 1<<30) },
		"names": func(b []byte) { binary.LittleEndian.PutUint32(b[header+8:], 99) },
	} {
		damaged := slices.Clone(content)
		change(damaged)
		got, err := buildid.Inspect(bytes.NewReader(damaged))
		require.ErrorContains(t, err, "corrupt ELF file", name)
		require.NotErrorIs(t, err, io.EOF)
		assert.Zero(t, got)
	}
}

// A large symbol table is read in blocks.
func TestInspect_SymbolsNeedLittleMemory(t *testing.T) {
	file := elffile.File{Class: elf.ELFCLASS64}
	for i := range 300_000 {
		file.Symbols = append(file.Symbols, elffile.Symbol{Name: fmt.Sprintf("a_symbol_with_a_long_name_%d", i)})
	}
	file.AddMemfaultBuildID(3, sha1)
	content := file.Bytes()
	require.Greater(t, len(content), 16<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := buildid.Inspect(bytes.NewReader(content))
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.Equal(t, buildid.KindMemfault, got.Kind)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func TestInspect_ReaderFailsInSymbols(t *testing.T) {
	file := elffile.File{Class: elf.ELFCLASS32, Order: big}
	file.AddMemfaultBuildID(3, sha1)
	content := file.Bytes()
	for from := range len(content) {
		got, err := buildid.Inspect(&failing{content, int64(from), errDisk})
		if err == nil {
			require.Equal(t, hex.EncodeToString(sha1), got.BuildID, "from byte %d", from)
			continue
		}
		require.ErrorIs(t, err, errDisk, "from byte %d", from)
	}
}

// FuzzInspect_MemfaultBuildID checks that the ID is found whatever it is and whatever is
// beside it, in every form of file.
func FuzzInspect_MemfaultBuildID(f *testing.F) {
	for i := range forms() {
		f.Add(sha1, "main", uint8(i), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, id []byte, name string, form uint8, withNote bool) {
		if len(id) != 20 || len(name) > 1000 || bytes.ContainsRune([]byte(name), 0) {
			return
		}
		all := forms()
		file := all[int(form)%len(all)]
		if withNote {
			file.Sections = append(file.Sections, elffile.BuildID(file.Order, []byte{1, 2, 3}))
		}
		if name != "g_memfault_build_id" && name != "g_memfault_sdk_derived_build_id" {
			file.Symbols = append(file.Symbols, elffile.Symbol{Name: name, Section: ".text", Value: elffile.ROMAddress})
		}
		file.AddMemfaultBuildID(3, id)
		require.Equal(t, hex.EncodeToString(id), inspect(t, file).BuildID)
	})
}
