package memfault

import (
	"bytes"
	"encoding/hex"

	"github.com/memfault-go/memfault/internal/buildid"
)

// checkText checks a file that is not an ELF file. It can only be a text, such as a mapping
// file of Android, and only its version identifies its software.
func (o SymbolsOptions) checkText(file *File) error {
	const enough = 1024 // contains what foreignFormat looks for
	start, err := file.start(enough)
	if err != nil {
		return err
	}
	if format := foreignFormat(start); format != "" {
		return invalid("File: %s: %s contains no symbols for Memfault; upload the ELF file that the linker wrote", file.Name, format)
	}
	if o.SoftwareVersion == "" {
		return invalid("File: %s: %w, and SymbolsOptions identify no software version", file.Name, buildid.ErrNotELF)
	}
	return nil
}

// foreignFormat returns the format of a file that is neither an ELF file nor a text, or that
// is a firmware image in a text; otherwise "".
func foreignFormat(start []byte) string {
	const (
		tarMagicAt = 257
		binaryAt   = 64 // binary files have a zero before
	)
	for _, known := range []struct {
		at            int
		magic, format string
	}{
		{0, "!<arch>\n", "an ar archive"},
		{0, "!<thin>\n", "an ar archive"},
		{0, "\x1f\x8b", "a gzip file"},
		{0, "BZh", "a bzip2 file"},
		{0, "\xfd7zXZ\x00", "an xz file"},
		{0, "\x28\xb5\x2f\xfd", "a zstd file"},
		{0, "\x04\x22\x4d\x18", "an LZ4 file"},
		{0, "7z\xbc\xaf\x27\x1c", "a 7z archive"},
		{0, "PK\x03\x04", "a zip file"},
		{0, "PK\x05\x06", "a zip file"},
		{tarMagicAt, "ustar", "a tar archive"},
		{0, "\xfe\xed\xfa\xce", "a Mach-O file"},
		{0, "\xfe\xed\xfa\xcf", "a Mach-O file"},
		{0, "\xce\xfa\xed\xfe", "a Mach-O file"},
		{0, "\xcf\xfa\xed\xfe", "a Mach-O file"},
		{0, "\xca\xfe\xba\xbe", "a Mach-O file or Java class"},
		{0, "UF2\n", "a UF2 image"},
		{0, "BC\xc0\xde", "LLVM bitcode"},
	} {
		if len(start) > known.at && bytes.HasPrefix(start[known.at:], []byte(known.magic)) {
			return known.format
		}
	}
	line, _, _ := bytes.Cut(start, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	binary := bytes.IndexByte(start[:min(binaryAt, len(start))], 0) >= 0
	switch {
	case binary && bytes.HasPrefix(start, []byte("MZ")):
		return "a PE file"
	case binary:
		return "a binary file"
	case isIntelHex(line):
		return "an Intel HEX file"
	case isSRecord(line):
		return "an S-record file"
	}
	return ""
}

// isIntelHex reports whether a line is a record: a colon, the number of bytes, an address, a
// type, the bytes, and a checksum that makes the sum 0.
func isIntelHex(line []byte) bool {
	text, found := bytes.CutPrefix(line, []byte(":"))
	record, err := hex.DecodeString(string(text))
	const others = 5
	return found && err == nil && len(record) >= others && len(record) == int(record[0])+others && sum(record) == 0
}

// isSRecord reports whether a line is a record: an S, a type, the number of bytes after it, the
// bytes, and a checksum that makes the sum 255.
func isSRecord(line []byte) bool {
	if len(line) < 4 || line[0] != 'S' || line[1] < '0' || line[1] > '9' {
		return false
	}
	record, err := hex.DecodeString(string(line[2:]))
	return err == nil && len(record) == int(record[0])+1 && sum(record) == 0xff
}

func sum(record []byte) (sum byte) {
	for _, b := range record {
		sum += b
	}
	return sum
}
