package fakecloud

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
)

// contentLength finds the length of a part. It does not need the end of the line, because an
// SDK for iOS does not write it: "Content-Length: 6Content-Type: application/octet-stream".
var contentLength = regexp.MustCompile(`(?i)(?:^|\r\n)content-length:[ \t]*([0-9]{1,9})(?:[ \t]*\r\n|[ \t]*$|content-)`)

var (
	errNoBoundary  = errors.New("the multipart body has no closing boundary")
	errBadFraming  = errors.New("malformed multipart body")
	errWrongLength = errors.New("missing or wrong Content-Length of a part")
)

// splitChunks returns the parts of a multipart body. Each part must have a Content-Length,
// and lines must end with CRLF. Only after the closing boundary, the CRLF is optional.
func splitChunks(body []byte, boundary string) ([][]byte, error) {
	delimiter := []byte("\r\n--" + boundary)
	body = append([]byte("\r\n"), bytes.TrimPrefix(body, []byte("\r\n"))...)
	if boundary == "" || !bytes.HasSuffix(bytes.TrimSuffix(body, []byte("\r\n")), append(bytes.Clone(delimiter), "--"...)) {
		return nil, errNoBoundary
	}
	var chunks [][]byte
	for {
		rest, ok := bytes.CutPrefix(body, delimiter)
		if !ok {
			return nil, errWrongLength
		}
		if tail, closed := bytes.CutPrefix(rest, []byte("--")); closed && (len(tail) == 0 || string(tail) == "\r\n") {
			break
		}
		if rest, ok = bytes.CutPrefix(rest, []byte("\r\n")); !ok {
			return nil, errBadFraming
		}
		header, content, ok := bytes.Cut(rest, []byte("\r\n\r\n"))
		if !ok {
			return nil, errBadFraming
		}
		length := contentLength.FindSubmatch(header)
		if length == nil {
			return nil, errWrongLength
		}
		n, _ := strconv.Atoi(string(length[1])) // only digits
		if n == 0 || n > len(content) {
			return nil, errWrongLength
		}
		chunks, body = append(chunks, bytes.Clone(content[:n])), content[n:]
	}
	if len(chunks) == 0 {
		return nil, errBadFraming
	}
	return chunks, nil
}
