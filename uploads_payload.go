package memfault

import (
	"crypto/md5" //nolint:gosec // the API names MD5 for uploads
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

// filePayload is a file as the body of a request, or as the middle of one. Each
// attempt reads it anew and hashes it on the way; only the latest one counts, even
// while net/http still reads for an attempt that has failed.
type filePayload struct {
	file     *File
	progress func(sent, total int64)
	before   []byte
	after    []byte

	mu     sync.Mutex
	latest *fileReader
	err    error // why the file cannot be sent, once that is known
}

// payload returns the body that the file makes.
func (p *filePayload) payload(contentType string) *payload {
	return &payload{
		contentType: contentType,
		size:        int64(len(p.before)) + p.file.Size + int64(len(p.after)),
		open:        p.open,
	}
}

func (p *filePayload) open() io.ReadCloser {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = &fileReader{payload: p, hash: md5.New(), before: p.before, after: p.after} //nolint:gosec // see above
	return p.latest
}

// fail keeps the reason for which the file cannot be sent. No attempt after it
// sends a byte.
func (p *filePayload) fail(reason error) error {
	if p.err == nil {
		p.err = &permanentError{fmt.Errorf("%s: %w", p.file.Name, reason)}
	}
	return p.err
}

// sum returns the MD5 of the file as the last attempt sent it, in lower-case
// hexadecimal, or why the file was not sent to its end.
func (p *filePayload) sum(op string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err == nil && (p.latest == nil || p.latest.sent != p.file.Size):
		_ = p.fail(errors.New("the server answered before it had the whole file"))
		fallthrough
	case p.err != nil:
		return "", fmt.Errorf("memfault: %s: %w", op, p.err)
	}
	return hex.EncodeToString(p.latest.hash.Sum(nil)), nil
}

// fileReader is one attempt's way through a filePayload.
type fileReader struct {
	payload *filePayload
	hash    hash.Hash
	before  []byte // what is left of it
	sent    int64  // bytes of the file
	after   []byte // what is left of it
	begun   bool
	closed  bool
}

// errAttemptOver is met by net/http when it goes on to read for an attempt that has
// ended.
var errAttemptOver = errors.New("memfault: the attempt is over")

func (r *fileReader) Close() error {
	r.payload.mu.Lock()
	defer r.payload.mu.Unlock()
	r.closed = true
	return nil
}

// Read holds the lock while it reads: of two attempts, one has to wait for the
// other to notice that it is over.
func (r *fileReader) Read(p []byte) (int, error) {
	whole := r.payload
	whole.mu.Lock()
	defer whole.mu.Unlock()
	switch {
	case r.closed || whole.latest != r:
		return 0, errAttemptOver
	case whole.err != nil:
		return 0, whole.err
	case len(p) == 0:
		return 0, nil
	}
	if !r.begun {
		r.begun = true
		whole.report(0)
	}
	switch {
	case len(r.before) > 0:
		return take(p, &r.before), nil
	case r.sent < whole.file.Size:
		return r.readFile(p)
	case len(r.after) > 0:
		return take(p, &r.after), nil
	default:
		return 0, io.EOF
	}
}

// readFile hands out the next part of the file. The last part is kept back when the
// file has become longer, so that no server ever has the whole of a changed file.
func (r *fileReader) readFile(p []byte) (int, error) {
	whole := r.payload
	file := whole.file
	p = p[:min(int64(len(p)), file.Size-r.sent)]
	n, err := file.Content.ReadAt(p, r.sent)
	if n < len(p) {
		if err == nil || errors.Is(err, io.EOF) {
			return 0, whole.fail(fmt.Errorf("the file became shorter than its %d bytes", file.Size))
		}
		return 0, whole.fail(err)
	}
	if r.sent+int64(n) == file.Size {
		if more, _ := file.Content.ReadAt(make([]byte, 1), file.Size); more > 0 {
			return 0, whole.fail(fmt.Errorf("the file became longer than its %d bytes", file.Size))
		}
	}
	_, _ = r.hash.Write(p) // never fails
	r.sent += int64(n)
	whole.report(r.sent)
	return n, nil
}

func (p *filePayload) report(sent int64) {
	if p.progress != nil {
		p.progress(sent, p.file.Size)
	}
}

func take(p []byte, from *[]byte) int {
	n := copy(p, *from)
	*from = (*from)[n:]
	return n
}
