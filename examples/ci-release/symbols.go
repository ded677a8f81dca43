package main

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/memfault-go/memfault"
)

// symbolFile is an ELF file.
type symbolFile struct {
	path    string
	size    int64
	buildID memfault.ELFBuildID
	skipped string // why its symbols are not uploaded
}

// findSymbols returns the ELF files of a tree. Files of other kinds and object files are
// ignored, and symbolic links in the tree are not followed. Of several files with one build
// ID, the largest has the symbols.
//
// [memfault.UploadsService.SymbolsDir] judges files in the same way, but uploads the others when one
// of them is damaged. Here, a damaged or unusable file ends the job before the first request.
func findSymbols(ctx context.Context, root string) ([]symbolFile, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, badInput("-symbols: %v", err)
	}
	start := root
	if info.IsDir() {
		start += string(filepath.Separator) // otherwise WalkDir would not follow root if it is a link
	}
	var found []symbolFile
	err = filepath.WalkDir(start, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return badInput("-symbols: %v", err)
		case entry.IsDir() || path != start && !entry.Type().IsRegular():
			return nil
		}
		file, err := inspect(filepath.Clean(path))
		if err == nil && file != nil {
			found = append(found, *file)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && !info.IsDir() {
		return nil, badInput("-symbols: %s is not a linked ELF file: pass the file that the linker wrote", root)
	}
	usable := func(f symbolFile) bool { return f.skipped == "" }
	if err := checkUnwritten(found); err != nil {
		return nil, err
	}
	if chooseLargest(found); !slices.ContainsFunc(found, usable) {
		return nil, badInput("-symbols: %s has no ELF file with debug information and a build ID: compile with -g, and "+linkAdvice, root)
	}
	return found, nil
}

const linkAdvice = "link with -Wl,--build-id or use the Memfault build ID of the firmware SDK"

// checkUnwritten returns an error for a file whose Memfault build ID was not written, unless
// another file of its directory has one: then it is an intermediate result of the build.
func checkUnwritten(found []symbolFile) error {
	written := map[string]bool{}
	for _, file := range found {
		if file.buildID.Kind == memfault.BuildIDKindMemfault && file.buildID.ID != "" {
			written[filepath.Dir(file.path)] = true
		}
	}
	for _, file := range found {
		if file.isUnwritten() && !written[filepath.Dir(file.path)] {
			return badInput("-symbols: %s: %s", file.path, file.skipped)
		}
	}
	return nil
}

// isUnwritten reports whether the step of the build that writes the build ID is missing.
func (f symbolFile) isUnwritten() bool {
	return f.buildID.Kind == memfault.BuildIDKindMemfault && f.buildID.ID == ""
}

// inspect returns nil for a file that is not an executable or a library.
func inspect(path string) (*symbolFile, error) {
	file, err := memfault.OpenFile(path)
	if err != nil {
		return nil, badInput("-symbols: %s", strings.TrimPrefix(err.Error(), "memfault: OpenFile: "))
	}
	defer func() { _ = file.Close() }() // it was only read
	magic := make([]byte, len(elf.ELFMAG))
	if n, err := file.Content.ReadAt(magic, 0); n < len(magic) && err != nil && !errors.Is(err, io.EOF) {
		return nil, badInput("-symbols: %v", err)
	}
	if !bytes.Equal(magic, []byte(elf.ELFMAG)) {
		return nil, nil // a file of another kind
	}
	parsed, err := elf.NewFile(file.Content)
	if err != nil {
		return nil, badInput("-symbols: %s is a damaged ELF file: build it again (%v)", path, err)
	}
	found := &symbolFile{path: path, size: file.Size}
	found.buildID, err = memfault.BuildID(file.Content)
	switch {
	case err != nil && !errors.Is(err, memfault.ErrNoBuildID):
		return nil, badInput("-symbols: %s is a damaged ELF file: build it again (%v)", path, err)
	case err != nil && parsed.Type == elf.ET_REL: // an object file
		return nil, nil
	case found.isUnwritten():
		found.skipped = "its Memfault build ID was not written; run scripts/fw_build_id.py of the firmware SDK after the build"
	case err != nil:
		found.skipped = "it has no build ID that a device reports; " + linkAdvice
	case !hasDebugInfo(parsed):
		found.skipped = "it has no debug information"
	}
	return found, nil
}

func hasDebugInfo(file *elf.File) bool {
	return slices.ContainsFunc(file.Sections, func(s *elf.Section) bool {
		return (s.Name == ".debug_info" || s.Name == ".zdebug_info") && s.Type != elf.SHT_NOBITS && s.FileSize > 0
	})
}

// chooseLargest skips all files with a build ID but the largest.
func chooseLargest(found []symbolFile) {
	largest := map[string]*symbolFile{}
	for i := range found {
		file := &found[i]
		if file.skipped != "" {
			continue
		}
		other := largest[file.buildID.ID]
		if other != nil && other.size >= file.size {
			file, other = other, file
		}
		if other != nil {
			other.skipped = fmt.Sprintf("%s has the same build ID", file.path)
		}
		largest[file.buildID.ID] = file
	}
}

// uploadSymbols uploads several files concurrently. If one fails, it waits for the others.
func (r *release) uploadSymbols(ctx context.Context) error {
	const concurrency = 4
	var (
		all    sync.WaitGroup
		free   = make(chan struct{}, concurrency)
		failed = make([]error, len(r.symbols))
	)
	for i, file := range r.symbols {
		if file.skipped != "" {
			r.out.event(event{Step: stepSymbols, State: stateNote, Subject: file.path, Text: "skipped: " + file.skipped})
			continue
		}
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			if err := r.uploadSymbolFile(ctx, file); err != nil {
				failed[i] = prefixed(file.path, err)
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

func (r *release) uploadSymbolFile(ctx context.Context, symbols symbolFile) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	event := event{Step: stepSymbols, State: stateUnchanged, Subject: symbols.path, Text: "Memfault has them"}
	if r.cli.DryRun {
		there, err := r.client.Uploads.SymbolsExist(ctx, r.project, symbols.buildID.ID)
		if err == nil && !there {
			event.State, event.Text = stateWould, "would upload "+size(symbols.size)
		}
		if err == nil {
			r.out.event(event)
		}
		return err
	}
	file, err := memfault.OpenFile(symbols.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	shown := r.out.upload(symbols.path)
	result, err := r.client.Uploads.Symbols(ctx, r.project, file, memfault.SymbolsOptions{IfMissing: true}, memfault.WithProgress(shown.sent))
	shown.end(err)
	if err != nil {
		return err
	}
	if !result.AlreadyUploaded {
		event.State, event.Text = stateDone, "uploaded "+size(result.Size)
	}
	r.out.event(event)
	return nil
}

// prefixed adds what an error is about, in front of the text without the package's prefix.
func prefixed(subject string, err error) error { return &prefixedError{subject, err} }

type prefixedError struct {
	subject string
	cause   error
}

func (e *prefixedError) Error() string {
	return e.subject + ": " + strings.TrimPrefix(e.cause.Error(), "memfault: ")
}
func (e *prefixedError) Unwrap() error { return e.cause }
