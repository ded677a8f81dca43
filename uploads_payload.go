package memfault

import (
	"crypto/md5" //nolint:gosec // the API uses MD5 for uploads
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

// filePayload is a file as the body of a request, or as the middle of one. Each attempt reads
// it from its start and hashes it on the way. Only the latest attempt counts, even while
// net/http still reads for an attempt that has failed.
type filePayload struct {
	file     *File
	progress func(sent, total int64)
	before   []byte
	after    []byte

	mu     sync.Mutex
	latest *fileReader
	err    error // why the file cannot be sent, once that is known
}

// payload returns the request body with the file.
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

// fail keeps the reason for which the file cannot be sent. No later attempt sends a byte. p.mu
// must be held.
func (p *filePayload) fail(reason error) error {
	if p.err == nil {
		p.err = &permanentError{fmt.Errorf("%s: %w", p.file.Name, reason)}
	}
	return p.err
}

// cause returns why the file cannot be sent, if that ended the request, and err otherwise.
func (p *filePayload) cause(op string, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil && errors.Is(err, p.err) {
		return invalid("%s: %w", op, p.err)
	}
	return err
}

// sum returns the MD5 of the file as the last attempt sent it, in lowercase hexadecimal, or
// why the file was not sent completely.
func (p *filePayload) sum(op string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return "", invalid("%s: %w", op, p.err)
	case p.latest == nil || p.latest.sent != p.file.Size:
		return "", newKindError(ErrUnexpectedResponse, "%s: %s: the server responded before it had the whole file", op, p.file.Name)
	}
	return hex.EncodeToString(p.latest.hash.Sum(nil)), nil
}

// fileReader is the position of one attempt in a filePayload.
type fileReader struct {
	payload *filePayload
	hash    hash.Hash
	before  []byte // the part that was not read yet
	sent    int64  // bytes of the file
	after   []byte // the part that was not read yet
	begun   bool
	closed  bool
}

// errAttemptOver is returned to net/http if it still reads for an attempt that has failed.
var errAttemptOver = errors.New("memfault: the attempt is over")

func (r *fileReader) Close() error {
	r.payload.mu.Lock()
	defer r.payload.mu.Unlock()
	r.closed = true
	return nil
}

// Read holds the lock while it reads, so that an attempt stops as soon as the next one has
// begun.
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

// readFile reads the next part of the file. If the file has grown, readFile withholds the last
// part, so that no server receives a complete changed file.
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
