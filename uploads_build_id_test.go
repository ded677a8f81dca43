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
}

func TestBuildID_UnusableFile(t *testing.T) {
	for want, content := range map[string][]byte{
		"memfault: BuildID: not an ELF file":                       []byte("com.acme.App -> a:"),
		"memfault: BuildID: not an ELF":                            {},
		"memfault: BuildID: corrupt ELF file: ":                    []byte("\x7fELF"), // the cause is worded by the version of Go
		"memfault: BuildID: corrupt ELF file: unknown ELF version": []byte("\x7fELF\x02\x01\x09 and no more"),
		"memfault: BuildID: nil reader":                            nil,
	} {
		var reader io.ReaderAt
		if content != nil {
			reader = bytes.NewReader(content)
		}
		_, err := memfault.BuildID(reader)
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		require.NotErrorIs(t, err, memfault.ErrNoBuildID)
	}
	_, err := memfault.BuildID(&changing{err: io.ErrNoProgress})
	require.ErrorIs(t, err, io.ErrNoProgress)
	content := noteELF(binary.LittleEndian, []byte{1}, true, 0)
	notes := &changing{content: content, after: int64(len(content)) - 10, err: io.ErrNoProgress}
	notes.size.Store(int64(len(content)))
	_, err = memfault.BuildID(notes)
	require.ErrorIs(t, err, io.ErrNoProgress, "an error while a note is read")
}
