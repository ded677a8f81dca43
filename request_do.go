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

// Request is a request to an endpoint that the package has no method for.
type Request struct {
	Method string // GET when empty
	Host   Host   // HostAPI when empty
	// Path begins with a slash and is escaped, as it goes out: url.PathEscape
	// escapes one segment of it.
	Path  string
	Query url.Values
	Body  any // sent as JSON; nil sends no body
}

// Do sends a request to an endpoint, or for fields, that the package does not
// know. It goes the way of every other call, to a host of the client alone, with
// retries for GET, HEAD, PUT and DELETE. Any kind of credential is let through.
//
// A slice, or a struct without a member named data, is filled with what the reply
// holds below data, if it holds that, and null there is an error; any other out gets
// the whole reply. A nil out discards it. A reply without a body is an error when out
// is not nil.
func (c *Client) Do(ctx context.Context, request Request, out any, opts ...CallOption) error {
	options := newCallOptions(opts)
	if err := c.usable(); err != nil {
		return err
	}
	op, err := request.operation()
	if err != nil {
		return err
	}
	target := reflect.ValueOf(out)
	if out != nil && (target.Kind() != reflect.Pointer || target.IsNil()) {
		return invalid("Do: out is %T, not a pointer", out)
	}
	address, err := c.core.target(op, request.Path, request.Query)
	if err != nil {
		return err
	}
	r, err := c.send(ctx, op, address, request.Body, options)
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
				return r.unreadable("the reply lacks data", nil)
			}
			return r.decodeInto(data.Data, out)
		}
		if string(bytes.TrimSpace(r.body.Bytes())) == "null" {
			return r.unreadable("the reply is null", nil)
		}
	}
	return r.decodeInto(r.body.Bytes(), out)
}

// wantsData reports whether a type is to be filled from below data: it has no
// place for the envelope itself.
func wantsData(t reflect.Type) bool {
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

// operation checks the request and makes a row of the table for it.
func (r *Request) operation() (*operation.Operation, error) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	fail := func(err error) (*operation.Operation, error) {
		return nil, invalid("Request: %w", err)
	}
	if strings.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return fail(fmt.Errorf("%q is no HTTP method", method))
	}
	if r.Host < HostAPI || r.Host > HostDevice {
		return fail(fmt.Errorf("host %d is unknown", r.Host))
	}
	if err := checkPath(r.Path); err != nil {
		return fail(fmt.Errorf("path: %w", err))
	}
	switch r.Body.(type) {
	case []byte, io.Reader:
		return fail(errors.New("the body is sent as JSON: give a value to encode, or JSON text as json.RawMessage"))
	}
	return &operation.Operation{
		Name:        method + " " + r.Path,
		Method:      method,
		Host:        operation.Host(r.Host),
		Path:        r.Path,
		Credentials: operation.Console | operation.ProjectKey,
	}, nil
}

func checkPath(path string) error {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return errors.New("it does not begin with a slash")
	}
	if strings.ContainsAny(path, "?#\\") || strings.ContainsFunc(path, isControl) {
		return errors.New("it holds a query, a fragment, a backslash or a control character")
	}
	for segment := range strings.SplitSeq(rest, "/") {
		value, err := url.PathUnescape(segment)
		if err != nil {
			return errors.New("it holds a percent sign that escapes nothing")
		}
		if err := checkSegment(value); err != nil {
			return fmt.Errorf("a segment %w", err)
		}
	}
	// net/url would escape the whole path anew, and with that lose an escaped slash.
	if u, err := url.Parse(path); err != nil || u.EscapedPath() != path {
		return errors.New("it holds a character that has to be escaped")
	}
	return nil
}

// NewPager returns a Pager over a list that the package does not know: a GET whose
// reply has items of type T in data and paging beside it. The query's page and
// per_page are where it starts and how many items it asks for.
func NewPager[T any](client *Client, request Request) *Pager[T] {
	op, err := request.operation()
	if err == nil && op.Method != http.MethodGet {
		err = invalid("NewPager: the method is %s, not GET", op.Method)
	}
	options, optionsErr := listOptionsOf(request.Query)
	return newPager[T](client, op, request.Path, request.Query, options, nil, errors.Join(err, optionsErr))
}
