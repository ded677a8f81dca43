package memfault

import (
	"errors"
	"io"

	"github.com/memfault-go/memfault/internal/buildid"
)

// GNUBuildID returns the GNU build ID of an ELF file in lowercase hexadecimal. If the file
// has none, GNUBuildID returns an error. Linkers add a build ID only on request, such as with
// -Wl,--build-id.
func GNUBuildID(r io.ReaderAt) (string, error) {
	if r == nil {
		return "", invalid("GNUBuildID: nil reader")
	}
	id, err := readBuildID(r)
	switch {
	case err != nil:
		return "", invalid("GNUBuildID: %w", err)
	case id == "":
		return "", invalid("GNUBuildID: ELF file without a GNU build ID")
	}
	return id, nil
}

var errNotELF = buildid.ErrNotELF

// readBuildID returns "" if an ELF file has no build ID.
func readBuildID(r io.ReaderAt) (string, error) {
	info, err := buildid.Inspect(r)
	return info.BuildID, err
}

const withoutDebugInfo = "the ELF file has no debug information (.debug_info)"

// checkSymbols returns an error for an ELF file that contains no symbols, or whose software
// Memfault could not identify. Other files, such as mapping files of Android, are not checked.
func (o SymbolsOptions) checkSymbols(file *File) error {
	if err := file.validate(); err != nil {
		return err
	}
	info, err := buildid.Inspect(file.Content)
	switch {
	case errors.Is(err, errNotELF):
		return nil
	case err != nil:
		return invalid("File: %s: %w", file.Name, err)
	case !info.HasDebugInfo && !o.WithoutDebugInfo:
		return invalid("File: %s: %s; upload the file as it was before it was stripped, or set WithoutDebugInfo", file.Name, withoutDebugInfo)
	case info.BuildID == "" && o.SoftwareVersion == "":
		return invalid("File: %s: the ELF file has no GNU build ID, and SymbolsOptions identify no software version", file.Name)
	}
	return nil
}
