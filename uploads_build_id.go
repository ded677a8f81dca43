package memfault

import (
	"debug/elf"
	"errors"
	"io"

	"github.com/memfault-go/memfault/internal/buildid"
)

// BuildIDKind is the kind of a build ID.
type BuildIDKind string

const (
	// BuildIDKindGNU is the kind of an ID that the linker wrote. Linkers do so only on
	// request, such as with -Wl,--build-id.
	BuildIDKindGNU BuildIDKind = "gnu"
	// BuildIDKindMemfault is the kind of an ID that scripts/fw_build_id.py of the firmware SDK
	// wrote after the build. Projects of ESP-IDF and Zephyr have one by default.
	BuildIDKindMemfault BuildIDKind = "memfault"
)

// ELFBuildID identifies the build of an ELF file; see [BuildID].
type ELFBuildID struct {
	Kind BuildIDKind
	ID   string // lowercase hexadecimal
}

// String returns the ID.
func (b ELFBuildID) String() string { return b.ID }

// BuildID returns the build ID that the software in an ELF file reports to Memfault. If the
// file has both kinds of IDs, the firmware SDK's symbol g_memfault_build_id decides which of
// them the software reports.
//
// If the file has no build ID, the error is of the kind [ErrNoBuildID]. If the step after the
// build that writes the Memfault build ID is missing, the error names it, and the result has
// the Kind [BuildIDKindMemfault] and no ID. The error for a file that is not an ELF file, is
// corrupt or cannot be read is of the kind [ErrInvalidArgument] only.
//
// Memfault: https://docs.memfault.com/docs/mcu/symbol-file-build-ids
func BuildID(r io.ReaderAt) (ELFBuildID, error) {
	if r == nil {
		return ELFBuildID{}, invalid("BuildID: nil reader")
	}
	info, err := buildid.Inspect(r)
	if err != nil {
		return ELFBuildID{}, invalid("BuildID: %w", err)
	}
	id := ELFBuildID{ID: info.BuildID}
	switch info.Kind {
	case buildid.KindGNU:
		id.Kind = BuildIDKindGNU
	case buildid.KindMemfault:
		id.Kind = BuildIDKindMemfault
	case buildid.KindNone:
	}
	if id.ID == "" {
		return id, invalid("BuildID: %w", noBuildID(info))
	}
	return id, nil
}

// noBuildID returns why an ELF file has no build ID.
func noBuildID(info buildid.Info) error { return newKindError(ErrNoBuildID, "%w", info.Missing) }

const withoutDebugInfo = "the ELF file has no debug information (.debug_info)"

// checkSymbols returns the build ID of a symbol file, or "" if it has none. It returns an error
// for a file that contains no symbols, or whose software Memfault could not identify.
func (o SymbolsOptions) checkSymbols(file *File) (id string, err error) {
	if err := file.validate(); err != nil {
		return "", err
	}
	info, err := buildid.Inspect(file.Content)
	switch {
	case errors.Is(err, buildid.ErrNotELF):
		return "", o.checkText(file)
	case err != nil:
		return "", file.readFailed(err)
	case info.Type == elf.ET_CORE:
		return "", invalid("File: %s: an ELF core file contains no symbols", file.Name)
	case !info.HasDebugInfo && !o.WithoutDebugInfo:
		return "", invalid("File: %s: %s; upload the file as it was before it was stripped, or set WithoutDebugInfo", file.Name, withoutDebugInfo)
	case info.BuildID == "" && o.SoftwareVersion == "":
		return "", invalid("File: %s: %w, and SymbolsOptions identify no software version", file.Name, noBuildID(info))
	}
	return info.BuildID, nil
}
