package memfault

import (
	"context"
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

	mu      sync.Mutex // not held while code of the caller runs
	latest  *fileReader
	foreign chan struct{} // contains an element while code of the caller runs
	err     error         // why the file cannot be sent, once that is known
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
	if p.foreign == nil {
		p.foreign = make(chan struct{}, 1)
	}
	p.latest = &fileReader{
		payload: p, hash: md5.New(), before: p.before, after: p.after, //nolint:gosec // see above
		buffer: make([]byte, fileBuffer), closed: make(chan struct{}),
	}
	return p.latest
}

// fileBuffer is how many bytes of a file are read at once.
const fileBuffer = 32 << 10

// fail keeps the reason for which the file cannot be sent. No later attempt sends a byte.
func (p *filePayload) fail(reason error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	buffer  []byte    // of File.Content, which can still write after Read has returned
	hash    hash.Hash // payload.mu must be held
	sent    int64     // bytes of the file; payload.mu must be held to change it
	before  []byte    // the part that was not read yet
	after   []byte    // the part that was not read yet
	begun   bool
	ctx     context.Context // of the attempt; nil if it is not known
	closed  chan struct{}
	close   sync.Once
}

// errAttemptOver is returned to net/http if it still reads for an attempt that has failed.
var errAttemptOver = errors.New("memfault: the attempt is over")

// Close ends a Read in flight.
func (r *fileReader) Close() error {
	r.close.Do(func() { close(r.closed) })
	return nil
}

// endWith makes a Read end with the context of the attempt.
func (r *fileReader) endWith(ctx context.Context) { r.ctx = ctx }

// over returns why the attempt must send nothing more, or nil.
func (r *fileReader) over() error {
	whole := r.payload
	whole.mu.Lock()
	defer whole.mu.Unlock()
	select {
	case <-r.closed:
		return errAttemptOver
	default:
	}
	if whole.latest != r {
		return errAttemptOver
	}
	return whole.err
}

func (r *fileReader) Read(p []byte) (int, error) {
	if err := r.over(); err != nil || len(p) == 0 {
		return 0, err
	}
	if !r.begun {
		r.begun = true
		if err := r.await(func() error { r.payload.report(0); return nil }); err != nil {
			return 0, err
		}
	}
	if len(r.before) > 0 {
		return take(p, &r.before), nil
	}
	switch {
	case r.sent < r.payload.file.Size:
		var part []byte
		if err := r.await(func() (err error) { part, err = r.readFile(len(p)); return err }); err != nil {
			return 0, err
		}
		return copy(p, part), nil
	case len(r.after) > 0:
		return take(p, &r.after), nil
	default:
		return 0, io.EOF
	}
}

// await runs code of the caller, which may never return, until the attempt is over. Two attempts
// never run it at the same time. A panic of it fails the upload.
func (r *fileReader) await(foreign func() error) error {
	var ended <-chan struct{}
	if r.ctx != nil {
		ended = r.ctx.Done()
	}
	over := func() error {
		_ = r.Close()
		return errAttemptOver
	}
	select {
	case r.payload.foreign <- struct{}{}:
	case <-r.closed:
		return errAttemptOver
	case <-ended:
		return over()
	}
	done := make(chan error, 1)
	go func() {
		err := errors.New("WithProgress or File.Content ended its goroutine")
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("WithProgress or File.Content panicked: %v", v)
			}
			if err != nil && !errors.Is(err, errAttemptOver) {
				err = r.payload.fail(err)
			}
			<-r.payload.foreign
			done <- err
		}()
		err = foreign()
	}()
	select {
	case err := <-done:
		return err
	case <-r.closed:
		return errAttemptOver
	case <-ended:
		return over()
	}
}

// readFile reads the next part of the file, of at most limit bytes. If the file has grown, readFile withholds the last
// part, so that no server receives a complete changed file.
func (r *fileReader) readFile(limit int) ([]byte, error) {
	whole := r.payload
	file := whole.file
	part := r.buffer[:min(int64(min(limit, len(r.buffer))), file.Size-r.sent)]
	n, err := file.Content.ReadAt(part, r.sent)
	if n < len(part) {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the file became shorter than its %d bytes", file.Size)
		}
		return nil, err
	}
	if r.sent+int64(n) == file.Size {
		if more, _ := file.Content.ReadAt(make([]byte, 1), file.Size); more > 0 {
			return nil, fmt.Errorf("the file became longer than its %d bytes", file.Size)
		}
	}
	if err := r.over(); err != nil {
		return nil, err
	}
	whole.mu.Lock()
	_, _ = r.hash.Write(part) // never fails
	r.sent += int64(n)
	whole.mu.Unlock()
	whole.report(r.sent)
	return part, nil
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
