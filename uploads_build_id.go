package memfault

import (
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
