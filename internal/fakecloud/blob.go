package fakecloud

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // the API uses MD5 for uploads and artifacts
	"crypto/sha1" //nolint:gosec // the API uses SHA-1 for artifacts
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"slices"
)

// keptContent is the size in bytes above which the content of a file is not in memory.
const keptContent = 1 << 20

// blob is the content of a file. If it is large, it is in a temporary file.
type blob struct {
	io.ReaderAt
	size              int64
	md5, sha1, sha256 string // in hexadecimal
	start             []byte // at most keptContent bytes
}

func newBlob(content []byte) *blob {
	b, _ := receive(bytes.NewReader(slices.Clone(content))) // a small one needs no file
	return b
}

// receive reads a file to its end. A temporary file has no name any more when receive
// returns, on systems that can remove an open file; it ends with the blob.
func receive(body io.Reader) (*blob, error) {
	sums := []hash.Hash{md5.New(), sha1.New(), sha256.New()} //nolint:gosec // see above
	body = io.TeeReader(body, io.MultiWriter(sums[0], sums[1], sums[2]))
	start, err := io.ReadAll(io.LimitReader(body, keptContent))
	if err != nil {
		return nil, err
	}
	b := &blob{ReaderAt: bytes.NewReader(start), size: int64(len(start)), start: start}
	if len(start) == keptContent {
		if err = b.spool(body); err != nil {
			return nil, err
		}
	}
	for i, to := range []*string{&b.md5, &b.sha1, &b.sha256} {
		*to = hex.EncodeToString(sums[i].Sum(nil))
	}
	return b, nil
}

// spool moves the content to a temporary file, and adds the rest of it.
func (b *blob) spool(rest io.Reader) error {
	file, err := os.CreateTemp("", "memfaulttest-")
	if err != nil {
		return err
	}
	_ = os.Remove(file.Name()) // the file stays readable
	if _, err = file.Write(b.start); err == nil {
		var n int64
		n, err = io.Copy(file, rest)
		b.size += n
	}
	if err != nil {
		_ = file.Close()
		return err
	}
	b.ReaderAt = file
	return nil
}
