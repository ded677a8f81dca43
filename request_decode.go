package memfault

import (
	"encoding/json"
	"fmt"
	"reflect"
)

const notTheJSON = "the reply is not the JSON expected"

// decode reads the whole reply as a T.
func decode[T any](r *reply) (*T, error) {
	var value *T
	if err := r.decodeInto(r.body.Bytes(), &value); err != nil {
		return nil, err
	}
	if value == nil {
		return nil, r.unreadable("the reply is null", nil)
	}
	return value, nil
}

// decodeData reads what the reply's envelope holds as a T.
func decodeData[T any](r *reply) (*T, error) {
	var envelope struct {
		Data *T `json:"data"`
	}
	if err := r.decodeInto(r.body.Bytes(), &envelope); err != nil {
		return nil, err
	}
	if envelope.Data == nil {
		return nil, r.unreadable("the reply lacks data", nil)
	}
	return envelope.Data, nil
}

// decodePage reads a page of a list. The items are decoded into a slice of the
// expected size, which a growing one would exceed several times over.
func decodePage[T any](r *reply, perPage int) (*Page[T], error) {
	var envelope struct {
		Data   []T     `json:"data"`
		Paging *Paging `json:"paging"`
	}
	const smallestItem = 64 // bytes; bounds the slice by what can have come
	envelope.Data = make([]T, 0, min(perPage, r.body.Len()/smallestItem+1))
	if err := r.decodeInto(r.body.Bytes(), &envelope); err != nil {
		return nil, err
	}
	if len(envelope.Data) == 0 {
		if _, err := decodeData[json.RawMessage](r); err != nil { // an empty list, or none
			return nil, err
		}
	}
	if anyZero(reflect.ValueOf(envelope.Data)) {
		if err := r.refuseNulls(); err != nil {
			return nil, err
		}
	}
	page := &Page[T]{Items: envelope.Data}
	if envelope.Paging != nil {
		page.Paging = *envelope.Paging
	}
	return page, nil
}

// anyZero reports whether an item of a page may have come as null.
func anyZero(items reflect.Value) bool {
	for i := range items.Len() {
		if items.Index(i).IsZero() {
			return true
		}
	}
	return false
}

// refuseNulls refuses a page with an item that is null: it would be handed out as one
// that holds nothing.
func (r *reply) refuseNulls() error {
	items, err := decodeData[[]json.RawMessage](r)
	if err != nil {
		return err
	}
	for i, item := range *items {
		if string(item) == "null" {
			return r.unreadable(fmt.Sprintf("item %d of the page is null", i), nil)
		}
	}
	return nil
}

func (r *reply) decodeInto(data []byte, out any) error {
	if len(data) == 0 {
		return r.unreadable("the reply has no body", nil)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return r.unreadable(notTheJSON, err)
	}
	return nil
}
