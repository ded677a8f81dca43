package memfault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// SymbolsOptions identifies the software of a symbol file. It may be the zero value if the
// file is an ELF file with a build ID; see [BuildID].
//
// For a mapping file of Android, SoftwareType is the package, and SoftwareVersion is the
// version name and the version code, joined by a colon.
type SymbolsOptions struct {
	SoftwareType    string
	SoftwareVersion string
	Revision        string // such as the commit of the build
	// IfMissing looks the build ID of the file up first, and uploads the file only if Memfault
	// does not have it. A file without a build ID is always uploaded, because another file of
	// the same version may be there. If the token may only upload, every file is uploaded.
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

// Symbols uploads the symbols of a build: an ELF file, or a mapping file of Android. With
// [SymbolsOptions.IfMissing], a file that Memfault has is not sent; the MD5 of the result is
// then empty.
//
// Symbols returns an error and sends nothing in these cases:
//   - The options contain no software version, and the file has no build ID. For an ELF file,
//     the error is then of the kind [ErrNoBuildID] too.
//   - An ELF file has no debug information, unless [SymbolsOptions.WithoutDebugInfo] is set.
//   - The file is of a format that contains no symbols for Memfault, such as Intel HEX, an
//     archive, a compressed file or another binary file.
//
// If Memfault rejects the file with 409, it has the same content. Symbols then looks for the
// file: by its build ID, or by a download of the symbols of the software version. It fails with
// [ErrConflict] if it does not find the file.
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
	id, err := options.checkSymbols(file.within(ctx))
	if err != nil {
		return nil, err
	}
	if options.IfMissing && id != "" {
		missing, err := s.symbolsOf(project, id, opts).missing(ctx, "")
		if err != nil {
			return nil, err
		}
		if !missing {
			return &UploadResult{AlreadyUploaded: true, Size: file.Size}, nil
		}
	}
	kind.existing = s.existingSymbols(project, file, id, options, opts)
	return s.send(ctx, project, file, kind, opts)
}

// symbolsOf looks for the symbols of a build.
func (s *UploadsService) symbolsOf(project ProjectRef, buildID string, opts []CallOption) lookup {
	return func(ctx context.Context, _ string) (there bool, found string, err error) {
		there, err = s.SymbolsExist(ctx, project, buildID, opts...)
		return there, "it has no symbols of the build ID " + buildID, err
	}
}

// existingSymbols looks for a symbol file: by its build ID, and otherwise in the software
// version that the options identify.
func (s *UploadsService) existingSymbols(project ProjectRef, file *File, buildID string, options SymbolsOptions, opts []CallOption) lookup {
	return func(ctx context.Context, md5 string) (there bool, found string, err error) {
		if buildID != "" {
			there, found, err = s.symbolsOf(project, buildID, opts)(ctx, md5)
			if there || err != nil || options.SoftwareVersion == "" {
				return there, found, err
			}
		}
		return s.findSymbolFile(ctx, project, file, options, md5, opts)
	}
}

// findSymbolFile looks for a symbol file in a software version. Memfault returns no checksum of
// it, so findSymbolFile downloads the file that is there.
func (s *UploadsService) findSymbolFile(ctx context.Context, project ProjectRef, file *File, options SymbolsOptions, md5 string, opts []CallOption) (there bool, found string, err error) {
	version := fmt.Sprintf("software version %s of type %s", options.SoftwareVersion, options.SoftwareType)
	software, err := clientOf(s).Software.GetVersion(ctx, project, options.SoftwareType, options.SoftwareVersion, opts...)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, version + " does not exist", nil
	case err != nil:
		return false, "", err
	case software.SymbolFile == nil:
		return false, version + " has no symbols", nil
	}
	stored, err := clientOf(s).Coredumps.DownloadSymbols(ctx, project, software.SymbolFile.ID, &sizeLimit{file.Size}, opts...)
	switch {
	case errors.Is(err, errLarger):
		return false, version + " has other symbols", nil
	case err != nil:
		return false, "", err
	}
	return stored.MD5 == md5, fmt.Sprintf("%s has other symbols (MD5 %s)", version, stored.MD5), nil
}

// sizeLimit is a writer that discards so many bytes, and fails at the next one.
type sizeLimit struct{ left int64 }

var errLarger = errors.New("the file is larger")

func (l *sizeLimit) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errLarger
	}
	return len(p), nil
}

// SymbolsExist reports whether Memfault has the symbols of a build. buildID is in hexadecimal;
// see [BuildID]. If the token may only upload, SymbolsExist fails with [ErrForbidden].
//
// UNCERTAIN(build-id-head): whether the look-up accepts a Memfault build ID as well as a GNU build
// ID, as Memfault's command-line tool expects.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *UploadsService) SymbolsExist(ctx context.Context, project ProjectRef, buildID string, opts ...CallOption) (bool, error) {
	err := exec(ctx, clientOf(s), operation.SymbolsExistsByGNUBuildID, requestParams{path: project.path(strings.ToLower(buildID))}, opts)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// SymbolsLegacy uploads the symbols of a software version in one request. Prefer
// [UploadsService.Symbols]: SymbolsLegacy is the older way. The request is not retried once it
// may have reached Memfault. SymbolsLegacy returns an error for a file that contains no symbols
// for Memfault; debug information is not required.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in an old script for embedded controllers of
// ChromeOS.
func (s *UploadsService) SymbolsLegacy(ctx context.Context, project ProjectRef, softwareType, version string, file *File, opts ...CallOption) (*UploadResult, error) {
	options := SymbolsOptions{SoftwareType: softwareType, SoftwareVersion: version, WithoutDebugInfo: true}
	id, err := options.checkSymbols(file.within(ctx))
	if err != nil {
		return nil, err
	}
	content := &filePayload{file: file, progress: newCallOptions(opts).progress}
	existing := s.existingSymbols(project, file, id, options, opts)
	request := singleUpload{operation.SoftwareVersionsUploadSymbolsLegacy, project.path(softwareType, version), octetStream, content, existing}
	return request.send(ctx, clientOf(s), opts)
}
