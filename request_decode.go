package memfault

import (
	"encoding/json"
	"fmt"
	"reflect"
)

const unexpectedJSON = "the response is not the expected JSON"

// decode decodes the whole response body.
func decode[T any](r *reply) (*T, error) {
	var value *T
	if err := r.decodeNew(&value); err != nil {
		return nil, err
	}
	if value == nil {
		return nil, r.decodeError("the response is null", nil)
	}
	return checked(r, value)
}

// decodeData decodes the data field of the envelope.
func decodeData[T any](r *reply) (*T, error) {
	var envelope struct {
		Data *T `json:"data"`
	}
	if err := r.decodeNew(&envelope); err != nil {
		return nil, err
	}
	if envelope.Data == nil {
		return nil, r.decodeError("the response contains no data", nil)
	}
	return checked(r, envelope.Data)
}

// checked returns a model, or an error if the model lacks a required field. Without this check,
// any JSON object could be decoded as the model.
func checked[T any](r *reply, value *T) (*T, error) {
	if model, ok := any(value).(interface{ missing() string }); ok {
		if field := model.missing(); field != "" {
			return nil, r.decodeError("the response contains no "+field, nil)
		}
	}
	return value, nil
}

// decodePage decodes a page of a list. It allocates the slice of items once, with the expected
// size; a slice that grows would allocate several times as much.
func decodePage[T any](r *reply, perPage int) (page *Page[T], paged bool, links json.RawMessage, err error) {
	var envelope struct {
		Data   []T             `json:"data"`
		Paging *Paging         `json:"paging"`
		Links  json.RawMessage `json:"links"`
	}
	const smallestItem = 64 // bytes; bounds the slice by the size of the body
	envelope.Data = make([]T, 0, min(perPage, r.body.Len()/smallestItem+1))
	if err := r.decodeNew(&envelope); err != nil {
		return nil, false, nil, err
	}
	if len(envelope.Data) == 0 {
		if _, err := decodeData[json.RawMessage](r); err != nil { // is there a list at all?
			return nil, false, nil, err
		}
	}
	if anyZero(reflect.ValueOf(envelope.Data)) {
		if err := r.refuseNulls(); err != nil {
			return nil, false, nil, err
		}
	}
	page = &Page[T]{Items: envelope.Data}
	if envelope.Paging != nil {
		page.Paging = *envelope.Paging
	}
	return page, envelope.Paging != nil, envelope.Links, nil
}

// anyZero reports whether an item of a page may have been null.
func anyZero(items reflect.Value) bool {
	for i := range items.Len() {
		if items.Index(i).IsZero() {
			return true
		}
	}
	return false
}

// refuseNulls returns an error if an item of the page is null, because the caller would get an
// empty item.
func (r *reply) refuseNulls() error {
	items, err := decodeData[[]json.RawMessage](r)
	if err != nil {
		return err
	}
	for i, item := range *items {
		if string(item) == "null" {
			return r.decodeError(fmt.Sprintf("item %d of the page is null", i), nil)
		}
	}
	return nil
}

// decodeNew decodes the whole response body into a variable of the package. If the body does
// not fit, the variable loses what it contained before.
func (r *reply) decodeNew(out any) error { return r.decodeWith(unmarshalNew, r.body.Bytes(), out) }

// decodeInto decodes data into a variable of the caller as [json.Unmarshal] does: fields of the
// variable that the JSON does not contain keep their values.
func (r *reply) decodeInto(data []byte, out any) error {
	return r.decodeWith(json.Unmarshal, data, out)
}

func (r *reply) decodeWith(unmarshal func([]byte, any) error, data []byte, out any) error {
	if len(data) == 0 {
		return r.decodeError("the response has no body", nil)
	}
	if err := unmarshal(data, out); err != nil {
		return r.decodeError(unexpectedJSON, err)
	}
	return nil
}
