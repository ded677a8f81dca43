package fakecloud

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// presignedPath is the prefix of the path of every presigned URL.
const presignedPath = "/presigned/"

// slot is the storage for one file.
type slot struct {
	project         *project
	token, uri      string
	path            string     // decoded
	query           url.Values // decoded
	used            bool
	file            *blob
	contentType     string
	contentEncoding string
}

// newSlot creates a slot and its URI. The URI contains escapes that change if a client decodes
// and encodes it again. The storage compares URLs decoded, as one must assume: programs that
// write their escapes in uppercase are known to work.
func (c *Cloud) newSlot(p *project) *slot {
	s := &slot{project: p, token: newUUID()}
	s.path = presignedPath + s.token + "/a/b+c+d"
	s.query = url.Values{"X-Scope": {"eu/s3 x"}, "X-Signature": {randomHex()}, "x-id": {"Put~Object"}}
	s.uri = presignedPath + s.token + "/a%2fb%2Bc+d?X-Scope=eu%2fs3+x&X-Signature=" + s.query.Get("X-Signature") + "&x-id=Put~Object"
	if c.uploads.slots == nil {
		c.uploads.slots = map[string]*slot{}
	}
	c.uploads.slots[s.token] = s
	return s
}

// servePresigned is the storage to which clients upload files. It is not part of the API: it
// accepts no credential, and its errors are XML. It reads a file as a stream.
func (c *Cloud) servePresigned(w http.ResponseWriter, r *http.Request) {
	op := operation.UploadPutFile
	record, done := c.begin(op, r)
	defer done()
	w = c.recordStatus(w, record)
	if refused, ok := c.checkPresigned(r); !ok {
		refused.write(w)
		return
	}
	received, err := receive(r.Body)
	if err != nil || received.size != r.ContentLength {
		return
	}
	fault := c.nextFault(op, r, nil)
	if fault.replaces(w, r, func(int) {}) {
		return
	}
	fault.send(w, c.keepUpload(r, received))
}

func (c *Cloud) checkPresigned(r *http.Request) (reply, bool) {
	switch {
	case credentialIn(r.Header):
		c.violation("a credential was sent to a presigned URL")
		return storageError(http.StatusBadRequest, "InvalidArgument"), false
	case r.Method != http.MethodPut:
		return storageError(http.StatusMethodNotAllowed, "MethodNotAllowed"), false
	case len(r.TransferEncoding) > 0 || r.Header.Get("Content-Length") == "":
		return storageError(http.StatusLengthRequired, "MissingContentLength"), false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.checkSlot(r)
}

func (c *Cloud) checkSlot(r *http.Request) (reply, bool) {
	token, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, presignedPath), "/")
	switch s := c.uploads.slots[token]; {
	case s == nil || s.path != r.URL.Path || !maps.EqualFunc(s.query, r.URL.Query(), slices.Equal):
		return storageError(http.StatusForbidden, "SignatureDoesNotMatch"), false
	case s.used:
		return storageError(http.StatusForbidden, "AccessDenied"), false
	}
	return reply{}, true
}

func (c *Cloud) keepUpload(r *http.Request, file *blob) reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	if refused, ok := c.checkSlot(r); !ok { // committed while the file was read
		return refused
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, presignedPath), "/")
	s := c.uploads.slots[token]
	s.file = file
	s.contentType, s.contentEncoding = r.Header.Get("Content-Type"), r.Header.Get("Content-Encoding")
	return reply{status: http.StatusOK, header: map[string]string{"ETag": `"` + file.md5 + `"`}}
}

func storageError(status int, code string) reply {
	return reply{
		status: status, header: map[string]string{"Content-Type": "application/xml"},
		body: []byte(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code + `</Code></Error>`),
	}
}
