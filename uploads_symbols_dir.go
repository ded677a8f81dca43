package memfault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/memfault-go/memfault/internal/operation"
)

// symbolsConcurrency is how many files SymbolsDir uploads at the same time when its
// options do not say.
const symbolsConcurrency = 8

// SymbolsDirOptions configures SymbolsDir.
type SymbolsDirOptions struct {
	Concurrency int // files uploaded at the same time; 8 by default
}

// SymbolsDirResult is what became of one file of a SymbolsDir.
type SymbolsDirResult struct {
	Path    string
	BuildID string        // in hexadecimal; empty when it could not be read
	Result  *UploadResult // nil when Err is set
	Err     error         // why the file was not read or not uploaded
}

// SymbolsDir uploads the symbols of all ELF files below a directory that carry a GNU
// build id, unless Memfault has them. Other files are left out, and symbolic links
// below it are not followed. Of several files with the same build id the largest is
// uploaded, the one with the symbols; its outcome is that of the others, which count
// as already uploaded.
//
// It returns what became of each file, in the order of filepath.WalkDir, and an error
// that joins those of all that failed: the others are uploaded all the same, and a
// SymbolsDir may be repeated whole. When the context ends, the files not yet uploaded
// fail with its error. WithResponse and WithProgress are not obeyed: there are as many
// of both as files. Seen only in Memfault's own command-line tool; not documented by
// Memfault.
func (s *UploadsService) SymbolsDir(ctx context.Context, project ProjectRef, dir string, options SymbolsDirOptions, opts ...CallOption) ([]SymbolsDirResult, error) {
	if ctx == nil || dir == "" || options.Concurrency < 0 {
		return nil, invalid("SymbolsDir: the context is nil, the directory is empty, or Concurrency is negative")
	}
	workers := options.Concurrency
	if workers == 0 {
		workers = symbolsConcurrency
	}
	if err := s.checkCommit(operation.UploadCommitSymbols, project); err != nil {
		return nil, err
	}
	found, err := findSymbols(ctx, dir)
	if err != nil {
		return nil, invalid("SymbolsDir: %w", err)
	}
	opts = append(opts[:len(opts):len(opts)], WithResponse(nil), WithProgress(nil))
	chosen := chooseLargest(found)
	parallel(len(chosen), workers, func(i int) {
		file := &found[chosen[i]]
		file.Result, file.Err = s.uploadPath(ctx, project, file.Path, opts)
	})
	return shareOutcomes(found, chosen)
}

// symbolFile is a file that SymbolsDir met.
type symbolFile struct {
	SymbolsDirResult
	size int64
}

// findSymbols walks a directory. What cannot be read becomes a result of its own.
func findSymbols(ctx context.Context, dir string) ([]symbolFile, error) {
	var found []symbolFile
	dir += string(filepath.Separator) // else one that is itself a link would seem to hold nothing
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ended(ctx)
		case err != nil && path == dir:
			return err
		case err != nil:
			found = append(found, symbolFile{SymbolsDirResult: SymbolsDirResult{Path: path, Err: err}})
		case entry.Type().IsRegular():
			if file := inspect(path); file.BuildID != "" || file.Err != nil {
				found = append(found, file)
			}
		}
		return nil
	})
	return found, err
}

// inspect reads the build id of a file, if it is one that carries one.
func inspect(path string) symbolFile {
	result := symbolFile{SymbolsDirResult: SymbolsDirResult{Path: path}}
	file, err := OpenFile(path)
	if err != nil {
		result.Err = err
		return result
	}
	defer file.Close() //nolint:errcheck // it was only read
	result.size = file.Size
	if result.BuildID, err = readBuildID(file.Content); err != nil && !errors.Is(err, errNotELF) {
		result.Err = err
	}
	return result
}

// chooseLargest returns the index of the largest file of each build id, in their
// order.
func chooseLargest(found []symbolFile) []int {
	var chosen []int
	place := map[string]int{} // in chosen
	for i, file := range found {
		if file.Err != nil {
			continue
		}
		at, met := place[file.BuildID]
		switch {
		case !met:
			place[file.BuildID] = len(chosen)
			chosen = append(chosen, i)
		case file.size > found[chosen[at]].size:
			chosen[at] = i
		}
	}
	return chosen
}

func (s *UploadsService) uploadPath(ctx context.Context, project ProjectRef, path string, opts []CallOption) (*UploadResult, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	file, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return s.UploadSymbolsIfMissing(ctx, project, file, SymbolsOptions{}, opts...)
}

// shareOutcomes gives the files that were not chosen the outcome of the one that was.
func shareOutcomes(found []symbolFile, chosen []int) ([]SymbolsDirResult, error) {
	byID := map[string]SymbolsDirResult{}
	for _, i := range chosen {
		byID[found[i].BuildID] = found[i].SymbolsDirResult
	}
	results := make([]SymbolsDirResult, len(found))
	var failed []error
	for i, file := range found {
		if first := byID[file.BuildID]; file.Result == nil && file.Err == nil {
			if file.Err = first.Err; first.Err == nil {
				file.Result = &UploadResult{AlreadyUploaded: true, Size: file.size}
			}
		}
		if results[i] = file.SymbolsDirResult; file.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", file.Path, file.Err))
		}
	}
	if len(failed) == 0 {
		return results, nil
	}
	return results, fmt.Errorf("memfault: the symbols of %d of %d files were not uploaded: %w", len(failed), len(results), errors.Join(failed...))
}
