package memfault

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/memfault-go/memfault/internal/parallel"
)

// File is a file to upload. Its content must not change until the call returns. If the file
// becomes shorter or longer while it is sent, the upload fails.
//
// Create a File with [OpenFile], or set its fields for any other content.
type File struct {
	Name        string      // required; sent without directories
	Size        int64       // required; bytes
	Content     io.ReaderAt // required
	ContentType string      // by default, guessed from Name

	closer io.Closer
}

// OpenFile opens a regular file to upload. Close it after the upload with [File.Close].
func OpenFile(path string) (*File, error) {
	// Opening a file that is not regular, such as a named pipe, could block forever.
	info, err := os.Stat(path)
	if err != nil {
		return nil, invalid("OpenFile: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, invalid("OpenFile: %s is not a regular file", path)
	}
	opened, err := os.Open(path) //nolint:gosec // the caller chooses the file to upload
	if err != nil {
		return nil, invalid("OpenFile: %w", err)
	}
	if info, err = opened.Stat(); err != nil {
		return nil, errors.Join(invalid("OpenFile: %w", err), opened.Close())
	}
	return &File{Name: filepath.Base(path), Size: info.Size(), Content: opened, closer: opened}, nil
}

// Close closes a file that [OpenFile] opened. For any other file it does nothing.
func (f *File) Close() error {
	if f == nil || f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// baseName returns the name without directories, also if it is a path of Windows. It does not
// depend on the system of the program.
func (f *File) baseName() string {
	name := strings.ReplaceAll(f.Name, `\`, "/")
	if len(name) >= 2 && name[1] == ':' && (name[0]|' ' >= 'a' && name[0]|' ' <= 'z') { // a drive
		name = name[2:]
		if name == "" {
			return "/"
		}
	}
	return path.Base(name)
}

// contentType returns the media type of the file, as far as it is known.
func (f *File) contentType() string {
	if f.ContentType != "" {
		return f.ContentType
	}
	if known := contentTypes[strings.ToLower(path.Ext(f.baseName()))]; known != "" {
		return known
	}
	return octetStream
}

// contentTypes are the media types of files that are uploaded, by the extension. Package mime
// also reads the files of the system, so that its result differs between machines.
var contentTypes = map[string]string{
	".json": "application/json",
	".xml":  "text/xml; charset=utf-8",
	".txt":  "text/plain; charset=utf-8",
	".log":  "text/plain; charset=utf-8",
	".csv":  "text/csv; charset=utf-8",
	".zip":  "application/zip",
	".gz":   "application/gzip",
	".tar":  "application/x-tar",
}

const octetStream = "application/octet-stream"

// validate returns an error if f cannot be uploaded as any kind of file.
func (f *File) validate() error {
	switch {
	case f == nil:
		return invalid("File must not be nil")
	case f.Name == "" || f.baseName() == "." || f.baseName() == ".." || f.baseName() == "/":
		return invalid("File: invalid Name %q", f.Name)
	case strings.ContainsFunc(f.ContentType, isControl):
		return invalid("File: %s: invalid ContentType %q", f.Name, f.ContentType)
	case f.Content == nil:
		return invalid("File: %s: Content must not be nil", f.Name)
	case f.Size < 0:
		return invalid("File: %s: Size must not be negative, got %d", f.Name, f.Size)
	case f.Size == 0:
		return invalid("File: %s: file is empty or Size is not set", f.Name)
	}
	return nil
}

// within returns the file with a Content whose ReadAt also ends with ctx. The call of the user's
// code then continues in a goroutine of its own.
func (f *File) within(ctx context.Context) *File {
	if f == nil || f.Content == nil || ctx == nil || ctx.Done() == nil {
		return f
	}
	bounded := *f
	bounded.Content = contextReader{ctx, f.Content}
	return &bounded
}

type contextReader struct {
	ctx     context.Context
	content io.ReaderAt
}

func (r contextReader) ReadAt(p []byte, at int64) (int, error) {
	if r.ctx.Err() != nil {
		return 0, contextError(r.ctx)
	}
	type result struct {
		n   int
		err error
	}
	buffer, done := make([]byte, len(p)), make(chan result, 1) // the user's code can still write after ReadAt has returned
	go func() {
		var got result
		parallel.Guard(func() { got.n, got.err = r.content.ReadAt(buffer, at) }, func(panicked *parallel.Panic) {
			if panicked != nil {
				got = result{0, errors.New("File.Content panicked or ended its goroutine")}
			}
			done <- got
		})
	}()
	select {
	case got := <-done:
		return copy(p, buffer[:max(min(got.n, len(p)), 0)]), got.err
	case <-r.ctx.Done():
		return 0, contextError(r.ctx)
	}
}

// readFailed returns the error of a file that cannot be read.
func (f *File) readFailed(err error) error {
	if isContextError(err) {
		return newKindError(ErrNoAnswer, "File: %s: %w", f.Name, err)
	}
	return invalid("File: %s: %w", f.Name, err)
}

// start returns the first n bytes of the file, or the whole file if it is shorter.
func (f *File) start(n int64) ([]byte, error) {
	start := make([]byte, min(n, f.Size))
	read, err := f.Content.ReadAt(start, 0)
	if read < len(start) {
		if errors.Is(err, io.EOF) {
			return nil, invalid("File: %s: content is shorter than Size (%d bytes)", f.Name, f.Size)
		}
		return nil, f.readFailed(err)
	}
	return start, nil
}
