package resume

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
)

const (
	problemChanged  = "the file changed during the download"
	problemNotWhole = "the response is not the whole file"
	problemPart     = "the response is not the requested part of the file"
)

// acceptFull starts the file with a response.
func (r *Reader) acceptFull(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return r.unusable(resp, problemNotWhole)
	}
	r.file, r.size = identity{resp.Header}, resp.ContentLength
	r.accept(resp)
	return nil
}

// acceptPartial continues with a response that contains the rest of the file.
func (r *Reader) acceptPartial(resp *http.Response) error {
	start, total, ok := contentRange(resp.Header)
	if !ok || start != r.offset {
		return r.unusable(resp, problemPart)
	}
	if r.size >= 0 && total >= 0 && total != r.size || r.file.differs(resp.Header, "ETag", "Last-Modified") {
		return r.unusable(resp, problemChanged)
	}
	if (identity{resp.Header}).validator() != r.file.validator() {
		r.wholeNext(resp, "the rest of the file came without the validator of its beginning")
		return nil
	}
	if r.size < 0 {
		r.size = total
	}
	r.accept(resp)
	return nil
}

// skipToOffset continues with a response that contains the whole file. The part that was
// returned before is read again, and must be the same.
func (r *Reader) skipToOffset(resp *http.Response) error {
	length := resp.ContentLength
	switch {
	case resp.StatusCode != http.StatusOK:
		return r.unusable(resp, problemNotWhole)
	case r.file.differs(resp.Header, "ETag"), length >= 0 && (length < r.offset || r.size >= 0 && length != r.size):
		return r.unusable(resp, problemChanged)
	}
	r.accept(resp)
	again := sha256.New()
	_, err := io.CopyN(again, r.body, r.offset)
	switch {
	case errors.Is(err, io.EOF) && length < 0:
		return r.unusable(resp, problemChanged)
	case err != nil:
		r.connectionLost(err)
		return nil
	}
	if !bytes.Equal(again.Sum(nil), r.sum.Sum(nil)) {
		return r.unusable(resp, problemChanged)
	}
	r.file, r.openEnded = identity{resp.Header}, length < 0 && r.size >= 0
	if r.size < 0 {
		r.size = length
	}
	return nil
}

func (r *Reader) accept(resp *http.Response) {
	r.response, r.body, r.openEnded, r.cause = resp, resp.Body, false, nil
}

// wholeNext makes the next attempt request the whole file.
func (r *Reader) wholeNext(resp *http.Response, problem string) {
	_ = resp.Body.Close() // nothing is read from it
	r.noRanges, r.cause = true, &LostError{errors.New(problem)}
}

func (r *Reader) unusable(resp *http.Response, problem string) error {
	r.body = resp.Body
	r.disconnect()
	return &UnusableError{resp, problem}
}
