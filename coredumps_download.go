package memfault

import (
	"context"
	"io"

	"github.com/memfault-go/memfault/internal/operation"
)

// CoredumpFormat is the form in which a coredump is downloaded.
type CoredumpFormat string

// CoredumpFormatELF is an ELF file, for debuggers.
const CoredumpFormatELF CoredumpFormat = "elf"

// CoredumpDownloadOptions says how a coredump is downloaded.
type CoredumpDownloadOptions struct {
	Format CoredumpFormat `url:"format,omitempty"` // as it was uploaded, when empty
}

// Download writes a coredump to w; see DownloadResult for what all downloads share. One
// that Memfault still processes, which it answers with an empty file, is ErrNotReady,
// and nothing was written. Seen only in programs of 2026; not documented by Memfault.
func (s *CoredumpsService) Download(ctx context.Context, project ProjectRef, coredumpID int64, w io.Writer, options CoredumpDownloadOptions, opts ...CallOption) (*DownloadResult, error) {
	d, err := clientOf(s).openFile(ctx, operation.CoredumpsDownload, requestParams{path: project.path(pathID(coredumpID)), query: options}, opts)
	if err != nil {
		return nil, err
	}
	saved, err := d.save(w)
	if err != nil || saved.Size > 0 {
		return saved, err
	}
	notReady := newResponseError(d.call, d.call.lastResponse, nil)
	notReady.Message, notReady.cause = "Memfault is still processing the coredump", ErrNotReady
	notReady.RetryAfter, _ = retryAfter(d.call.lastResponse)
	return nil, notReady
}

// DownloadSymbols writes a symbol file to w; see DownloadResult for what all downloads
// share. The id is in a trace, with its coredump. Seen only in a program of 2026; not
// documented by Memfault.
func (s *CoredumpsService) DownloadSymbols(ctx context.Context, project ProjectRef, symbolID int64, w io.Writer, opts ...CallOption) (*DownloadResult, error) {
	return clientOf(s).saveFile(ctx, operation.SymbolsDownload, requestParams{path: project.path(pathID(symbolID))}, w, opts)
}
