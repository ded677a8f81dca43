// Package resume reads a file from an HTTP server as if the connection never broke.
//
// It promises that every byte of the file is returned once and in order, that memory does
// not depend on the size of the file, and that the part after a broken connection is not
// joined to the part before it if the responses describe different files. It does not send
// requests itself, and has no policy of retries.
package resume

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Source is where a Reader gets its file from.
type Source struct {
	// Fetch sends a request with the given header and returns the response. It returns an
	// error if there is no successful response; with a response that failed, it returns
	// both. The Reader closes the body of a successful response.
	Fetch func(header http.Header) (*http.Response, error)
	// Wait waits before the file is requested again, because cause broke the connection. It
	// returns an error if the Reader must not continue. failures counts the consecutive
	// attempts that returned no byte, including the broken one.
	Wait func(failures int, cause error) error
}

// UnusableError is a successful response that is not the file, or not the rest of it.
type UnusableError struct {
	Response *http.Response
	Problem  string
}

func (e *UnusableError) Error() string { return e.Problem }

// Reader reads a file. It is not safe for concurrent use.
type Reader struct {
	source   Source
	header   http.Header   // of the response that the file began with
	size     int64         // of the whole file; -1 if unknown
	body     io.ReadCloser // nil after the connection broke
	offset   int64         // bytes that were read
	sum      hash.Hash     // the SHA-256 of these bytes
	failures int           // consecutive attempts without a byte
	lost     error         // why the connection broke
	err      error         // the final error
}

// Open requests a file from source.
func Open(source Source) (*Reader, error) {
	r := &Reader{source: source, sum: sha256.New()}
	if err := r.connect(); err != nil {
		return nil, err
	}
	return r, nil
}

// Header returns the header of the response that the file began with.
func (r *Reader) Header() http.Header { return r.header }

// Size returns the number of bytes that were read.
func (r *Reader) Size() int64 { return r.offset }

// SHA256 returns the sum of the bytes that were read.
func (r *Reader) SHA256() []byte { return r.sum.Sum(nil) }

// Read continues on a new connection if the last one broke.
func (r *Reader) Read(p []byte) (int, error) {
	for r.err == nil {
		if r.body == nil {
			r.err = r.resume()
			continue
		}
		if r.size >= 0 {
			p = p[:min(int64(len(p)), r.size-r.offset)]
		}
		n, err := r.body.Read(p)
		_, _ = r.sum.Write(p[:n]) // never fails
		r.offset += int64(n)
		if n > 0 {
			r.failures = 0
		}
		whole := r.offset == r.size || r.size < 0 && err == io.EOF
		switch {
		case whole:
			r.err = io.EOF
		case err != nil:
			r.connectionLost(err)
		}
		if n > 0 || err == nil && !whole {
			return n, nil
		}
	}
	return 0, r.err
}

// Close closes the present connection. It never fails.
func (r *Reader) Close() error {
	if r.body != nil {
		_ = r.body.Close() // nothing more is read from it
		r.body = nil
	}
	return nil
}

func (r *Reader) connectionLost(err error) {
	_ = r.Close()
	if r.lost = err; errors.Is(err, io.EOF) {
		r.lost = io.ErrUnexpectedEOF
	}
}

func (r *Reader) resume() error {
	r.failures++
	if err := r.source.Wait(r.failures, r.lost); err != nil {
		return err
	}
	return r.connect()
}

// connect requests the file, or the rest of it.
func (r *Reader) connect() error {
	header := http.Header{"Accept-Encoding": {"identity"}} // otherwise lengths and offsets would not be exact
	if r.offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", r.offset))
		if value := r.ifRangeValue(); value != "" {
			header.Set("If-Range", value)
		}
	}
	resp, err := r.source.Fetch(header) //nolint:bodyclose // Close does
	switch {
	case resp != nil && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && r.complete(resp):
		r.size, r.body = r.offset, http.NoBody
		return nil
	case err != nil:
		return err
	case r.offset == 0:
		return r.acceptFull(resp)
	case resp.StatusCode == http.StatusPartialContent:
		return r.acceptPartial(resp)
	default:
		return r.skipToOffset(resp)
	}
}

// ifRangeValue returns what identifies the file's content in an If-Range header.
func (r *Reader) ifRangeValue() string {
	if tag := r.header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return r.header.Get("Last-Modified")
}

// acceptFull starts the file with a response.
func (r *Reader) acceptFull(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return r.unusable(resp, "the answer is not the whole file")
	}
	r.header, r.size, r.body = resp.Header, resp.ContentLength, resp.Body
	return nil
}

// acceptPartial continues with a response that contains the rest of the file.
func (r *Reader) acceptPartial(resp *http.Response) error {
	start, total, ok := contentRange(resp.Header)
	if !ok || start != r.offset {
		return r.unusable(resp, "another part of the file came than was asked for")
	}
	if same, _ := r.compare(resp.Header, total); !same {
		return r.unusable(resp, "the file changed during the download")
	}
	if r.size < 0 {
		r.size = total
	}
	r.body = resp.Body
	return nil
}

// skipToOffset continues with a response that contains the whole file. The part that was
// read before is read again, and must be the same.
func (r *Reader) skipToOffset(resp *http.Response) error {
	if same, known := r.compare(resp.Header, resp.ContentLength); !same || !known {
		return r.unusable(resp, "the file changed during the download, or the server cannot continue one")
	}
	r.body = resp.Body
	again := sha256.New()
	if _, err := io.CopyN(again, resp.Body, r.offset); err != nil {
		r.connectionLost(err)
		return nil
	}
	if !bytes.Equal(again.Sum(nil), r.sum.Sum(nil)) {
		return r.unusable(resp, "the file changed during the download")
	}
	return nil
}

// complete reports whether a response without the requested range means that the file has
// no more bytes: only if its size is unknown.
func (r *Reader) complete(resp *http.Response) bool {
	_, total, ok := contentRange(resp.Header)
	same, _ := r.compare(resp.Header, -1)
	return ok && same && r.size < 0 && total == r.offset
}

// compare reports whether a response is about the same content as the first one, as far as
// header and size tell, and whether they tell.
func (r *Reader) compare(header http.Header, size int64) (same, known bool) {
	if size >= 0 && r.size >= 0 {
		if size != r.size {
			return false, true
		}
		known = true
	}
	for _, name := range []string{"ETag", "Last-Modified"} {
		before, now := strings.TrimPrefix(r.header.Get(name), "W/"), strings.TrimPrefix(header.Get(name), "W/")
		if before != "" && now != "" {
			return before == now, true
		}
	}
	return true, known
}

func (r *Reader) unusable(resp *http.Response, problem string) error {
	_ = resp.Body.Close() // nothing is read from it
	r.body = nil
	return &UnusableError{resp, problem}
}

// contentRange reads the Content-Range header: where the part begins, and how large the
// whole is; -1 for what it leaves open. A part that begins beyond the whole is not ok.
func contentRange(header http.Header) (start, total int64, ok bool) {
	span, whole, _ := strings.Cut(strings.TrimPrefix(header.Get("Content-Range"), "bytes "), "/")
	first, _, _ := strings.Cut(span, "-")
	start, total = -1, -1
	var errStart, errTotal error
	if span != "*" {
		start, errStart = strconv.ParseInt(first, 10, 64)
	}
	if whole != "*" {
		total, errTotal = strconv.ParseInt(whole, 10, 64)
	}
	return start, total, errStart == nil && errTotal == nil && (whole == "*" || start < total)
}
