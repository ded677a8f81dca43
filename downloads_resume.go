package memfault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// download reads a file as if its connection never broke.
type download struct {
	ctx    context.Context
	call   *call
	target *url.URL

	header   http.Header   // of the answer that the file began with
	size     int64         // of the whole file; -1 when nobody said
	body     io.ReadCloser // nil after the connection broke
	offset   int64         // how much was read
	sum      hash.Hash     // the SHA-256 of that
	failures int           // attempts in a row that brought nothing
	lost     error         // why the connection broke
	err      error         // the end
}

// Read reads on, over a new connection if the last one broke.
func (d *download) Read(p []byte) (int, error) {
	for d.err == nil {
		if d.body == nil {
			d.err = d.resume()
			continue
		}
		if d.size >= 0 {
			p = p[:min(int64(len(p)), d.size-d.offset)]
		}
		n, err := d.body.Read(p)
		_, _ = d.sum.Write(p[:n]) // never fails
		d.offset += int64(n)
		if n > 0 {
			d.failures = 0
		}
		whole := d.offset == d.size || d.size < 0 && err == io.EOF
		switch {
		case whole:
			d.err = io.EOF
		case err != nil:
			d.lose(err)
		}
		if n > 0 || err == nil && !whole {
			return n, nil
		}
	}
	return 0, d.err
}

func (d *download) close() {
	if d.body != nil {
		_ = d.body.Close() // nothing more is read from it
		d.body = nil
	}
}

// lose notes that the body of a success broke.
func (d *download) lose(err error) {
	d.close()
	d.call.lastError = nil
	if d.lost = err; errors.Is(err, io.EOF) {
		d.lost = io.ErrUnexpectedEOF
	}
}

// resume waits and connects anew, if the policy allows it.
func (d *download) resume() error {
	policy := d.call.client.core.config.retry
	if d.failures++; d.call.options.withoutRetry || d.failures >= policy.MaxAttempts {
		return d.call.failure(d.ctx, nil, d.lost)
	}
	wait := time.NewTimer(policy.backoff(0, 0, d.failures-1, nil))
	defer wait.Stop()
	select {
	case <-wait.C:
		return d.connect()
	case <-d.ctx.Done():
		return d.call.failure(d.ctx, nil, d.lost)
	}
}

// connect asks for the file, or for the rest of it.
func (d *download) connect() error {
	d.call.header = http.Header{"Accept-Encoding": {"identity"}} // else neither lengths nor offsets would be exact
	if d.offset > 0 {
		d.call.header.Set("Range", fmt.Sprintf("bytes=%d-", d.offset))
		if version := d.version(); version != "" {
			d.call.header.Set("If-Range", version)
		}
	}
	resp, err := d.call.do(d.ctx, d.target, nil, nil) //nolint:bodyclose // close does
	switch {
	case resp != nil && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && d.complete(resp):
		d.size, d.body = d.offset, http.NoBody
		return nil
	case err != nil:
		return err
	case d.offset == 0:
		return d.begin(resp)
	case resp.StatusCode == http.StatusPartialContent:
		return d.goOn(resp)
	default:
		return d.skip(resp)
	}
}

// version returns what names the file's content in an If-Range header.
func (d *download) version() string {
	if tag := d.header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return d.header.Get("Last-Modified")
}

// begin takes the answer that the file begins with.
func (d *download) begin(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return d.refuse(resp, "the answer is not the whole file")
	}
	d.header, d.size, d.body = resp.Header, resp.ContentLength, resp.Body
	return nil
}

// goOn takes the answer that holds the rest of the file.
func (d *download) goOn(resp *http.Response) error {
	start, total, ok := contentRange(resp.Header)
	if !ok || start != d.offset {
		return d.refuse(resp, "another part of the file came than was asked for")
	}
	if same, _ := d.compare(resp.Header, total); !same {
		return d.refuse(resp, "the file changed during the download")
	}
	if d.size < 0 {
		d.size = total
	}
	d.body = resp.Body
	return nil
}

// skip takes an answer that holds the whole file again. The part that was read
// before is read again and has to be what it was.
func (d *download) skip(resp *http.Response) error {
	if same, known := d.compare(resp.Header, resp.ContentLength); !same || !known {
		return d.refuse(resp, "the file changed during the download, or the server cannot continue one")
	}
	d.body = resp.Body
	again := sha256.New()
	if _, err := io.CopyN(again, resp.Body, d.offset); err != nil {
		d.lose(err)
		return nil
	}
	if !bytes.Equal(again.Sum(nil), d.sum.Sum(nil)) {
		return d.refuse(resp, "the file changed during the download")
	}
	return nil
}

// complete reports whether an answer without the range that was asked for means
// that there is no more: only when nobody had told the file's size.
func (d *download) complete(resp *http.Response) bool {
	_, total, ok := contentRange(resp.Header)
	same, _ := d.compare(resp.Header, -1)
	return ok && same && d.size < 0 && total == d.offset
}

// compare reports whether an answer is about the same content as the first one, as
// far as header and size tell, and whether they tell.
func (d *download) compare(header http.Header, size int64) (same, known bool) {
	if size >= 0 && d.size >= 0 {
		if size != d.size {
			return false, true
		}
		known = true
	}
	for _, name := range []string{"ETag", "Last-Modified"} {
		before, now := strings.TrimPrefix(d.header.Get(name), "W/"), strings.TrimPrefix(header.Get(name), "W/")
		if before != "" && now != "" {
			return before == now, true
		}
	}
	return true, known
}

func (d *download) refuse(resp *http.Response, why string) error {
	_ = resp.Body.Close() // nothing is read from it
	d.body = nil
	return newDecodeError(d.call, resp, nil, why, nil)
}

// contentRange reads the Content-Range header: where the part begins, and how large
// the whole is; -1 for what it leaves open. A part that begins beyond the whole is not ok.
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
