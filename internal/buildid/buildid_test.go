package buildid_test

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/buildid"
	"github.com/memfault-go/memfault/internal/elftest"
)

var (
	little, big = binary.LittleEndian, binary.BigEndian
	id          = []byte{0xC0, 0xFF, 0xEE, 1, 2}
)

// notes returns a note of another kind, then the build ID, if there is one.
func notes(order binary.AppendByteOrder, id []byte, align int) []byte {
	b := elftest.Note(order, 1, "GNU", make([]byte, 5), align)
	if id != nil {
		b = append(b, elftest.Note(order, 3, "GNU", id, align)...)
	}
	return b
}

func inSection(order binary.AppendByteOrder, content []byte) []byte {
	return elftest.File{Order: order, Sections: []elftest.Section{{Name: ".note", Type: elf.SHT_NOTE, Align: 4, Content: content}}}.Bytes()
}

func inSegment(order binary.AppendByteOrder, content []byte, align uint64) []byte {
	return elftest.File{Order: order, Segments: []elftest.Segment{{Align: align, Content: content}}}.Bytes()
}

func TestRead_Forms(t *testing.T) {
	for name, content := range map[string][]byte{
		"section, little-endian":    inSection(little, notes(little, id, 4)),
		"section, big-endian":       inSection(big, notes(big, id, 4)),
		"segment, little-endian":    inSegment(little, notes(little, id, 4), 4),
		"segment, big-endian":       inSegment(big, notes(big, id, 4), 4),
		"segment aligned to 8":      inSegment(little, notes(little, id, 8), 8),
		"segment aligned to 1":      inSegment(little, notes(little, id, 4), 1),
		"second section":            elftest.File{Sections: []elftest.Section{{Name: ".note.abi", Type: elf.SHT_NOTE, Content: notes(little, nil, 4)}, elftest.BuildID(little, id)}}.Bytes(),
		"section before segment":    elftest.File{Segments: []elftest.Segment{{Align: 4, Content: notes(little, []byte{9}, 4)}}, Sections: []elftest.Section{elftest.BuildID(little, id)}}.Bytes(),
		"note of another name":      inSection(little, append(elftest.Note(little, 3, "GO", []byte{7}, 4), notes(little, id, 4)...)),
		"empty build ID before one": inSection(little, append(elftest.Note(little, 3, "GNU", nil, 4), notes(little, id, 4)...)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := buildid.Read(bytes.NewReader(content))
			require.NoError(t, err)
			assert.Equal(t, "c0ffee0102", got)
		})
	}
}

func TestRead_NoBuildID(t *testing.T) {
	for name, content := range map[string][]byte{
		"section":      inSection(little, notes(little, nil, 4)),
		"segment":      inSegment(big, notes(big, nil, 4), 4),
		"no notes":     elftest.File{}.Bytes(),
		"note cut off": inSection(little, notes(little, id, 4)[:40]),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := buildid.Read(bytes.NewReader(content))
			require.NoError(t, err)
			assert.Empty(t, got)
		})
	}
}

func TestRead_NotELF(t *testing.T) {
	for _, content := range []string{"", "\x7fEL", "com.acme.App -> a:"} {
		_, err := buildid.Read(bytes.NewReader([]byte(content)))
		require.ErrorIs(t, err, buildid.ErrNotELF)
	}
	_, err := buildid.Read(bytes.NewReader([]byte("\x7fELF\x02\x01\x01 and no more")))
	require.Error(t, err)
	require.NotErrorIs(t, err, buildid.ErrNotELF)
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

func TestRead_ReaderFails(t *testing.T) {
	_, err := buildid.Read(&failing{err: errDisk})
	require.ErrorIs(t, err, errDisk)
}

// huge is a section that needs 64 MiB when it is decompressed.
func huge(t *testing.T) elftest.Section {
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
	return elftest.Section{Name: ".note", Type: elf.SHT_NOTE, Flags: elf.SHF_COMPRESSED, Align: 4, Content: append(packed, b.Bytes()...)}
}

func TestRead_HugeSection(t *testing.T) {
	content := elftest.File{Sections: []elftest.Section{huge(t)}}.Bytes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := buildid.Read(bytes.NewReader(content))
	require.NoError(t, err)
	assert.Empty(t, got)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "only 1 MiB may be decompressed")
}

func FuzzRead(f *testing.F) {
	f.Add(inSection(little, notes(little, id, 4)))
	f.Add(inSegment(big, notes(big, id, 4), 4))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := buildid.Read(bytes.NewReader(content))
		if err != nil && got != "" {
			t.Errorf("build ID %q with the error %v", got, err)
		}
	})
}

func TestRead_ReadsLittle(t *testing.T) {
	counter := &counting{Reader: bytes.NewReader(append(inSection(little, notes(little, id, 4)), make([]byte, 10<<20)...))}
	_, err := buildid.Read(counter)
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
