package memfault_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// foreignFiles are files of formats that contain no symbols for Memfault, and their names in
// errors.
var foreignFiles = map[string]struct{ content, format string }{
	"lib.a":       {"!<arch>\n/               0           0     0     0       4         `\n", "an ar archive"},
	"thin.a":      {"!<thin>\n/               0 ", "an ar archive"},
	"a.gz":        {"\x1f\x8b\x08\x08\x66\x99\x01\x01\x02\x03app.elf", "a gzip file"},
	"a.bz2":       {"BZh91AY&SY", "a bzip2 file"},
	"a.xz":        {"\xfd7zXZ\x00\x00\x04", "an xz file"},
	"a.zst":       {"\x28\xb5\x2f\xfd\x24\x05", "a zstd file"},
	"a.lz4":       {"\x04\x22\x4d\x18\x64\x40", "an LZ4 file"},
	"a.7z":        {"7z\xbc\xaf\x27\x1c\x01\x04", "a 7z archive"},
	"a.zip":       {"PK\x03\x04\x14\x01", "a zip file"},
	"empty.zip":   {"PK\x05\x06" + strings.Repeat("\x00", 18), "a zip file"},
	"a.tar":       {"app.elf" + strings.Repeat("\x00", 250) + "ustar\x0000", "a tar archive"},
	"macho32":     {"\xce\xfa\xed\xfe\x07\x01", "a Mach-O file"},
	"macho64":     {"\xcf\xfa\xed\xfe\x07\x01", "a Mach-O file"},
	"macho32-big": {"\xfe\xed\xfa\xce\x07\x01", "a Mach-O file"},
	"macho64-big": {"\xfe\xed\xfa\xcf\x07\x01", "a Mach-O file"},
	"fat":         {"\xca\xfe\xba\xbe\x01\x02", "a Mach-O file"},
	"a.exe":       {"MZ\x90\x00\x03\x00\x00\x00PE\x00\x00", "a PE file"},
	"a.uf2":       {"UF2\nWQ]\x9e", "a UF2 image"},
	"a.bc":        {"BC\xc0\xde\x35\x14", "LLVM bitcode"},
	"a.bin":       {"\x00\x80\x00\x20\xc1\x01\x00\x08", "a binary file"},
	"core":        {"CORE\x02\x00\x00\x00", "a binary file"},
	"a.hex":       {":020000040800F2\r\n:10000000008000200D0100081101000813010008B4\r\n", "an Intel HEX file"},
	"end.hex":     {":00000001FF", "an Intel HEX file"},
	"a.srec":      {"S00600004844521B\nS1130000285F245F2212226A000424290008237C2A\n", "an S-record file"},
	"s3.srec":     {"S30900000000010203042B\xff", ""},
}

func TestSymbols_ForeignFormats(t *testing.T) {
	cloud, client := newCloud(t)
	for name, c := range foreignFiles {
		for _, options := range []memfault.SymbolsOptions{{}, {SoftwareType: "main", SoftwareVersion: "1.0.0"}, {SoftwareType: "main", SoftwareVersion: "1.0.0", IfMissing: true, WithoutDebugInfo: true}} {
			_, err := client.Uploads.Symbols(t.Context(), sink, fileWith(name, []byte(c.content)), options)
			if c.format == "" && options.SoftwareVersion != "" {
				continue // a text after all
			}
			require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
			require.NotErrorIs(t, err, memfault.ErrNoBuildID, name)
			require.ErrorContains(t, err, "File: "+name+": "+c.format)
		}
		if c.format != "" {
			_, err := client.Uploads.SymbolsLegacy(t.Context(), sink, "main", "1.0.0", fileWith(name, []byte(c.content)))
			require.ErrorContains(t, err, c.format, name)
		}
	}
	core := append([]byte(elfCore), make([]byte, 100)...)
	core[20], core[52] = 1, 64 // the version, and the size of the header
	_, err := client.Uploads.Symbols(t.Context(), sink, fileWith("core", core), memfault.SymbolsOptions{SoftwareType: "main", SoftwareVersion: "1.0.0", WithoutDebugInfo: true})
	require.ErrorContains(t, err, "an ELF core file contains no symbols")
	for _, upload := range cloud.Uploads() {
		assert.Equal(t, "s3.srec", upload.Name)
	}
}

func TestSymbols_TextNeedsVersion(t *testing.T) {
	for name, content := range map[string]string{
		"mapping":           "com.acme.App -> a:\n    int x -> a\n",
		"R8":                "# compiler: R8\n# compiler_version: 8.5.35\n# pg_map_id: 1f8b\ncom.acme.App -> a:\n",
		"not ASCII":         "com.acmé.Äpp -> a:\n",
		"a class MZ":        "MZ -> a:\n",
		"a class S1":        "S113 -> a:\n",
		"a colon":           ":app:release -> a:\n",
		"damaged hex":       ":020000040800F3\n",
		"short":             "a",
		"S-record, damaged": "S00600004844521C\n",
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			file := fileWith("mapping.txt", []byte(content))
			_, err := client.Uploads.Symbols(t.Context(), sink, file, memfault.SymbolsOptions{IfMissing: true})
			require.EqualError(t, err, "memfault: File: mapping.txt: not an ELF file, and SymbolsOptions identify no software version")
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			require.NotErrorIs(t, err, memfault.ErrNoBuildID)
			assert.Empty(t, cloud.Requests(""))
			_, err = client.Uploads.Symbols(t.Context(), sink, file, memfault.SymbolsOptions{SoftwareType: "com.acme", SoftwareVersion: "1.0:7"})
			require.NoError(t, err)
		})
	}
}
