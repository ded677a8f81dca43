package memfault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/memfault-go/memfault/internal/atomicfile"
	"github.com/memfault-go/memfault/internal/parallel"
)

// issueConcurrency is the default of IssueDownloadOptions.Concurrency.
const issueConcurrency = 4

// IssueDownloadOptions configures [CoredumpsService.DownloadIssue].
type IssueDownloadOptions struct {
	Format      CoredumpFormat // defaults to the uploaded format
	Concurrency int            // requests in flight; defaults to 4
	// Since leaves out traces that were captured before, by the clock of their device; see
	// [TraceListOptions]. By default, all traces count.
	Since Timestamp
	// WaitReady is how long to wait for each coredump that Memfault is still processing. By
	// default, it fails with [ErrNotReady] without a wait.
	WaitReady time.Duration
}

// IssueFile describes what happened to one file in [CoredumpsService.DownloadIssue].
type IssueFile struct {
	Path    string // empty if the trace could not be read
	TraceID int64  // the first trace with the file
	Size    int64
	Existed bool  // whether an earlier call downloaded the file
	Err     error // why the file is missing
}

// DownloadIssue downloads the coredumps of an issue's traces, and their symbol files, to a
// directory. It creates the directory if needed. The names are coredump-ID.bin, or
// coredump-ID.elf with [CoredumpFormatELF], and symbols-ID.elf; coredumps with the same symbol
// file share it. manifest.json describes each coredump; see [IssueManifest].
//
// A file has its name only when it is complete and synced to the disk; until then, it has a
// temporary name. To resume, call DownloadIssue again: it downloads only the files that are
// missing, and removes the temporary files of a process that was killed. A file that is
// incomplete is downloaded again from its start. Within a call, a broken connection is resumed;
// see [DownloadResult]. Only one call at a time may use a directory.
//
// DownloadIssue returns one result for each file and for each trace that could not be read, and
// an error that joins the errors of all failed files. A failed file does not stop the others.
// If the context ends, the remaining files fail with its error. If a file cannot be written,
// for example because the disk is full, the remaining files fail with the same
// [ErrInvalidArgument]. [WithResponse] and [WithProgress] are ignored.
//
// UNCERTAIN(linux-coredump-download): whether the coredump of a Linux process is downloaded by the
// same request.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in a program from 2026.
func (s *CoredumpsService) DownloadIssue(ctx context.Context, project ProjectRef, issueID int64, dir string, options IssueDownloadOptions, opts ...CallOption) ([]IssueFile, error) {
	if err := options.check(ctx, issueID, dir); err != nil {
		return nil, err
	}
	d := &issueDownload{
		service: s, project: project, dir: dir, options: options, opts: append(opts[:len(opts):len(opts)], WithResponse(nil), WithProgress(nil)),
		manifest: IssueManifest{Organization: project.Organization, Project: project.Project, IssueID: issueID},
	}
	var traces []int64
	listed := clientOf(s).Traces.List(project, TraceListOptions{Issue: issueID, Since: options.Since}, d.opts...)
	for trace, err := range listed.All(ctx) {
		if err != nil {
			return nil, err
		}
		traces = append(traces, trace.ID)
	}
	if err := d.open(); err != nil {
		return nil, err
	}
	return d.run(ctx, traces)
}

var fileExtension = regexp.MustCompile(`^[a-z0-9]{0,16}$`)

func (o *IssueDownloadOptions) check(ctx context.Context, issueID int64, dir string) error {
	const name = "Coredumps.DownloadIssue"
	switch {
	case ctx == nil:
		return invalid("%s: nil context", name)
	case issueID < 1:
		return invalid("%s: issue ID must be positive", name)
	case dir == "":
		return invalid("%s: directory must not be empty", name)
	case o.Concurrency < 0 || o.WaitReady < 0:
		return invalid("%s: Concurrency and WaitReady must not be negative", name)
	case !fileExtension.MatchString(string(o.Format)):
		return invalid("%s: invalid format %q", name, o.Format)
	}
	if o.Concurrency == 0 {
		o.Concurrency = issueConcurrency
	}
	return nil
}

// issueDownload is a call of DownloadIssue.
type issueDownload struct {
	service  *CoredumpsService
	project  ProjectRef
	dir      string
	options  IssueDownloadOptions
	opts     []CallOption
	manifest IssueManifest
	failed   atomic.Pointer[error] // of the disk; ends the call
}

// open prepares the directory and reads the manifest in it.
func (d *issueDownload) open() error {
	if err := os.MkdirAll(d.dir, 0o750); err != nil {
		return invalid("Coredumps.DownloadIssue: %w", err)
	}
	if err := d.manifest.load(d.dir); err != nil {
		return err
	}
	if err := atomicfile.Clean(d.dir); err != nil {
		return invalid("Coredumps.DownloadIssue: %w", err)
	}
	return nil
}

// issueJob is a file to download.
type issueJob struct {
	IssueFile
	get func(ctx context.Context, w io.Writer) (*DownloadResult, error)
}

func (d *issueDownload) run(ctx context.Context, traces []int64) ([]IssueFile, error) {
	found, unread := make([]*Trace, len(traces)), make([]error, len(traces))
	parallel.Do(len(traces), d.options.Concurrency, func(i int) {
		if unread[i] = d.stopped(ctx); unread[i] == nil {
			found[i], unread[i] = clientOf(d.service).Traces.Get(ctx, d.project, traces[i], d.opts...)
		}
	})
	var jobs []issueJob
	met := map[string]bool{}
	add := func(traceID int64, name string, get func(context.Context, io.Writer) (*DownloadResult, error)) {
		if !met[name] {
			met[name] = true
			jobs = append(jobs, issueJob{IssueFile{Path: filepath.Join(d.dir, name), TraceID: traceID}, get})
		}
	}
	for i, trace := range found {
		if unread[i] != nil {
			jobs = append(jobs, issueJob{IssueFile: IssueFile{TraceID: traces[i], Err: fmt.Errorf("trace %d: %w", traces[i], unread[i])}})
			continue
		}
		if entry, ok := d.manifest.add(trace, d.options.Format); ok {
			add(trace.ID, entry.Coredump, d.coredump(trace.coredump().ID))
			if entry.Symbols != "" {
				add(trace.ID, entry.Symbols, d.symbols(trace.coredump().SymbolFile.ID))
			}
		}
	}
	parallel.Do(len(jobs), d.options.Concurrency, func(i int) {
		if jobs[i].Err == nil {
			d.save(ctx, &jobs[i])
		}
	})
	return d.finish(jobs)
}

// stopped returns why no further request may be made, or nil.
func (d *issueDownload) stopped(ctx context.Context) error {
	if failed := d.failed.Load(); failed != nil {
		return *failed
	}
	if ctx.Err() != nil {
		return newKindError(ErrNoAnswer, "Coredumps.DownloadIssue: %w", contextError(ctx))
	}
	return nil
}

func (d *issueDownload) save(ctx context.Context, job *issueJob) {
	name := filepath.Base(job.Path)
	if job.Size, job.Existed = atomicfile.Size(d.dir, name); job.Existed {
		return
	}
	err := d.stopped(ctx)
	if err == nil {
		var local bool
		local, err = atomicfile.Write(d.dir, name, func(w io.Writer) error {
			saved, err := job.get(ctx, w)
			if err == nil {
				job.Size = saved.Size
			}
			return err
		})
		if local {
			err = invalid("Coredumps.DownloadIssue: %w", err)
			d.failed.CompareAndSwap(nil, &err)
		}
	}
	if err != nil {
		job.Size, job.Err = 0, fmt.Errorf("%s: %w", name, err)
	}
}

func (d *issueDownload) coredump(id int64) func(context.Context, io.Writer) (*DownloadResult, error) {
	return func(ctx context.Context, w io.Writer) (*DownloadResult, error) {
		deadline := time.Now().Add(d.options.WaitReady)
		for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
			saved, err := d.service.Download(ctx, d.project, id, w, CoredumpDownloadOptions{Format: d.options.Format}, d.opts...)
			left := time.Until(deadline)
			if !errors.Is(err, ErrNotReady) || left <= 0 { // the writer is unchanged after ErrNotReady
				return saved, err
			}
			if sleep(ctx, min(pause, left)) != nil {
				return nil, d.stopped(ctx)
			}
		}
	}
}

func (d *issueDownload) symbols(id int64) func(context.Context, io.Writer) (*DownloadResult, error) {
	return func(ctx context.Context, w io.Writer) (*DownloadResult, error) {
		saved, err := d.service.DownloadSymbols(ctx, d.project, id, w, d.opts...)
		if err == nil && saved.Size == 0 {
			return nil, newKindError(ErrUnexpectedResponse, "symbols.download: the symbol file %s is empty", strconv.FormatInt(id, 10))
		}
		return saved, err
	}
}

// finish writes the manifest and collects the results.
func (d *issueDownload) finish(jobs []issueJob) ([]IssueFile, error) {
	files := make([]IssueFile, len(jobs))
	var failed []error
	for i, job := range jobs {
		if files[i] = job.IssueFile; job.Err != nil {
			failed = append(failed, job.Err)
		}
	}
	if err := d.manifest.save(d.dir); err != nil {
		failed = append(failed, err)
	}
	if len(failed) == 0 {
		return files, nil
	}
	return files, fmt.Errorf("memfault: Coredumps.DownloadIssue: %d files failed: %w", len(failed), errors.Join(failed...))
}
