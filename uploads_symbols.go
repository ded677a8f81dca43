package memfault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// SymbolsOptions identifies the software of a symbol file. It may be the zero value if the
// file contains a build ID.
//
// For a mapping file of Android, SoftwareType is the package, and SoftwareVersion is the
// version name and the version code, joined by a colon.
type SymbolsOptions struct {
	SoftwareType    string
	SoftwareVersion string
	Revision        string // such as the commit of the build
	// IfMissing looks the GNU build ID of the file up first, and uploads the file only if
	// Memfault does not have it. A file without a build ID is always uploaded. If the token
	// may only upload, every file is uploaded.
	IfMissing bool
	// WithoutDebugInfo also uploads an ELF file without debug information (.debug_info), from
	// which Memfault can symbolize little. Without the option, such a file is an error.
	WithoutDebugInfo bool
}

func (o SymbolsOptions) upload() (upload, error) {
	kind := upload{projectKeyCommit: operation.UploadCommitSymbols, consoleCommit: operation.UploadCommitSymbols, fields: map[string]any{}}
	if o == (SymbolsOptions{IfMissing: o.IfMissing, WithoutDebugInfo: o.WithoutDebugInfo}) {
		return kind, nil
	}
	if err := required("SymbolsOptions", "SoftwareType", o.SoftwareType, "SoftwareVersion", o.SoftwareVersion); err != nil {
		return kind, err
	}
	kind.fields["software_version"] = softwareVersionField(o.SoftwareType, o.SoftwareVersion, o.Revision)
	return kind, nil
}

// Symbols uploads the symbols of a build: an ELF file, or a mapping file of Android. It returns
// an error for an ELF file without debug information, unless [SymbolsOptions.WithoutDebugInfo]
// is set. It also returns an error if the file has no GNU build ID and the options contain no
// software version. With [SymbolsOptions.IfMissing], a file that Memfault has is not sent; the
// MD5 of the result is then empty.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/upload-symbol-file
func (s *UploadsService) Symbols(ctx context.Context, project ProjectRef, file *File, options SymbolsOptions, opts ...CallOption) (*UploadResult, error) {
	kind, err := options.upload()
	if err != nil {
		return nil, err
	}
	if err := s.checkCommit(kind.consoleCommit, project); err != nil {
		return nil, err
	}
	if err := options.checkSymbols(file); err != nil {
		return nil, err
	}
	kind.existing = s.existingSymbols(project, file, options, opts)
	if options.IfMissing {
		missing, err := kind.existing.missing(ctx, "")
		if err != nil {
			return nil, err
		}
		if !missing {
			return &UploadResult{AlreadyUploaded: true, Size: file.Size}, nil
		}
	}
	return s.send(ctx, project, file, kind, opts)
}

// existingSymbols looks for the symbols of a file: by its build ID, or if it has none, by the
// software version that the options identify.
func (s *UploadsService) existingSymbols(project ProjectRef, file *File, options SymbolsOptions, opts []CallOption) lookup {
	return func(ctx context.Context, md5 string) (there bool, found string, err error) {
		id, err := readBuildID(file.Content)
		switch {
		case err != nil && !errors.Is(err, errNotELF):
			return false, "", invalid("File: %s: %w", file.Name, err)
		case id != "":
			there, err = s.SymbolsExist(ctx, project, id, opts...)
			return there, "it has no symbols of the build ID " + id, err
		case options.SoftwareVersion == "":
			return md5 != "", "", nil // it was to belong to nothing else; without a 409 nothing is known
		}
		return s.findSymbolFile(ctx, project, options.SoftwareType, options.SoftwareVersion, opts)
	}
}

// findSymbolFile looks for the symbol file of a software version. UNCERTAIN(symbols-of-version):
// whether it is the uploaded file, because Memfault returns no MD5 of it.
func (s *UploadsService) findSymbolFile(ctx context.Context, project ProjectRef, softwareType, version string, opts []CallOption) (there bool, found string, err error) {
	software, err := clientOf(s).Software.GetVersion(ctx, project, softwareType, version, opts...)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, fmt.Sprintf("software version %s of type %s does not exist", version, softwareType), nil
	case err != nil:
		return false, "", err
	}
	return software.SymbolFile != nil, fmt.Sprintf("software version %s of type %s has no symbols", version, softwareType), nil
}

// SymbolsExist reports whether Memfault has the symbols of a build. gnuBuildID is in
// hexadecimal; see [GNUBuildID]. If the token may only upload, SymbolsExist fails with
// [ErrForbidden].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *UploadsService) SymbolsExist(ctx context.Context, project ProjectRef, gnuBuildID string, opts ...CallOption) (bool, error) {
	err := exec(ctx, clientOf(s), operation.SymbolsExistsByGNUBuildID, requestParams{path: project.path(strings.ToLower(gnuBuildID))}, opts)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// SymbolsLegacy uploads the symbols of a software version in one request. Prefer
// [UploadsService.Symbols]: SymbolsLegacy is the older way. The request is not retried once it
// may have reached Memfault.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in an old script for embedded controllers of
// ChromeOS.
func (s *UploadsService) SymbolsLegacy(ctx context.Context, project ProjectRef, softwareType, version string, file *File, opts ...CallOption) (*UploadResult, error) {
	if err := checkFile(file, nil); err != nil {
		return nil, err
	}
	content := &filePayload{file: file, progress: newCallOptions(opts).progress}
	existing := func(ctx context.Context, _ string) (bool, string, error) {
		return s.findSymbolFile(ctx, project, softwareType, version, opts)
	}
	request := singleUpload{operation.SoftwareVersionsUploadSymbolsLegacy, project.path(softwareType, version), octetStream, content, existing}
	return request.send(ctx, clientOf(s), opts)
}
