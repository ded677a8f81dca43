package memfault

import (
	"context"
	"crypto/md5" //nolint:gosec // the API names MD5 for its files
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// DownloadResult tells what a download wrote.
//
// Every download goes to its writer as it comes and is never held in memory. One
// whose connection breaks is continued where it stopped, unless WithoutRetry: with
// the waits of the client's RetryPolicy, and for as long as fewer than MaxAttempts
// attempts in a row brought nothing. If the file has changed since, that is an
// error: a writer cannot go back. An error of the writer ends the download at once.
// After any error, the writer may hold a part of the file. What is stored compressed
// is written as it is stored.
type DownloadResult struct {
	Size        int64  // bytes
	Filename    string // as the server names it, without directories; may be empty
	ContentType string
	MD5         string // of the bytes written, hexadecimal, as SHA256
	SHA256      string
}

// ChecksumError is a file that was downloaded whole and is not the one that the API
// described. Its bytes were written before that could be known.
type ChecksumError struct {
	Operation string
	Algorithm string // what differs: size, sha256, sha1 or md5
	Want, Got string // hexadecimal, of a size decimal
}

// Error names the operation, the algorithm and both sums.
func (e *ChecksumError) Error() string {
	return fmt.Sprintf("memfault: %s: the %s of the file is %s, and %s by the API", e.Operation, e.Algorithm, e.Got, e.Want)
}

// openFile asks for the file of an operation.
func (c *Client) openFile(ctx context.Context, id operation.ID, params requestParams, opts []CallOption) (*download, error) {
	op := operation.Get(id)
	target, err := c.requestURL(op, params)
	if err != nil {
		return nil, err
	}
	return c.openURL(ctx, op, target, opts)
}

func (c *Client) openURL(ctx context.Context, op *operation.Operation, target *url.URL, opts []CallOption) (*download, error) {
	d := &download{ctx: ctx, call: &call{client: c, op: op, options: newCallOptions(opts)}, target: target}
	for _, header := range d.call.options.headers {
		switch name := http.CanonicalHeaderKey(header[0]); name {
		case "Range", "If-Range", "Accept-Encoding":
			return nil, invalid("%s: WithHeader: %s cannot be set by the caller", op.Name, name)
		}
	}
	if err := d.open(); err != nil {
		return nil, err
	}
	return d, nil
}

// saveFile writes the file of an operation to w.
func (c *Client) saveFile(ctx context.Context, id operation.ID, params requestParams, w io.Writer, opts []CallOption) (*DownloadResult, error) {
	d, err := c.openFile(ctx, id, params, opts)
	if err != nil {
		return nil, err
	}
	return d.save(w)
}

// save writes the file to w and to the hashes.
func (d *download) save(w io.Writer, hashes ...hash.Hash) (*DownloadResult, error) {
	defer d.close()
	if w == nil {
		return nil, invalid("%s: the writer is nil", d.call.op.Name)
	}
	short := md5.New() //nolint:gosec // the API names MD5 for its files
	hashes = append(hashes, short)
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
		MD5:         hex.EncodeToString(short.Sum(nil)),
		SHA256:      hex.EncodeToString(d.file.SHA256()),
	}, nil
}

func (d *download) write(w io.Writer, part []byte) error {
	n, err := w.Write(part)
	if err == nil && n < len(part) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("memfault: %s: the writer: %w", d.call.op.Name, err)
	}
	return nil
}

// filename returns the last element of the name in a Content-Disposition header.
func filename(disposition string) string {
	_, parameters, err := mime.ParseMediaType(disposition)
	if err != nil {
		return ""
	}
	name := path.Base(strings.ReplaceAll(parameters["filename"], `\`, "/"))
	if checkSegment(name) != nil || name == "/" || strings.ContainsFunc(name, isControl) {
		return ""
	}
	return name
}
