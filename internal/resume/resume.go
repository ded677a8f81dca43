// Package resume reads a file from an HTTP server as if the connection never broke.
//
// It promises that every byte of the file is returned once and in order, that memory does
// not depend on the size of the file, and that two files are never mixed: after a broken
// connection, the rest of the file is requested only if the server identified the file by a
// strong validator, and is used only if it has the same one. Otherwise the whole file is
// requested again, and its beginning is compared with what was returned before.
//
// A validator is strong if it is an entity tag without W/, or, without any entity tag, a
// Last-Modified at least 60 seconds before the Date of the response. RFC 9110, section
// 8.8.2.2, demands one second of difference, and more if the clocks may differ; the RFCs
// before it demanded 60.
//
// The package does not send requests itself. The caller decides which failures are retried,
// and after which wait.
package resume

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
)

// Source is where a [Reader] gets its file from.
type Source struct {
	// Fetch sends one request with the given header. It returns the response if that is
	// successful, or has status 416 and the header has a Range; otherwise an error. The
	// [Reader] closes the body.
	Fetch func(header http.Header) (*http.Response, error)
	// Retry waits before the next attempt. It returns an error, which is final, if there
	// must not be one. waits is the number of earlier waits since the last new byte. cause
	// is an error of Fetch or a [*LostError].
	Retry func(waits int, cause error) error
	// MaxAttempts is the number of consecutive attempts without a new byte after which the
	// error of the last one is final. If it is 1, a broken file is not requested again.
	MaxAttempts int
}

// LostError is a connection that broke after the response header.
type LostError struct{ Err error }

func (e *LostError) Error() string { return e.Err.Error() }

// Unwrap returns why the connection broke.
func (e *LostError) Unwrap() error { return e.Err }

// UnusableError is a successful response that is not the file, or not the rest of it.
type UnusableError struct {
	Response *http.Response
	Problem  string
}

func (e *UnusableError) Error() string { return e.Problem }

// Reader reads a file. It is not safe for concurrent use.
type Reader struct {
	source    Source
	file      identity  // of the whole response that the file is from
	size      int64     // of the whole file; -1 if unknown
	offset    int64     // bytes that were returned
	sum       hash.Hash // the SHA-256 of these bytes
	noRanges  bool      // the server did not respond to a range request as it must
	response  *http.Response
	body      io.ReadCloser // of response; nil after the connection broke
	openEnded bool          // the length of body is unknown, that of the file is not

	barren int   // consecutive attempts without a new byte, including the current one
	waits  int   // since the last new byte
	cause  error // why the last attempt failed; nil before the first
	err    error // the final error
}

// Open requests a file from source.
func Open(source Source) (*Reader, error) {
	r := &Reader{source: source, size: -1, sum: sha256.New()}
	for r.body == nil {
		if err := r.attempt(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Header returns the header of the last response that was the whole file.
func (r *Reader) Header() http.Header { return r.file.header }

// Size returns the number of bytes that were read.
func (r *Reader) Size() int64 { return r.offset }

// SHA256 returns the sum of the bytes that were read.
func (r *Reader) SHA256() []byte { return r.sum.Sum(nil) }

// Read continues on a new connection if the last one broke.
func (r *Reader) Read(p []byte) (int, error) {
	for r.err == nil {
		if r.body == nil {
			r.err = r.attempt()
			continue
		}
		if r.size >= 0 {
			p = p[:min(int64(len(p)), r.size-r.offset)]
		}
		n, err := r.body.Read(p)
		_, _ = r.sum.Write(p[:n]) // never fails
		if r.offset += int64(n); n > 0 {
			r.barren, r.waits = 0, 0
		}
		whole := r.offset == r.size || r.size < 0 && err == io.EOF
		switch {
		case whole:
			r.finish(err)
		case err != nil:
			r.connectionLost(err)
		}
		if n > 0 || err == nil && !whole {
			return n, nil
		}
	}
	return 0, r.err
}

// finish ends the file, whose last byte was read. If the current response has no length, the
// file could be longer than the first response announced, and therefore be another file.
func (r *Reader) finish(err error) {
	for r.openEnded && err == nil {
		var next [1]byte
		var n int
		if n, err = r.body.Read(next[:]); n > 0 {
			r.err = r.unusable(r.response, problemChanged)
			return
		}
	}
	if r.openEnded && err != io.EOF {
		r.connectionLost(err)
		return
	}
	r.err = io.EOF
}

// Close closes the current connection and ends the file. It never fails.
func (r *Reader) Close() error {
	r.disconnect()
	if r.err == nil {
		r.err = errClosed
	}
	return nil
}

var errClosed = errors.New("read from a closed file")

func (r *Reader) disconnect() {
	if r.body != nil {
		_ = r.body.Close() // nothing more is read from it
		r.body = nil
	}
}

func (r *Reader) connectionLost(err error) {
	r.disconnect()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	r.cause = &LostError{err}
}

// attempt requests the file, or the rest of it. After a failed attempt it waits before. It
// returns the final error.
func (r *Reader) attempt() error {
	if r.cause != nil {
		if most := r.source.MaxAttempts; most <= 1 || r.barren >= most {
			return r.cause
		}
		if err := r.source.Retry(r.waits, r.cause); err != nil {
			return err
		}
		r.waits++
	}
	r.barren++
	header := http.Header{"Accept-Encoding": {"identity"}} // otherwise lengths and offsets would not be exact
	validator := r.file.validator()
	ranged := r.offset > 0 && validator != "" && !r.noRanges
	if ranged {
		header.Set("Range", fmt.Sprintf("bytes=%d-", r.offset))
		header.Set("If-Range", validator)
	}
	resp, err := r.source.Fetch(header)
	if err != nil {
		r.cause = err
		return nil
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	switch {
	case ranged && resp.StatusCode == http.StatusPartialContent:
		return r.acceptPartial(resp)
	case ranged && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		r.wholeNext(resp, "the server has no bytes after the broken connection")
		return nil
	case r.offset == 0:
		return r.acceptFull(resp)
	default:
		return r.skipToOffset(resp)
	}
}
