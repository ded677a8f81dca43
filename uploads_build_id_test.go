package memfault_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
)

func TestGNUBuildID(t *testing.T) {
	id, err := memfault.GNUBuildID(bytes.NewReader(noteELF(binary.LittleEndian, []byte{0xC0, 0xFF, 0xEE, 1, 2}, false, 0)))
	require.NoError(t, err)
	assert.Equal(t, "c0ffee0102", id)
	for want, content := range map[string][]byte{
		"not an ELF file":                                             []byte("com.acme.App -> a:"),
		"memfault: GNUBuildID: not an ELF":                            nil,
		"memfault: GNUBuildID: corrupt ELF file: ":                    []byte("\x7fELF"), // the cause is worded by the version of Go
		"memfault: GNUBuildID: corrupt ELF file: unknown ELF version": []byte("\x7fELF\x02\x01\x09 and no more"),
	} {
		_, err := memfault.GNUBuildID(bytes.NewReader(content))
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		require.NotErrorIs(t, err, memfault.ErrNoBuildID)
	}
	for _, content := range [][]byte{noteELF(binary.LittleEndian, nil, false, 0), noteELF(binary.BigEndian, nil, true, 0)} {
		_, err := memfault.GNUBuildID(bytes.NewReader(content))
		require.EqualError(t, err, "memfault: GNUBuildID: ELF file without a GNU build ID")
		require.ErrorIs(t, err, memfault.ErrNoBuildID)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
	_, err = memfault.GNUBuildID(nil)
	require.ErrorContains(t, err, "nil")
	_, err = memfault.GNUBuildID(&changing{err: io.ErrNoProgress})
	require.ErrorIs(t, err, io.ErrNoProgress)
	content := noteELF(binary.LittleEndian, []byte{1}, true, 0)
	notes := &changing{content: content, after: int64(len(content)) - 10, err: io.ErrNoProgress}
	notes.size.Store(int64(len(content)))
	_, err = memfault.GNUBuildID(notes)
	require.ErrorIs(t, err, io.ErrNoProgress, "an error while a note is read")
}

var memfaultID = []byte("\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1\xc2\xc3\xc4")

const memfaultIDText = "b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4"

// firmwareELF returns a 32-bit ELF file of a big-endian processor, with debug information and a
// Memfault build ID of the given type.
func firmwareELF(kind byte, sections ...elffile.Section) *elffile.File {
	file := &elffile.File{Class: elf.ELFCLASS32, Order: binary.BigEndian, Machine: elf.EM_MIPS, Sections: append(sections, elffile.DebugInfo(100))}
	file.AddMemfaultBuildID(kind, memfaultID)
	return file
}

func TestBuildID(t *testing.T) {
	note := elffile.BuildID(binary.BigEndian, []byte{0xC0, 0xFF, 0xEE})
	stripped := firmwareELF(3, note)
	stripped.Strip()
	gnu, ofMemfault := memfault.BuildIDKindGNU, memfault.BuildIDKindMemfault
	for name, c := range map[string]struct {
		file *elffile.File
		want memfault.ELFBuildID
		err  string
	}{
		"Memfault":           {firmwareELF(3), memfault.ELFBuildID{Kind: ofMemfault, ID: memfaultIDText}, ""},
		"both":               {firmwareELF(3, note), memfault.ELFBuildID{Kind: ofMemfault, ID: memfaultIDText}, ""},
		"GNU by the SDK":     {firmwareELF(2, note), memfault.ELFBuildID{Kind: gnu, ID: "c0ffee"}, ""},
		"GNU":                {&elffile.File{Order: binary.BigEndian, Sections: []elffile.Section{note}}, memfault.ELFBuildID{Kind: gnu, ID: "c0ffee"}, ""},
		"stripped":           {stripped, memfault.ELFBuildID{Kind: gnu, ID: "c0ffee"}, ""},
		"not written":        {firmwareELF(1), memfault.ELFBuildID{Kind: ofMemfault}, "memfault: BuildID: the ELF file has no Memfault build ID yet: run the step after the build that writes it, scripts/fw_build_id.py of the firmware SDK"},
		"not written, note":  {firmwareELF(1, note), memfault.ELFBuildID{Kind: ofMemfault}, "fw_build_id.py"},
		"GNU without a note": {firmwareELF(2), memfault.ELFBuildID{}, "memfault: BuildID: the ELF file has no GNU build ID and no Memfault build ID"},
		"neither":            {&elffile.File{}, memfault.ELFBuildID{}, "no GNU build ID and no Memfault build ID"},
		"unknown type":       {firmwareELF(7, note), memfault.ELFBuildID{}, "unknown form of g_memfault_build_id: type 7"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := memfault.BuildID(bytes.NewReader(c.file.Bytes()))
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want.ID, got.String())
			if c.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.err)
			require.ErrorIs(t, err, memfault.ErrNoBuildID)
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		})
	}
	for name, content := range map[string][]byte{"not an ELF file": []byte("text"), "corrupt": []byte("\x7fELF"), "nil reader": nil} {
		var reader io.ReaderAt
		if content != nil {
			reader = bytes.NewReader(content)
		}
		_, err := memfault.BuildID(reader)
		require.ErrorContains(t, err, name)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		require.NotErrorIs(t, err, memfault.ErrNoBuildID)
	}
	id, err := memfault.GNUBuildID(bytes.NewReader(firmwareELF(3, note).Bytes()))
	require.NoError(t, err)
	assert.Equal(t, "c0ffee", id)
}
