package buildid_test

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/buildid"
	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
)

var (
	little, big = binary.LittleEndian, binary.BigEndian
	id          = []byte{0xC0, 0xFF, 0xEE, 1, 2}
)

// notes returns a note of another kind, then the build ID, if there is one.
func notes(order binary.AppendByteOrder, id []byte, align int) []byte {
	b := elffile.Note(order, 1, "GNU", make([]byte, 5), align)
	if id != nil {
		b = append(b, elffile.Note(order, 3, "GNU", id, align)...)
	}
	return b
}

func inSection(order binary.AppendByteOrder, content []byte) []byte {
	return elffile.File{Order: order, Sections: []elffile.Section{{Name: ".note", Type: elf.SHT_NOTE, Align: 4, Content: content}}}.Bytes()
}

func inSegment(order binary.AppendByteOrder, content []byte, align uint64) []byte {
	return elffile.File{Order: order, Segments: []elffile.Segment{{Align: align, Content: content}}}.Bytes()
}

// gnu returns what Inspect reads in an executable with a GNU build ID.
func gnu(id string) buildid.Info {
	return buildid.Info{Type: elf.ET_EXEC, Kind: buildid.KindGNU, BuildID: id, GNUBuildID: id}
}

func TestInspect_Forms(t *testing.T) {
	for name, content := range map[string][]byte{
		"section, little-endian":    inSection(little, notes(little, id, 4)),
		"section, big-endian":       inSection(big, notes(big, id, 4)),
		"segment, little-endian":    inSegment(little, notes(little, id, 4), 4),
		"segment, big-endian":       inSegment(big, notes(big, id, 4), 4),
		"segment aligned to 8":      inSegment(little, notes(little, id, 8), 8),
		"segment aligned to 1":      inSegment(little, notes(little, id, 4), 1),
		"second section":            elffile.File{Sections: []elffile.Section{{Name: ".note.abi", Type: elf.SHT_NOTE, Content: notes(little, nil, 4)}, elffile.BuildID(little, id)}}.Bytes(),
		"section before segment":    elffile.File{Segments: []elffile.Segment{{Align: 4, Content: notes(little, []byte{9}, 4)}}, Sections: []elffile.Section{elffile.BuildID(little, id)}}.Bytes(),
		"note of another name":      inSection(little, append(elffile.Note(little, 3, "GO", []byte{7}, 4), notes(little, id, 4)...)),
		"empty build ID before one": inSection(little, append(elffile.Note(little, 3, "GNU", nil, 4), notes(little, id, 4)...)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := buildid.Inspect(bytes.NewReader(content))
			require.NoError(t, err)
			assert.Equal(t, gnu("c0ffee0102"), got)
		})
	}
}

func TestInspect_NoBuildID(t *testing.T) {
	for name, content := range map[string][]byte{
		"section":      inSection(little, notes(little, nil, 4)),
		"segment":      inSegment(big, notes(big, nil, 4), 4),
		"no notes":     elffile.File{}.Bytes(),
		"note cut off": inSection(little, notes(little, id, 4)[:40]),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := buildid.Inspect(bytes.NewReader(content))
			require.NoError(t, err)
			assert.Equal(t, buildid.Info{Type: elf.ET_EXEC, Missing: buildid.ErrNone}, got)
		})
	}
}

func TestInspect_NotELF(t *testing.T) {
	for _, content := range []string{"", "\x7fEL", "com.acme.App -> a:"} {
		_, err := buildid.Inspect(bytes.NewReader([]byte(content)))
		require.ErrorIs(t, err, buildid.ErrNotELF)
	}
}

func TestInspect_Corrupt(t *testing.T) {
	whole := inSection(little, notes(little, id, 4))
	patched := func(at int, b byte) []byte {
		content := bytes.Clone(whole)
		content[at] = b
		return content
	}
	noNotes := elffile.File{Sections: []elffile.Section{{Name: ".note", Type: elf.SHT_NOTE, Size: 1000}}}.Bytes()
	unknownCompression := elffile.File{Sections: []elffile.Section{{Name: ".note", Type: elf.SHT_NOTE, Flags: elf.SHF_COMPRESSED, Content: make([]byte, 24)}}}.Bytes()
	for name, content := range map[string][]byte{
		"magic only":           []byte(elf.ELFMAG),
		"header cut off":       []byte("\x7fELF\x02\x01\x01 and no more"),
		"sections cut off":     whole[:100],
		"table of other names": patched(0x3E, 1),
		"no table of names":    patched(0x3E, 9),
		"name after the table": patched(64+64, 0xFF),
		"notes cut off":        noNotes,
		"notes not compressed": unknownCompression,
		"unknown class":        append([]byte("\x7fELF\x09\x01\x01"), make([]byte, 100)...),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := buildid.Inspect(bytes.NewReader(content))
			require.ErrorContains(t, err, "corrupt ELF file: ")
			require.NotErrorIs(t, err, io.EOF, "io.EOF does not describe a problem")
			require.NotErrorIs(t, err, buildid.ErrNotELF)
			assert.Zero(t, got)
		})
	}
	_, err := buildid.Inspect(bytes.NewReader(whole[:100]))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// A build ID that can be read is enough.
func TestInspect_OneCorruptSection(t *testing.T) {
	content := elffile.File{Sections: []elffile.Section{{Name: ".note", Type: elf.SHT_NOTE, Size: 1000}, elffile.BuildID(little, id)}}.Bytes()
	got, err := buildid.Inspect(bytes.NewReader(content))
	require.NoError(t, err)
	assert.Equal(t, "c0ffee0102", got.BuildID)
}

// The segments of a file that contains only symbols describe content that it lacks.
func TestInspect_SegmentWithoutContent(t *testing.T) {
	content := inSegment(little, notes(little, id, 4), 4)
	got, err := buildid.Inspect(bytes.NewReader(content[:len(content)-20]))
	require.NoError(t, err)
	assert.Empty(t, got.BuildID)
}

func TestInspect_DebugInfo(t *testing.T) {
	dwarf := []byte("dwarf")
	for name, c := range map[string]struct {
		section elffile.Section
		want    bool
	}{
		"debug_info":            {elffile.Section{Name: ".debug_info", Type: elf.SHT_PROGBITS, Content: dwarf}, true},
		"zdebug_info":           {elffile.Section{Name: ".zdebug_info", Type: elf.SHT_PROGBITS, Content: dwarf}, true},
		"compressed debug_info": {elffile.Section{Name: ".debug_info", Type: elf.SHT_PROGBITS, Flags: elf.SHF_COMPRESSED, Content: make([]byte, 24)}, true},
		"empty":                 {elffile.Section{Name: ".debug_info", Type: elf.SHT_PROGBITS}, false},
		"no content":            {elffile.Section{Name: ".debug_info", Type: elf.SHT_NOBITS, Size: 5}, false},
		"line table only":       {elffile.Section{Name: ".debug_line", Type: elf.SHT_PROGBITS, Content: dwarf}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, sections := range [][]elffile.Section{{c.section, elffile.BuildID(little, id)}, {elffile.BuildID(little, id), c.section}} {
				got, err := buildid.Inspect(bytes.NewReader(elffile.File{Sections: sections}.Bytes()))
				require.NoError(t, err)
				want := gnu("c0ffee0102")
				want.HasDebugInfo = c.want
				assert.Equal(t, want, got)
			}
			got, err := buildid.Inspect(bytes.NewReader(elffile.File{Sections: []elffile.Section{c.section}}.Bytes()))
			require.NoError(t, err)
			assert.Equal(t, c.want, got.HasDebugInfo)
		})
	}
}

// failing returns an error for each read that touches the bytes from a given offset.
type failing struct {
	content []byte
	from    int64
	err     error
}

func (f *failing) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > f.from {
		return 0, f.err
	}
	return bytes.NewReader(f.content).ReadAt(p, at)
}

var errDisk = errors.New("disk error")

// Whatever part of the file the reader fails at, its error is returned.
func TestInspect_ReaderFails(t *testing.T) {
	for name, content := range map[string][]byte{
		"section": inSection(little, notes(little, id, 4)),
		"segment": inSegment(little, notes(little, id, 4), 4),
	} {
		t.Run(name, func(t *testing.T) {
			for from := range len(content) {
				got, err := buildid.Inspect(&failing{content, int64(from), errDisk})
				if err == nil && got.BuildID == "c0ffee0102" {
					continue // what it needs was before
				}
				require.ErrorIs(t, err, errDisk, "from byte %d", from)
				assert.Zero(t, got)
			}
			_, err := buildid.Inspect(&failing{content, int64(len(content)) - 30, errDisk})
			require.ErrorIs(t, err, errDisk)
		})
	}
}

// huge is a section that needs 64 MiB when it is decompressed.
func huge(t *testing.T) elffile.Section {
	const size = 64 << 20
	packed := little.AppendUint64(nil, uint64(elf.COMPRESS_ZLIB))
	packed = little.AppendUint64(little.AppendUint64(packed, size), 4)
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	for range size >> 20 {
		_, err := w.Write(make([]byte, 1<<20))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return elffile.Section{Name: ".note", Type: elf.SHT_NOTE, Flags: elf.SHF_COMPRESSED, Align: 4, Content: append(packed, b.Bytes()...)}
}

func TestInspect_HugeSection(t *testing.T) {
	content := elffile.File{Sections: []elffile.Section{huge(t)}}.Bytes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := buildid.Inspect(bytes.NewReader(content))
	require.NoError(t, err)
	assert.Empty(t, got.BuildID)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "only 1 MiB may be decompressed")
}

// In a crafted file, many sections have a part of the same long name.
func TestInspect_SectionNames(t *testing.T) {
	const size, count = 1 << 20, 1000
	sections := append([]elffile.Section{{Name: strings.Repeat("n", size), Type: elf.SHT_PROGBITS}}, make([]elffile.Section, count)...)
	content := elffile.File{Sections: append(sections, elffile.BuildID(little, id))}.Bytes()
	headers := content[little.Uint64(content[0x28:])+64:]
	long := little.Uint32(headers)
	for i := range uint32(count) {
		little.PutUint32(headers[64*(i+1):], long+i)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := buildid.Inspect(bytes.NewReader(content))
	require.NoError(t, err)
	assert.Equal(t, "c0ffee0102", got.BuildID)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16*size), "names must not be copied")
}

// FuzzInspect checks any file, with a reader that fails from an offset on if that is not
// negative. An error of the reader must not look like a file without a build ID.
func FuzzInspect(f *testing.F) {
	f.Add(inSection(little, notes(little, id, 4)), int64(-1))
	f.Add(inSegment(big, notes(big, id, 4), 4), int64(100))
	f.Add(elffile.File{Sections: []elffile.Section{{Name: ".debug_info", Type: elf.SHT_PROGBITS, Content: []byte("x")}}}.Bytes(), int64(0))
	f.Add([]byte("\x7fELF"), int64(-1))
	for _, form := range forms() {
		file := form
		file.AddMemfaultBuildID(3, sha1)
		f.Add(file.Bytes(), int64(-1))
		f.Add(file.Bytes(), int64(1200))
	}
	f.Fuzz(func(t *testing.T, content []byte, failsAt int64) {
		reader := &watched{ReaderAt: bytes.NewReader(content)}
		if failsAt >= 0 {
			reader.ReaderAt = &failing{content, failsAt, errDisk}
		}
		got, err := buildid.Inspect(reader)
		require.Equal(t, reader.failed, errors.Is(err, errDisk))
		if err != nil {
			require.Zero(t, got)
			require.NotErrorIs(t, err, io.EOF, "io.EOF does not describe a problem")
			return
		}
		_, err = elf.NewFile(bytes.NewReader(content))
		require.NoError(t, err)
		require.Equal(t, got.BuildID == "", got.Missing != nil)
		for _, id := range []string{got.BuildID, got.GNUBuildID} {
			found, err := hex.DecodeString(id)
			require.NoError(t, err)
			if !bytes.Contains(content, found) {
				require.True(t, compressed(content), "the build ID is not in the file")
			}
		}
	})
}

// compressed reports whether a file has a compressed section.
func compressed(content []byte) bool {
	file, err := elf.NewFile(bytes.NewReader(content))
	return err == nil && slices.ContainsFunc(file.Sections, func(s *elf.Section) bool { return s.Flags&elf.SHF_COMPRESSED != 0 })
}

// watched remembers whether a read failed.
type watched struct {
	io.ReaderAt
	failed bool
}

func (w *watched) ReadAt(p []byte, at int64) (int, error) {
	n, err := w.ReaderAt.ReadAt(p, at)
	w.failed = w.failed || errors.Is(err, errDisk)
	return n, err
}

// FuzzInspect_BuildID checks that the build ID is found after other notes, and that nothing is
// taken for one, in every form of file.
func FuzzInspect_BuildID(f *testing.F) {
	f.Add(id, "GNU", []byte{1, 2, 3}, uint32(1), uint8(0))
	f.Add([]byte{}, "", []byte{}, uint32(3), uint8(3))
	f.Add([]byte("0123456789abcdefghij"), "Go\x00", []byte("GNU\x00"), uint32(3), uint8(5))
	f.Add([]byte{9}, "GNU", []byte{}, uint32(3), uint8(6))
	f.Fuzz(func(t *testing.T, id []byte, name string, other []byte, kind uint32, form uint8) {
		if len(id)+len(name)+len(other) > 1000 || kind == 3 && name == "GNU" && len(other) > 0 {
			return // the other note would be a build ID
		}
		order, align := []binary.AppendByteOrder{little, big}[form&1], 4
		if form&2 != 0 && form&4 != 0 {
			align = 8
		}
		content := append(elffile.Note(order, kind, name, other, align), elffile.Note(order, 3, "GNU", id, align)...)
		file := inSection(order, content)
		if form&4 != 0 {
			file = inSegment(order, content, uint64(align))
		}
		got, err := buildid.Inspect(bytes.NewReader(file))
		require.NoError(t, err)
		if require.Equal(t, hex.EncodeToString(id), got.BuildID); len(id) > 0 {
			require.Equal(t, gnu(hex.EncodeToString(id)), got)
		}
	})
}

func TestInspect_ReadsLittle(t *testing.T) {
	counter := &counting{Reader: bytes.NewReader(append(inSection(little, notes(little, id, 4)), make([]byte, 10<<20)...))}
	_, err := buildid.Inspect(counter)
	require.NoError(t, err)
	assert.Less(t, counter.n, 64<<10)
}

type counting struct {
	*bytes.Reader
	n int
}

func (c *counting) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.Reader.ReadAt(p, at)
	c.n += n
	return n, err
}

var _ io.ReaderAt = (*counting)(nil)
