package memfault

import (
	"context"
	"errors"
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
	// IfMissing uploads only what Memfault does not have: the GNU build ID of the file is
	// looked up first. A file without a build ID is always uploaded, and so is every file if
	// the token may only upload.
	IfMissing bool
}

func (o SymbolsOptions) upload() (upload, error) {
	kind := upload{projectKeyCommit: operation.UploadCommitSymbols, consoleCommit: operation.UploadCommitSymbols, fields: map[string]any{}}
	if o == (SymbolsOptions{IfMissing: o.IfMissing}) {
		return kind, nil
	}
	if err := required("SymbolsOptions", "SoftwareType", o.SoftwareType, "SoftwareVersion", o.SoftwareVersion); err != nil {
		return kind, err
	}
	kind.fields["software_version"] = softwareVersionField(o.SoftwareType, o.SoftwareVersion, o.Revision)
	return kind, nil
}

// Symbols uploads the symbols of a build: an ELF file, or a mapping file of Android. With
// [SymbolsOptions.IfMissing] it sends nothing of a file that Memfault has; the MD5 of the
// result is then empty. Symbols does not accept a [ProjectKey].
//
// Not documented by Memfault; observed only in Memfault's own programs.
func (s *UploadsService) Symbols(ctx context.Context, project ProjectRef, file *File, options SymbolsOptions, opts ...CallOption) (*UploadResult, error) {
	kind, err := options.upload()
	if err != nil {
		return nil, err
	}
	if options.IfMissing {
		known, err := s.haveSymbols(ctx, project, file, opts)
		if err != nil {
			return nil, err
		}
		if known {
			return &UploadResult{AlreadyUploaded: true, Size: file.Size}, nil
		}
	}
	return s.send(ctx, project, file, kind, opts)
}

// haveSymbols reports whether Memfault has the symbols of a file. It does not if the file has
// no build ID, or if the token may not look.
func (s *UploadsService) haveSymbols(ctx context.Context, project ProjectRef, file *File, opts []CallOption) (bool, error) {
	if err := errors.Join(s.checkCommit(operation.UploadCommitSymbols, project), file.validate()); err != nil {
		return false, err
	}
	id, err := readBuildID(file.Content)
	if err != nil && !errors.Is(err, errNotELF) {
		return false, invalid("File: %s: %w", file.Name, err)
	}
	if id == "" {
		return false, nil
	}
	known, err := s.SymbolsExist(ctx, project, id, opts...)
	if errors.Is(err, ErrForbidden) {
		return false, nil
	}
	return known, err
}

// SymbolsExist reports whether Memfault has the symbols of a build. gnuBuildID is in
// hexadecimal; see [GNUBuildID]. If the token may only upload, SymbolsExist fails with
// [ErrForbidden]. It does not accept a [ProjectKey].
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
// may have reached Memfault. SymbolsLegacy does not accept a [ProjectKey].
//
// Not documented by Memfault; observed only in an old script for embedded controllers of
// ChromeOS.
func (s *UploadsService) SymbolsLegacy(ctx context.Context, project ProjectRef, softwareType, version string, file *File, opts ...CallOption) (*UploadResult, error) {
	if err := checkFile(file, nil); err != nil {
		return nil, err
	}
	content := &filePayload{file: file, progress: newCallOptions(opts).progress}
	return uploadInOneRequest(ctx, clientOf(s), operation.SoftwareVersionsUploadSymbolsLegacy, project.path(softwareType, version), octetStream, content, opts)
}
