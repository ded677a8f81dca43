package memfault

import (
	"context"
	"errors"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// SymbolsOptions says which software the symbols of a file are of. A file that
// carries a build id needs none of it. For a mapping file of Android, SoftwareType is
// the package and SoftwareVersion its version name and version code, joined by a
// colon.
type SymbolsOptions struct {
	SoftwareType    string
	SoftwareVersion string
	Revision        string // such as the commit that it was built from
}

func (o SymbolsOptions) upload() (upload, error) {
	kind := upload{projectKeyCommit: operation.UploadCommitSymbols, consoleCommit: operation.UploadCommitSymbols, fields: map[string]any{}}
	if o == (SymbolsOptions{}) {
		return kind, nil
	}
	if err := required("SymbolsOptions", "SoftwareType", o.SoftwareType, "SoftwareVersion", o.SoftwareVersion); err != nil {
		return kind, err
	}
	kind.fields["software_version"] = softwareVersionField(o.SoftwareType, o.SoftwareVersion, o.Revision)
	return kind, nil
}

// Symbols uploads the symbols of a build: an ELF file, or a mapping file of Android.
// It takes no ProjectKey. Seen only in Memfault's own programs; not documented by
// Memfault.
func (s *UploadsService) Symbols(ctx context.Context, project ProjectRef, file *File, options SymbolsOptions, opts ...CallOption) (*UploadResult, error) {
	kind, err := options.upload()
	if err != nil {
		return nil, err
	}
	return s.send(ctx, project, file, kind, opts)
}

// SymbolsExist reports whether Memfault has the symbols of a build, by its GNU build
// id in hexadecimal; see GNUBuildID. A token that may only upload is ErrForbidden.
// Seen only in Memfault's own command-line tool; not documented by Memfault.
func (s *UploadsService) SymbolsExist(ctx context.Context, project ProjectRef, gnuBuildID string, opts ...CallOption) (bool, error) {
	err := exec(ctx, clientOf(s), operation.SymbolsExistsByGNUBuildID, input{path: project.path(strings.ToLower(gnuBuildID))}, opts)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// UploadSymbolsIfMissing uploads the symbols of a build unless Memfault has them: it
// asks for the file's GNU build id before. A file without one is uploaded, and so is
// any when the client's token may not ask. The MD5 of a file that was not sent is
// empty. Seen only in Memfault's own command-line tool; not documented by Memfault.
func (s *UploadsService) UploadSymbolsIfMissing(ctx context.Context, project ProjectRef, file *File, options SymbolsOptions, opts ...CallOption) (*UploadResult, error) {
	kind, err := options.upload()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.checkCommit(kind.consoleCommit, project), file.validate()); err != nil {
		return nil, err
	}
	id, err := readBuildID(file.Content)
	if err != nil && !errors.Is(err, errNotELF) {
		return nil, invalid("File: %s: %w", file.Name, err)
	}
	if id != "" {
		known, err := s.SymbolsExist(ctx, project, id, opts...)
		switch {
		case known:
			return &UploadResult{AlreadyUploaded: true, Size: file.Size}, nil
		case err != nil && !errors.Is(err, ErrForbidden):
			return nil, err
		}
	}
	return s.send(ctx, project, file, kind, opts)
}

// SymbolsLegacy uploads the symbols of a software version in one request, which is
// sent once. Symbols is the way of today. Seen only in an old script for embedded
// controllers of ChromeOS; not documented by Memfault.
func (s *UploadsService) SymbolsLegacy(ctx context.Context, project ProjectRef, softwareType, version string, file *File, opts ...CallOption) (*UploadResult, error) {
	if err := checkFile(file, nil); err != nil {
		return nil, err
	}
	content := &filePayload{file: file, progress: newCallOptions(opts).progress}
	return uploadInOneRequest(ctx, clientOf(s), operation.SoftwareVersionsUploadSymbolsLegacy, project.path(softwareType, version), octetStream, content, opts)
}
