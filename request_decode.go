package memfault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

const unexpectedJSON = "the response is not the expected JSON"

// byteOrderMark is what some programs write before a text.
var byteOrderMark = []byte("\ufeff")

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
		return r.decodeError(unexpectedJSON+r.call.redactor().Text(placeOf(data, out)), err)
	}
	return nil
}

// placeOf returns which item and which field of a JSON text do not fit into out, as a part of an
// error's text. The error of package json names no item, and for a time no field.
func placeOf(text []byte, out any) string {
	if !json.Valid(text) {
		return ""
	}
	fits := func(part []byte) bool {
		return json.Unmarshal(part, reflect.New(reflect.TypeOf(out).Elem()).Interface()) == nil
	}
	const deepest = 16
	var fields []string
	item := ""
	for range deepest {
		name, inner, wrap := misfit(text, fits)
		if wrap == nil {
			break
		}
		switch {
		case name != "":
			fields = append(fields, name)
		case item == "":
			item, fields = itemName(wrap.index, inner), nil
		default:
			fields = append(fields, strconv.Itoa(wrap.index))
		}
		outer := fits
		text, fits = inner, func(part []byte) bool { return outer(wrap.around(part)) }
	}
	if item == "" && len(fields) > 0 && fields[0] == "data" {
		fields = fields[1:]
	}
	place := item
	if len(fields) > 0 {
		place += ": field " + strings.Join(fields, ".")
	}
	return place
}

// wrapping is what surrounds a part of a JSON text: the object with one field, or the list with
// one item.
type wrapping struct {
	before, after string
	index         int // of the item
}

func (w *wrapping) around(part []byte) []byte {
	return slices.Concat([]byte(w.before), part, []byte(w.after))
}

// misfit returns the first field or item of a text that does not fit alone. wrap is nil if there
// is none.
func misfit(text []byte, fits func([]byte) bool) (name string, inner []byte, wrap *wrapping) {
	var members map[string]json.RawMessage
	var items []json.RawMessage
	switch bytes.TrimSpace(text)[0] {
	case '{':
		if json.Unmarshal(text, &members) != nil || !fits([]byte("{}")) {
			return "", nil, nil
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			key, _ := json.Marshal(name) // a string always has a JSON form
			w := &wrapping{before: "{" + string(key) + ":", after: "}"}
			if !fits(w.around(members[name])) {
				return name, members[name], w
			}
		}
	case '[':
		if json.Unmarshal(text, &items) != nil || !fits([]byte("[]")) {
			return "", nil, nil
		}
		for i, item := range items {
			if w := (&wrapping{before: "[", after: "]", index: i}); !fits(w.around(item)) {
				return "", item, w
			}
		}
	}
	return "", nil, nil
}

// itemName names an item of a list by its index, and by what identifies it in the API.
func itemName(index int, item []byte) string {
	name := fmt.Sprintf(": item %d", index)
	var members map[string]json.RawMessage
	if json.Unmarshal(item, &members) != nil {
		return name
	}
	for _, field := range []string{"device_serial", "slug", "id"} {
		var text string
		if json.Unmarshal(members[field], &text) == nil && text != "" {
			return name + fmt.Sprintf(" (%s %q)", field, shorten(text, 80))
		}
		var number json.Number
		if json.Unmarshal(members[field], &number) == nil && number != "" {
			return name + " (" + field + " " + number.String() + ")"
		}
	}
	return name
}
