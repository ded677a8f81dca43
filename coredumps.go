package memfault

import (
	"context"
	"encoding/json"
	"io"

	"github.com/memfault-go/memfault/internal/operation"
)

// CoredumpsService lists and downloads coredumps, the memory of devices at a crash, and
// downloads symbol files.
type CoredumpsService struct{ client *Client }

// Coredump identifies a coredump. Other fields are unknown.
type Coredump struct {
	ID      int64 `json:"id"`
	IssueID int64 `json:"issue_id"`
}

// CoredumpListOptions selects a page of coredumps.
type CoredumpListOptions struct {
	ListOptions
}

// List returns the coredumps of a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in one program from 2026.
func (s *CoredumpsService) List(project ProjectRef, options CoredumpListOptions, opts ...CallOption) *Pager[Coredump] {
	return list[Coredump](clientOf(s), operation.CoredumpsList, project.path(), options, opts)
}

// ELFCoredump is a coredump of a Linux process. It contains the JSON of the response, because
// its fields are unknown.
type ELFCoredump struct{ json.RawMessage }

// ELFCoredumpListOptions filters coredumps of Linux processes.
type ELFCoredumpListOptions struct {
	ListOptions
	Device string `url:"device,omitempty"` // a serial
}

// ListELF returns the coredumps of Linux processes.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests.
func (s *CoredumpsService) ListELF(project ProjectRef, options ELFCoredumpListOptions, opts ...CallOption) *Pager[ELFCoredump] {
	return list[ELFCoredump](clientOf(s), operation.ELFCoredumpsList, project.path(), options, opts)
}

// CoredumpFormat is the format in which a coredump is downloaded.
type CoredumpFormat string

// CoredumpFormatELF is an ELF file, for use with debuggers.
const CoredumpFormatELF CoredumpFormat = "elf"

// CoredumpDownloadOptions configures [CoredumpsService.Download].
type CoredumpDownloadOptions struct {
	Format CoredumpFormat `url:"format,omitempty"` // defaults to the uploaded format
}

// Download writes a coredump to w. See [DownloadResult] for the rules of all downloads.
//
// If Memfault is still processing the coredump, it sends an empty file. Then Download writes
// nothing and fails with [ErrNotReady].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in programs from 2026.
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
	notReady.Message, notReady.kind = "Memfault is still processing the coredump", ErrNotReady
	notReady.RetryAfter, _ = retryAfter(d.call.lastResponse)
	return nil, notReady
}

// DownloadSymbols writes a symbol file to w. See [DownloadResult] for the rules of all
// downloads. The ID is in the coredump of a trace; see [TraceCoredump.SymbolFile].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in a program from 2026.
func (s *CoredumpsService) DownloadSymbols(ctx context.Context, project ProjectRef, symbolID int64, w io.Writer, opts ...CallOption) (*DownloadResult, error) {
	return clientOf(s).saveFile(ctx, operation.SymbolsDownload, requestParams{path: project.path(pathID(symbolID))}, w, opts)
}
