package memfault

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/memfault-go/memfault/internal/buildid"
	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/internal/parallel"
)

// symbolsConcurrency is the default of SymbolsDirOptions.Concurrency.
const symbolsConcurrency = 8

// SymbolsDirOptions configures [UploadsService.SymbolsDir].
type SymbolsDirOptions struct {
	Concurrency int // files uploaded concurrently; defaults to 8
	// WithoutDebugInfo also uploads ELF files without debug information (.debug_info).
	WithoutDebugInfo bool

	// DryRun uploads nothing: it only asks which symbols Memfault has. A file that would be
	// uploaded has a result without Result, Skipped and Err.
	DryRun bool
	// OnFile is called with the result of each file as soon as it is known. Calls do not overlap.
	OnFile func(SymbolsDirResult)
	// OnProgress is called like the function of [WithProgress], with the path of the file. Calls
	// for different files can overlap.
	OnProgress func(path string, sent, total int64)
}

// SymbolsDirResult describes what happened to one file in [UploadsService.SymbolsDir].
type SymbolsDirResult struct {
	Path    string
	Size    int64         // in bytes; 0 if the file could not be read
	BuildID string        // in hexadecimal; empty if it could not be read
	Skipped string        // why the file was left out; empty if it was not
	Result  *UploadResult // nil if Err or Skipped is set, and in a dry run if nothing is there
	Err     error         // why the file was not read or not uploaded
}

// SymbolsDir uploads the symbols of all ELF files in a directory tree that have a build ID (see
// [BuildID]), unless Memfault already has them. If several files have the same build ID, only
// one is uploaded: the largest of those with debug information. If it succeeds, the others
// count as already uploaded; if it fails, they fail with the same error.
//
// An ELF file without debug information is left out, unless
// [SymbolsDirOptions.WithoutDebugInfo] is set. An executable or a library with debug information
// and without a build ID is left out too. [SymbolsDirResult.Skipped] contains the reason. If a
// Memfault build ID was not written, the file fails with [ErrNoBuildID], but it is left out if
// another file of the same directory has one: then it is an intermediate result of the build.
// All other files are ignored, and symbolic links inside the directory are not followed.
//
// SymbolsDir returns one result for each such file and for each path that cannot be read, in the
// order of filepath.WalkDir. It also returns an error that joins the errors of all failed files;
// each contains the path of its file. A failed file does not stop the others, and it is safe to
// call SymbolsDir again. If the context ends, the remaining files fail with its error.
// [WithResponse] and [WithProgress] are ignored, because there is one of each for every file; use
// [SymbolsDirOptions.OnFile] and [SymbolsDirOptions.OnProgress].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/upload-symbol-file
func (s *UploadsService) SymbolsDir(ctx context.Context, project ProjectRef, dir string, options SymbolsDirOptions, opts ...CallOption) ([]SymbolsDirResult, error) {
	switch {
	case ctx == nil:
		return nil, invalid("SymbolsDir: nil context")
	case dir == "":
		return nil, invalid("SymbolsDir: directory must not be empty")
	case options.Concurrency < 0:
		return nil, invalid("SymbolsDir: Concurrency must not be negative")
	}
	workers := options.Concurrency
	if workers == 0 {
		workers = symbolsConcurrency
	}
	if err := s.checkCommit(operation.UploadCommitSymbols, project); err != nil {
		return nil, err
	}
	found, err := findSymbols(ctx, dir, options)
	if err != nil {
		return nil, err
	}
	opts = append(opts[:len(opts):len(opts)], WithResponse(nil), WithProgress(nil))
	judgeUnwritten(found)
	chosen := chooseBest(found)
	report := fileReports{report: options.OnFile, reported: make([]bool, len(found))}
	for i, file := range found {
		if file.Err != nil || file.Skipped != "" {
			report.file(i, file.SymbolsDirResult)
		}
	}
	parallel.Do(len(chosen), workers, func(i int) {
		file := &found[chosen[i]]
		var err error
		file.Result, err = s.uploadPath(ctx, project, file.SymbolsDirResult, options, opts)
		file.Err = inPart("file", file.Path, err)
		report.file(chosen[i], file.SymbolsDirResult)
	})
	results, err := shareOutcomes(found, chosen)
	for i, result := range results {
		report.file(i, result)
	}
	return results, err
}

// fileReports calls OnFile once for each file, one call after the other.
type fileReports struct {
	report   func(SymbolsDirResult)
	mu       sync.Mutex
	reported []bool
}

func (r *fileReports) file(i int, result SymbolsDirResult) {
	if r.report == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.reported[i] {
		r.reported[i] = true
		r.report(result)
	}
}

// symbolFile is a file that SymbolsDir found.
type symbolFile struct {
	SymbolsDirResult
	info buildid.Info
}

// isResult reports whether SymbolsDir returns a result for the file.
func (f *symbolFile) isResult() bool {
	if f.Err != nil || f.info.Kind != buildid.KindNone {
		return true
	}
	return f.info.HasDebugInfo && (f.info.Type == elf.ET_EXEC || f.info.Type == elf.ET_DYN)
}

// findSymbols walks a directory. A path that cannot be read becomes a result with an error.
func findSymbols(ctx context.Context, dir string, options SymbolsDirOptions) ([]symbolFile, error) {
	var found []symbolFile
	dir += string(filepath.Separator) // otherwise WalkDir would not follow dir if it is a link
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("memfault: SymbolsDir: %w", contextError(ctx))
		case err != nil && path == dir:
			return invalid("SymbolsDir: %w", err)
		case err != nil:
			found = append(found, symbolFile{SymbolsDirResult: SymbolsDirResult{Path: path, Err: inPart("file", path, invalid("SymbolsDir: %w", err))}})
		case entry.Type().IsRegular():
			if file := inspect(path, options); file.isResult() {
				found = append(found, file)
			}
		}
		return nil
	})
	return found, err
}

// inspect reads the build ID of a file.
func inspect(path string, options SymbolsDirOptions) symbolFile {
	result := symbolFile{SymbolsDirResult: SymbolsDirResult{Path: path}}
	file, err := OpenFile(path)
	if err != nil {
		result.Err = inPart("file", path, err)
		return result
	}
	defer file.Close() //nolint:errcheck // the file was only read
	result.Size = file.Size
	result.info, err = buildid.Inspect(file.Content)
	result.BuildID = result.info.BuildID
	switch {
	case errors.Is(err, buildid.ErrNotELF):
	case err != nil:
		result.Err = inPart("file", path, invalid("SymbolsDir: %w", err))
	case !result.info.HasDebugInfo && !options.WithoutDebugInfo:
		result.Skipped = withoutDebugInfo
	case result.BuildID == "":
		result.Skipped = result.info.Missing.Error()
	}
	return result
}

// judgeUnwritten turns files whose Memfault build ID was not written into errors, unless
// another file of the directory has one.
func judgeUnwritten(found []symbolFile) {
	written := map[string]bool{}
	for _, file := range found {
		if file.info.Kind == buildid.KindMemfault && file.BuildID != "" {
			written[filepath.Dir(file.Path)] = true
		}
	}
	for i := range found {
		file := &found[i]
		if errors.Is(file.info.Missing, buildid.ErrUnwritten) && !written[filepath.Dir(file.Path)] {
			file.Skipped, file.Err = "", inPart("file", file.Path, invalid("SymbolsDir: %w", noBuildID(file.info)))
		}
	}
}

// chooseBest returns the index of the best file of each build ID, in their order.
func chooseBest(found []symbolFile) []int {
	var chosen []int
	place := map[string]int{} // in chosen
	for i, file := range found {
		if file.Err != nil || file.Skipped != "" {
			continue
		}
		at, met := place[file.BuildID]
		switch {
		case !met:
			place[file.BuildID] = len(chosen)
			chosen = append(chosen, i)
		case file.isBetter(&found[chosen[at]]):
			chosen[at] = i
		}
	}
	return chosen
}

// isBetter reports whether the file has debug information that other lacks, and otherwise whether it
// is larger.
func (f *symbolFile) isBetter(other *symbolFile) bool {
	if f.info.HasDebugInfo != other.info.HasDebugInfo {
		return f.info.HasDebugInfo
	}
	return f.Size > other.Size
}

func (s *UploadsService) uploadPath(ctx context.Context, project ProjectRef, found SymbolsDirResult, options SymbolsDirOptions, opts []CallOption) (*UploadResult, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	if options.DryRun {
		exists, err := s.SymbolsExist(ctx, project, found.BuildID, opts...)
		if err != nil || !exists {
			return nil, err
		}
		return &UploadResult{AlreadyUploaded: true, Size: found.Size}, nil
	}
	if options.OnProgress != nil {
		opts = append(opts[:len(opts):len(opts)], WithProgress(func(sent, total int64) { options.OnProgress(found.Path, sent, total) }))
	}
	file, err := OpenFile(found.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // the file was only read
	return s.Symbols(ctx, project, file, SymbolsOptions{IfMissing: true, WithoutDebugInfo: options.WithoutDebugInfo}, opts...)
}

// shareOutcomes copies the outcome of each chosen file to the other files with its build ID.
func shareOutcomes(found []symbolFile, chosen []int) ([]SymbolsDirResult, error) {
	byID := map[string]SymbolsDirResult{}
	for _, i := range chosen {
		byID[found[i].BuildID] = found[i].SymbolsDirResult
	}
	results := make([]SymbolsDirResult, len(found))
	var failed []error
	for i, file := range found {
		if first := byID[file.BuildID]; file.Result == nil && file.Err == nil && file.Skipped == "" {
			switch {
			case first.Path == file.Path: // of a dry run
			case first.Err != nil:
				file.Err = inPart("file", file.Path, first.Err)
			case first.Result == nil:
				file.Skipped = "it has the build ID of " + first.Path
			default:
				file.Result = &UploadResult{AlreadyUploaded: true, Size: file.Size}
			}
		}
		if results[i] = file.SymbolsDirResult; file.Err != nil {
			failed = append(failed, file.Err)
		}
	}
	return results, joinParts(failed, "SymbolsDir: symbols of %d of %d files were not uploaded", len(failed), len(results))
}
