package shape

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// offenders finds the parts of a value that its type does not decode.
type offenders struct {
	decode func([]byte) error
	root   any
	found  []offender
}

type offender struct {
	path  []string
	value any
	want  string
}

// removeOffenders returns the value without the parts that do not decode, and these parts. It
// starts with an empty value and adds the parts: a part that decodes as a whole is added, and
// of any other part, the fields are tried one by one. Therefore the errors of a type do not
// need to contain where they occurred.
func removeOffenders(value any, decode func([]byte) error) (any, []offender) {
	o := &offenders{decode: decode}
	o.keep(value, nil, func(v any) { o.root = v }, func() { o.root = nil })
	return o.root, o.found
}

// keep adds a part, by set, as far as the root then decodes. unset removes it again.
func (o *offenders) keep(value any, path []string, set func(any), unset func()) {
	set(value)
	err := o.try()
	if err == nil {
		return
	}
	switch value := value.(type) {
	case map[string]any:
		part := map[string]any{}
		if set(part); o.try() != nil {
			break
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			o.keep(value[name], join(path, name), func(v any) { part[name] = v }, func() { delete(part, name) })
		}
		return
	case []any:
		part := []any{}
		if set(part); o.try() != nil {
			break
		}
		for _, item := range value {
			at := len(part)
			o.keep(item, join(path, "[]"), func(v any) { part = append(part[:at:at], v); set(part) }, func() { part = part[:at]; set(part) })
		}
		return
	}
	unset()
	o.found = append(o.found, offender{path, value, wanted(err)})
}

func (o *offenders) try() error {
	data, err := json.Marshal(o.root)
	if err != nil {
		return err
	}
	return o.decode(data)
}

// wanted returns the type that a value should have had. The error of a type with a decoding
// method of its own does not contain it.
func wanted(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Type != nil {
		return wrong.Type.String()
	}
	return "a form that the package decodes"
}

// join returns a path with one more element, and does not share memory with the given path.
func join(path []string, name string) []string { return append(path[:len(path):len(path)], name) }
