package memfault

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/memfault-go/memfault/internal/operation"
)

// maxLogLine is the size at which a line of a log file is an error.
const maxLogLine = 16 << 20

// LogFile is a log that a device uploaded. Fields other than CID are unknown.
type LogFile struct {
	CID string `json:"cid"` // a UUID
}

// LogFileListOptions selects log files.
//
// UNCERTAIN(log-files-limit): whether Memfault honors Limit, which one program sends.
type LogFileListOptions struct {
	ListOptions
	Limit int `url:"limit,omitempty"`
}

// LogLine is a line of a log file.
type LogLine struct {
	Line string // without the line end
	// JSON is the object that contained the line, with all its fields. It is nil in a file of
	// plain text.
	JSON json.RawMessage
}

// ListLogFiles returns the log files of a device.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests.
func (s *DevicesService) ListLogFiles(project ProjectRef, deviceSerial string, options LogFileListOptions, opts ...CallOption) *Pager[LogFile] {
	return list[LogFile](clientOf(s), operation.DeviceLogFilesList, project.path(deviceSerial), options, opts)
}

// DownloadLogFile writes a log file of a device to w, as it is stored. See [DownloadResult]
// for the rules of all downloads.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests and in one program.
func (s *DevicesService) DownloadLogFile(ctx context.Context, project ProjectRef, deviceSerial, cid string, w io.Writer, opts ...CallOption) (*DownloadResult, error) {
	return clientOf(s).saveFile(ctx, operation.DeviceLogFilesDownload, requestParams{path: project.path(deviceSerial, cid)}, w, opts)
}

// ReadLogFile returns the lines of a log file of a device while the file is downloaded. See
// [DownloadResult] for the rules of all downloads. Each iteration downloads the file again. If
// an error occurs, the iterator yields it once and stops. A line of 16 MiB or more is an
// error.
//
// The file contains plain text, or a JSON object on each line with the text in its field line.
// The first line determines the form. Both forms may be compressed with gzip.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests (plain text) and in one
// program (objects).
func (s *DevicesService) ReadLogFile(ctx context.Context, project ProjectRef, deviceSerial, cid string, opts ...CallOption) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) {
		d, err := clientOf(s).openFile(ctx, operation.DeviceLogFilesDownload, requestParams{path: project.path(deviceSerial, cid)}, opts)
		if err != nil {
			yield(LogLine{}, err)
			return
		}
		defer d.close()
		if err := readLines(d, yield); err != nil {
			if d.err == nil || errors.Is(d.err, io.EOF) { // it is not an error of the download itself
				err = fmt.Errorf("memfault: %s: %w", d.call.op.Name, err)
			}
			yield(LogLine{}, err)
		}
	}
}

// readLines yields the lines of a log file until the file ends or the consumer stops.
func readLines(file io.Reader, yield func(LogLine, error) bool) error {
	lines, err := newLineReader(file)
	if err != nil {
		return err
	}
	var asObjects, decided bool
	for lines.Scan() {
		text := lines.Bytes()
		if !decided {
			_, asObjects = logObject(text)
			decided = true
		}
		line := LogLine{Line: string(text)}
		if asObjects {
			if len(text) == 0 {
				continue
			}
			if object, ok := logObject(text); ok {
				line = object
			}
		}
		if !yield(line, nil) {
			return nil
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line of %d MiB or more", maxLogLine>>20)
	}
	return lines.Err()
}

// logObject decodes a line that is an object with the text in its field line.
func logObject(text []byte) (LogLine, bool) {
	var object struct {
		Line *string `json:"line"`
	}
	if len(text) == 0 || text[0] != '{' || json.Unmarshal(text, &object) != nil || object.Line == nil {
		return LogLine{}, false
	}
	return LogLine{Line: *object.Line, JSON: append(json.RawMessage(nil), text...)}, true
}

// newLineReader splits a file into lines and decompresses it if needed. Text after the last
// line end is a line only if the file was read completely.
func newLineReader(file io.Reader) (*bufio.Scanner, error) {
	buffered := bufio.NewReader(file)
	source := &failing{Reader: buffered}
	if magic, _ := buffered.Peek(2); string(magic) == "\x1f\x8b" { // the first line returns the same error
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, err
		}
		source.Reader = unpacked
	}
	lines := bufio.NewScanner(source)
	lines.Buffer(make([]byte, 0, 32<<10), maxLogLine)
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		return bufio.ScanLines(data, atEOF && source.err == nil)
	})
	return lines, nil
}

// failing remembers the error that ended its reader too early.
type failing struct {
	io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
