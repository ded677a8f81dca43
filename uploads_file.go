package memfault

import (
	"errors"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"
)

// File is a file to upload. What it holds may not change until the call returns: a
// file that becomes shorter or longer while it is sent is an error.
type File struct {
	Name        string // required; Memfault is told the part after the last slash
	Size        int64  // required, in bytes
	Content     io.ReaderAt
	ContentType string // guessed by the name when empty

	closer io.Closer
}

// OpenFile opens a regular file to upload. Close it after the upload.
func OpenFile(path string) (*File, error) {
	// Opening what is no regular file, such as a named pipe, could wait for ever.
	info, err := os.Stat(path)
	if err != nil {
		return nil, invalid("OpenFile: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, invalid("OpenFile: %s is not a regular file", path)
	}
	opened, err := os.Open(path) //nolint:gosec // the caller names the file to upload
	if err != nil {
		return nil, invalid("OpenFile: %w", err)
	}
	if info, err = opened.Stat(); err != nil {
		return nil, errors.Join(invalid("OpenFile: %w", err), opened.Close())
	}
	return &File{Name: filepath.Base(path), Size: info.Size(), Content: opened, closer: opened}, nil
}

// Close closes a file that OpenFile opened. It does nothing for any other.
func (f *File) Close() error {
	if f == nil || f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// baseName is the name without the directories before it.
func (f *File) baseName() string { return filepath.Base(f.Name) }

// contentType is the media type of the file, as far as it is known.
func (f *File) contentType() string {
	if f.ContentType != "" {
		return f.ContentType
	}
	if guessed := mime.TypeByExtension(filepath.Ext(f.Name)); guessed != "" {
		return guessed
	}
	return octetStream
}

const octetStream = "application/octet-stream"

// validate refuses what cannot be uploaded as any kind of file.
func (f *File) validate() error {
	switch {
	case f == nil:
		return invalid("File: it is nil")
	case f.Name == "" || f.baseName() == "." || f.baseName() == ".." || f.baseName() == string(filepath.Separator):
		return invalid("File: Name %q names no file", f.Name)
	case strings.ContainsFunc(f.ContentType, isControl):
		return invalid("File: %s: ContentType %q holds a control character", f.Name, f.ContentType)
	case f.Content == nil:
		return invalid("File: %s: Content is nil", f.Name)
	case f.Size < 0:
		return invalid("File: %s: Size %d is negative", f.Name, f.Size)
	case f.Size == 0:
		return invalid("File: %s: it is empty, or Size is not set", f.Name)
	}
	return nil
}

// start returns the first n bytes of the file, or all if it has fewer.
func (f *File) start(n int64) ([]byte, error) {
	start := make([]byte, min(n, f.Size))
	read, err := f.Content.ReadAt(start, 0)
	if read < len(start) {
		if errors.Is(err, io.EOF) {
			return nil, invalid("File: %s has fewer than the %d bytes that Size says", f.Name, f.Size)
		}
		return nil, invalid("File: %s: %w", f.Name, err)
	}
	return start, nil
}
