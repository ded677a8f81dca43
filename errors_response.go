package memfault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/memfault-go/memfault/internal/operation"
)

// newResponseError returns the Error of a response whose body, or its start, was read.
func newResponseError(c *call, resp *http.Response, body []byte) *Error {
	hide := c.redactor()
	shown := hide.Body(body, 4*maxErrorBody) // redacting can shorten it
	return &Error{
		Operation:  c.op.Name,
		Method:     c.op.Method,
		StatusCode: resp.StatusCode,
		RequestID:  hide.Text(resp.Header.Get(requestIDHeader)),
		Body:       shown[:min(len(shown), maxErrorBody)],
	}
}

// newStatusError reads the error envelope of a failed response. Every field of it can be
// absent, the message can be an object, and the body can be empty or not JSON at all. An
// API gateway sends its message without the envelope.
func newStatusError(c *call, resp *http.Response, body []byte) *Error {
	e, hide := newResponseError(c, resp, body), c.redactor()
	body = bytes.TrimPrefix(body, byteOrderMark)
	e.RetryAfter, _ = retryAfter(resp)
	e.hint, e.noSlug = c.hint(resp.StatusCode), !strings.Contains(c.op.Path, "/organizations/")
	var envelope struct {
		Error   json.RawMessage `json:"error"`
		Message json.RawMessage `json:"message"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		if e.Type, e.Message = storageError(e.Body); e.Type == "" {
			e.Message = plainText(e.Body)
		}
		e.Type, e.Message = hide.Text(e.Type), hide.Text(e.Message) // XML was unescaped
		return e
	}
	var inner struct {
		Code    json.RawMessage `json:"code"`
		Type    json.RawMessage `json:"type"`
		Message json.RawMessage `json:"message"`
	}
	// A field of another type than usual is ignored.
	if json.Unmarshal(envelope.Error, &inner) != nil {
		inner.Message = envelope.Error
	}
	if len(inner.Message) == 0 {
		inner.Message = envelope.Message
	}
	_ = json.Unmarshal(inner.Code, &e.Code)
	_ = json.Unmarshal(inner.Type, &e.Type)
	if len(inner.Message) > 0 && json.Unmarshal(inner.Message, &e.Message) != nil {
		e.Details = hide.JSON(inner.Message)
	}
	e.Type, e.Message = hide.Text(e.Type), hide.Text(e.Message)
	return e
}

// hint returns what may be wrong with the client's credential after a status.
func (c *call) hint(status int) string {
	kind, _ := kindOf(c.client.auth)
	switch {
	case kind != operation.OrganizationToken || c.op.Credentials == operation.NoCredential:
		return ""
	case status == http.StatusUnauthorized:
		return "the organization token may have been deleted"
	case status == http.StatusForbidden:
		return "a permission of the organization token may be missing"
	default:
		return ""
	}
}

// storageError returns the code and the message of an error in the XML of the storage that
// presigned URLs lead to.
func storageError(body []byte) (code, message string) {
	unescape := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&")
	element := func(name string) string {
		_, rest, _ := strings.Cut(string(body), "<"+name+">")
		text, _, closed := strings.Cut(rest, "</"+name+">")
		if !closed {
			return ""
		}
		return unescape.Replace(text)
	}
	if !bytes.Contains(body, []byte("<Error>")) {
		return "", ""
	}
	return element("Code"), element("Message")
}

// newDecodeError returns the Error of a success whose body is not what the operation
// returns. Its text quotes no JSON, which can contain a key or a token.
func newDecodeError(c *call, resp *http.Response, body []byte, problem string, cause error) *Error {
	e := newResponseError(c, resp, body)
	e.Message = problem
	if cause != nil {
		e.cause = c.hideCause(cause)
		e.Message += ": " + c.redactor().Text(cause.Error())
	}
	if isHTML(body) {
		e.kind = ErrNoAnswer
	}
	if quotable(body) {
		e.Message += fmt.Sprintf("; the response begins with %q", shorten(strings.TrimSpace(string(e.Body)), 200))
	}
	return e
}

// isHTML reports whether a body is an HTML page, such as proxies and captive portals send.
func isHTML(body []byte) bool {
	start := bytes.ToLower(bytes.TrimSpace(body[:min(len(body), 512)]))
	start = bytes.TrimSpace(bytes.TrimPrefix(start, []byte("\ufeff")))
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}

// quotable reports whether a body is HTML, or plain text that cannot be a part of JSON.
func quotable(body []byte) bool {
	text := bytes.TrimSpace(body)
	return bytes.HasPrefix(text, []byte("<")) || len(text) > 0 && !bytes.ContainsAny(text, `{}[]"`) && !json.Valid(text)
}

// plainText returns the body if it is a short text. It returns "" for an HTML page of a proxy
// and for binary data.
func plainText(body []byte) string {
	s := strings.TrimSpace(string(body))
	if len(s) > 300 || strings.HasPrefix(s, "<") || strings.ContainsFunc(s, isControl) {
		return ""
	}
	return s
}

// oneLine returns text as a part of one line: at most about limit bytes of it, with
// control characters and invalid UTF-8 replaced.
func oneLine(text string, limit int) string {
	text = shorten(text, limit)
	if !strings.ContainsFunc(text, isUnprintable) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case isUnprintable(r):
			return unicode.ReplacementChar
		default:
			return r
		}
	}, text)
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
