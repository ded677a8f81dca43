package memfault

import (
	"errors"
	"io"

	"github.com/memfault-go/memfault/internal/buildid"
)

// GNUBuildID returns the GNU build id of an ELF file, in lower-case hexadecimal. A
// file that carries none is an error; linkers write one when they are told to, as
// with -Wl,--build-id.
func GNUBuildID(r io.ReaderAt) (string, error) {
	if r == nil {
		return "", invalid("GNUBuildID: the reader is nil")
	}
	id, err := readBuildID(r)
	if err == nil && id == "" {
		err = errors.New("the ELF file carries no GNU build id")
	}
	if err != nil {
		return "", invalid("GNUBuildID: %w", err)
	}
	return id, nil
}

var errNotELF = buildid.ErrNotELF

// readBuildID returns an empty id when an ELF file carries none.
func readBuildID(r io.ReaderAt) (string, error) { return buildid.Read(r) }
