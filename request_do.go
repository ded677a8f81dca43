package memfault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// Request is a request to an endpoint for which the package has no method; see [Client.Do]
// and [NewPager].
type Request struct {
	Method string // GET if empty
	Host   Host   // the zero value is HostAPI
	// Path begins with a slash and is escaped. To escape one segment of it, use
	// url.PathEscape.
	Path  string
	Query url.Values
	Body  any // encoded as JSON; nil sends no body
}

// Do sends a request to an endpoint, or for fields, that the package does not know. Like every
// other call, it reaches only the client's own hosts. It uses the client's credential,
// whatever its kind; [HostNRFCloud] accepts only an organization token. GET, HEAD, PUT and
// DELETE are retried like other requests that are safe to repeat; POST and PATCH only after a
// 429 or if no connection could be established.
//
// Do decodes the response into out, which must be a pointer. If out points to a slice or to a
// struct without a data field, directly or through pointers, and the response contains a data
// field, Do decodes only that field; null in that field is an error. Otherwise it decodes the
// whole response. If out is nil, the response is discarded. If out is not nil, a response
// without a body is an error.
func (c *Client) Do(ctx context.Context, request Request, out any, opts ...CallOption) error {
	options := newCallOptions(opts)
	if err := c.checkInitialized(); err != nil {
		return err
	}
	op, err := request.operation()
	if err != nil {
		return err
	}
	target := reflect.ValueOf(out)
	if out == nil {
		op.Reply = operation.Empty
	} else if target.Kind() != reflect.Pointer || target.IsNil() {
		return invalid("Do: out must be a pointer that is not nil, not %T", out)
	}
	address, err := c.core.target(op, request.Path, request.Query)
	if err != nil {
		return err
	}
	r, err := c.send(ctx, &call{client: c, op: op, options: options}, address, request.Body)
	if err != nil {
		return err
	}
	defer r.release()
	if out == nil {
		return nil
	}
	if wantsData(target.Type().Elem()) {
		if data, err := decode[struct {
			Data json.RawMessage `json:"data"`
		}](r); err == nil && len(data.Data) > 0 {
			if string(data.Data) == "null" {
				return r.decodeError("the response contains no data", nil)
			}
			return r.decodeInto(data.Data, out)
		}
		if string(bytes.TrimSpace(r.body.Bytes())) == "null" {
			return r.decodeError("the response is null", nil)
		}
	}
	return r.decodeInto(r.body.Bytes(), out)
}

// wantsData reports whether a type must be decoded from the data field, because it has no
// place for the envelope itself.
func wantsData(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return t.Kind() == reflect.Slice && t != reflect.TypeFor[json.RawMessage]()
	}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.IsExported() && (name == "data" || name == "" && strings.EqualFold(field.Name, "data")) {
			return false
		}
	}
	return true
}

// operation checks the request and returns a row of the table for it.
func (r *Request) operation() (*operation.Operation, error) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	if strings.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return nil, invalid("Request: invalid method %q", method)
	}
	if r.Host < HostAPI || r.Host > HostNRFCloud {
		return nil, invalid("Request: unknown host %d", r.Host)
	}
	if err := checkPath(r.Path); err != nil {
		return nil, invalid("Request: path %w", err)
	}
	switch r.Body.(type) {
	case []byte, io.Reader:
		return nil, invalid("Request: Body must be a value to encode as JSON, or JSON text as json.RawMessage, not %T", r.Body)
	}
	credentials := operation.Console | operation.ProjectKey
	if r.Host == HostNRFCloud {
		credentials = operation.OrganizationToken
	}
	return &operation.Operation{
		Name:        method + " " + r.Path,
		Method:      method,
		Host:        operation.Host(r.Host),
		Path:        r.Path,
		Credentials: credentials,
	}, nil
}

func checkPath(path string) error {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return errors.New("must begin with a slash")
	}
	if strings.ContainsAny(path, "?#\\") || strings.ContainsFunc(path, isControl) {
		return errors.New("must not contain a query (see Request.Query), a fragment, a backslash or a control character")
	}
	for segment := range strings.SplitSeq(rest, "/") {
		value, err := url.PathUnescape(segment)
		if err != nil {
			return errors.New("contains a percent sign that escapes nothing")
		}
		if err := checkSegment(value); err != nil {
			return fmt.Errorf("segment %w", err)
		}
	}
	// net/url would escape the whole path again, and with that lose an escaped slash.
	if u, err := url.Parse(path); err != nil || u.EscapedPath() != path {
		return errors.New("contains a character that must be escaped (see url.PathEscape)")
	}
	return nil
}

// NewPager returns a [Pager] over a list that the package does not know: a GET whose
// response has items of type T in data. The request must not have a body.
//
// If the list is paged by number, paging is beside data. The query's page and per_page are
// its first page and the number of items that the Pager requests for a page.
//
// If the list is paged by cursor, links is beside data, and links.next leads to the next page.
// To start at a cursor, or to request another number of items, add page[after] or page[size]
// to the query; the Pager then sends neither page nor per_page. Without these, the Pager sends
// page and per_page first. If Memfault rejects that with 400, the Pager requests the list
// again without them, unless the query contains one of them.
//
// NewPager takes no [CallOption]. To set one, read the pages with [Client.Do], or create another
// [Client] with an [Option].
func NewPager[T any](client *Client, request Request) *Pager[T] {
	op, err := request.operation()
	switch {
	case err != nil:
	case op.Method != http.MethodGet:
		err = invalid("NewPager: the method must be GET, not %s", op.Method)
	case request.Body != nil:
		err = invalid("NewPager: a list request has no body")
	}
	options, optionsErr := listOptionsOf(request.Query)
	p := newPager[T](client, op, request.Path, request.Query, options, nil, errors.Join(err, optionsErr))
	p.byCursor = hasCursor(request.Query)
	p.unknown = !request.Query.Has("page") && !request.Query.Has("per_page")
	return p
}
