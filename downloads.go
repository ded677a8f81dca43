package memfault

import (
	"context"
	"crypto/md5" //nolint:gosec // the API uses MD5 for its files
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/memfault-go/memfault/internal/operation"
)

// DownloadResult describes a completed download.
//
// A download is written to its writer as it arrives and is never held in memory. Compressed
// files are written as they are stored. An error of the writer ends the download
// immediately. After any error, the writer may contain part of the file.
//
// If the connection breaks, or the response body stalls for 1 minute, the download resumes
// at that point. It waits as in the client's [RetryPolicy], and fails after MaxAttempts
// consecutive attempts without a new byte. Every request counts as an attempt, even if it
// gets no response. If [WithoutRetry] is set or MaxAttempts is 1, there is no second
// attempt.
//
// Two versions of a file are never mixed. The rest of the file is requested only if the
// server identified the file by a strong validator: an ETag without W/, or, without an ETag,
// a Last-Modified at least 60 seconds before the Date of the response. Otherwise the whole
// file is requested again, and its beginning is compared with what was written. If the file
// has changed in the meantime, the download fails, because a writer cannot go back.
type DownloadResult struct {
	Size int64 // bytes
	// Filename is the name from the server, without directories; it can be empty. Characters
	// that are not allowed on Windows are replaced by underscores, a name that is reserved there
	// begins with one, and a name is at most 255 bytes long.
	Filename    string
	ContentType string
	MD5         string // of the written bytes, in hexadecimal
	SHA256      string // like MD5
}

// ChecksumError is returned if a complete download differs from the API's description of
// the file. The writer contains all of it, because the difference is known only at the end.
// The error is of the kind [ErrUnexpectedResponse].
type ChecksumError struct {
	Operation string
	Algorithm string // size, sha256, sha1 or md5
	Want, Got string // hexadecimal; decimal for a size
}

// Error returns the operation, the algorithm and both values.
func (e *ChecksumError) Error() string {
	return fmt.Sprintf("memfault: %s: file %s mismatch: got %s, want %s (from the API)", e.Operation, e.Algorithm, e.Got, e.Want)
}

// Is reports whether target is [ErrUnexpectedResponse].
func (e *ChecksumError) Is(target error) bool { return target == ErrUnexpectedResponse }

// openFile prepares the download of an operation's file. The first Read sends the request.
func (c *Client) openFile(ctx context.Context, op *operation.Operation, params requestParams, opts []CallOption) (*download, error) {
	target, err := c.requestURL(op, params)
	if err != nil {
		return nil, err
	}
	return c.openURL(ctx, op, target, opts)
}

func (c *Client) openURL(ctx context.Context, op *operation.Operation, target *url.URL, opts []CallOption) (*download, error) {
	options := newCallOptions(opts)
	for _, header := range options.headers {
		switch name := http.CanonicalHeaderKey(header[0]); name {
		case "Range", "If-Range", "Accept-Encoding":
			return nil, invalid("%s: WithHeader: %s cannot be set by the caller", op.Name, name)
		}
	}
	once := options.withoutRetry
	options.withoutRetry = true // resume.Reader counts all attempts of the download
	return &download{ctx: ctx, call: &call{client: c, op: op, options: options}, target: target, once: once}, nil
}

// saveFile writes the file of an operation to w.
func (c *Client) saveFile(ctx context.Context, op *operation.Operation, params requestParams, w io.Writer, opts []CallOption) (*DownloadResult, error) {
	d, err := c.openFile(ctx, op, params, opts)
	if err != nil {
		return nil, err
	}
	return d.save(w)
}

// save writes the file to w and to the hashes.
func (d *download) save(w io.Writer, hashes ...hash.Hash) (*DownloadResult, error) {
	defer d.close()
	if w == nil {
		return nil, invalid("%s: nil writer", d.call.op.Name)
	}
	md5Sum := md5.New() //nolint:gosec // the API uses MD5 for its files
	hashes = append(hashes, md5Sum)
	buffer := make([]byte, 32<<10)
	for {
		n, err := d.Read(buffer)
		if n > 0 {
			if err := d.write(w, buffer[:n]); err != nil {
				return nil, err
			}
			for _, sum := range hashes {
				_, _ = sum.Write(buffer[:n]) // never fails
			}
		}
		if err == io.EOF { //nolint:errorlint // Read returns it as it is
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return &DownloadResult{
		Size:        d.file.Size(),
		Filename:    filename(d.file.Header().Get("Content-Disposition")),
		ContentType: d.file.Header().Get("Content-Type"),
		MD5:         hex.EncodeToString(md5Sum.Sum(nil)),
		SHA256:      hex.EncodeToString(d.file.SHA256()),
	}, nil
}

func (d *download) write(w io.Writer, part []byte) error {
	n, err := w.Write(part)
	if err == nil && n < len(part) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return invalid("%s: writer: %w", d.call.op.Name, err)
	}
	return nil
}

// filename returns the last element of the name in a Content-Disposition header, as a name that
// a file can have on every system.
func filename(disposition string) string {
	_, parameters, err := mime.ParseMediaType(disposition)
	if err != nil {
		return ""
	}
	name := path.Base(strings.ReplaceAll(parameters["filename"], `\`, "/"))
	if checkSegment(name) != nil || name == "/" || strings.ContainsFunc(name, isControl) {
		return ""
	}
	return portableName(name)
}

// portableName changes what a name of a file cannot contain on some systems: Windows rejects
// some characters, a dot or a space at the end, and the names of devices, also before a dot.
// Most systems limit a name to 255 bytes.
func portableName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`<>:"|?*`, r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	device, _, _ := strings.Cut(name, ".")
	if isDevice(strings.ToUpper(strings.TrimRight(device, " "))) {
		name = "_" + name
	}
	if name = strings.TrimRight(name, ". "); len(name) <= maxFilename {
		return name
	}
	extension := path.Ext(name)
	if len(extension) > maxExtension {
		extension = ""
	}
	kept := strings.ToValidUTF8(name[:maxFilename-len(extension)], "") // a character can be cut off
	return strings.TrimRight(kept, ". ") + extension
}

const (
	maxFilename  = 255 // bytes
	maxExtension = 32  // bytes
)

// isDevice reports whether a name in capital letters is that of a device of Windows.
func isDevice(name string) bool {
	switch name {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	digit, ok := strings.CutPrefix(name, "COM")
	if !ok {
		digit, ok = strings.CutPrefix(name, "LPT")
	}
	return ok && utf8.RuneCountInString(digit) == 1 && strings.Contains("0123456789¹²³", digit)
}
