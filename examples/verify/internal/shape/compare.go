package shape

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Result is the comparison of JSON values with a type.
type Result struct {
	// Wrong contains the fields that the type does not decode.
	Wrong []Difference
	// Unknown contains the fields that the type does not have.
	Unknown []Difference
	// Missing contains the paths of the fields that the type has, and no value had. Fields
	// of an object that no value had are not listed.
	Missing []string
	// Shape contains the kinds of the fields that both have, by path. If the type keeps a value
	// as it is, Shape contains the fields of the value.
	Shape map[string]string
}

// Difference is a field that a type and a value do not have in common.
type Difference struct {
	Path string
	Want string // type of the field; empty for an unknown field
	Got  string // kind of the value
}

// Compare compares values, which are at a path in a response, with the type T. Fields whose
// JSON the type keeps as it is are not looked into. private reports whether a name must not be
// written, although it looks like the name of a field; it can be nil.
func Compare[T any](values []json.RawMessage, path string, private func(name string) bool) (*Result, error) {
	if private == nil {
		private = func(string) bool { return false }
	}
	c := &comparison{
		root: path, names: namesOf(reflect.TypeFor[T]()), private: private,
		seen: map[string]bool{}, expected: map[string]bool{}, kinds: map[string]map[string]bool{}, reported: map[Difference]bool{},
	}
	for _, raw := range values {
		source, err := Decode(raw)
		if err != nil {
			return nil, err
		}
		if source == nil {
			c.report(&c.result.Wrong, Difference{Path: path, Want: reflect.TypeFor[T]().String(), Got: "null"})
			continue
		}
		clean, wrong := removeOffenders(source, func(data []byte) error { return json.Unmarshal(data, new(T)) })
		for _, part := range wrong {
			at := c.path(path, part.path)
			c.seen[at] = true
			c.report(&c.result.Wrong, Difference{Path: at, Want: part.want, Got: Describe(part.value)})
		}
		if clean == nil {
			continue // it is wrong as a whole
		}
		encoded, err := reencode[T](clean)
		if err != nil {
			return nil, err
		}
		c.walk(clean, encoded, path)
	}
	return c.finish(), nil
}

// reencode decodes a value into a T, and encodes that.
func reencode[T any](value any) (any, error) {
	data, err := json.Marshal(marked(value))
	if err != nil {
		return nil, err
	}
	var decoded T
	if err := json.Unmarshal(data, &decoded); err != nil {
		return nil, err
	}
	if data, err = json.Marshal(decoded); err != nil {
		return nil, err
	}
	return Decode(data)
}

// mark is a JSON field that no type has a field for. An object that has it after it was
// decoded and encoded is kept as it is, so that its names can be data.
const mark = "\x00"

// marked returns a copy of a value in which every object has the mark. It is null, which
// decodes into anything.
func marked(value any) any {
	switch value := value.(type) {
	case map[string]any:
		object := map[string]any{mark: nil}
		for name, member := range value {
			object[name] = marked(member)
		}
		return object
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = marked(item)
		}
		return list
	default:
		return value
	}
}

type comparison struct {
	root     string
	names    names
	private  func(string) bool
	seen     map[string]bool // paths that a value had
	expected map[string]bool // paths that the type has
	kinds    map[string]map[string]bool
	reported map[Difference]bool
	result   Result
}

// path writes a path below another.
func (c *comparison) path(to string, elements []string) string {
	for _, name := range elements {
		if name == "[]" {
			to += name
		} else {
			to += "." + c.names.write(name, c.private)
		}
	}
	return to
}

// walk compares a value with its encoding by the type.
func (c *comparison) walk(source, encoded any, path string) {
	c.addKind(path, source)
	switch source := source.(type) {
	case map[string]any:
		if encoded, ok := encoded.(map[string]any); ok {
			c.walkObject(source, encoded, path)
		}
	case []any:
		items, _ := encoded.([]any)
		for i := range min(len(source), len(items)) {
			c.walk(source[i], items[i], path+"[]")
		}
	}
}

func (c *comparison) addKind(path string, value any) {
	if c.kinds[path] == nil {
		c.kinds[path] = map[string]bool{}
	}
	c.kinds[path][Kind(value)] = true
}

func (c *comparison) walkObject(source, encoded map[string]any, path string) {
	_, raw := encoded[mark]
	for name, value := range source {
		at := c.path(path, []string{name})
		c.seen[at] = true
		kept, known := encoded[name]
		switch {
		case raw && path == c.root: // a model without fields; the names are those of the API
			c.addKind(at, value)
		case !known:
			c.report(&c.result.Unknown, Difference{Path: at, Got: Kind(value)})
		case !raw:
			c.walk(value, kept, at)
		}
	}
	for name := range encoded {
		if !raw {
			c.expected[c.path(path, []string{name})] = true
		}
	}
}

func (c *comparison) report(to *[]Difference, d Difference) {
	if !c.reported[d] {
		c.reported[d] = true
		*to = append(*to, d)
	}
}

func (c *comparison) finish() *Result {
	for path := range c.expected {
		if !c.seen[path] {
			c.result.Missing = append(c.result.Missing, path)
		}
	}
	slices.Sort(c.result.Missing)
	byPath := func(a, b Difference) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(c.result.Wrong, byPath)
	slices.SortFunc(c.result.Unknown, byPath)
	c.result.Shape = make(map[string]string, len(c.kinds))
	for path, kinds := range c.kinds {
		c.result.Shape[path] = strings.Join(slices.Sorted(maps.Keys(kinds)), "|")
	}
	return &c.result
}

// Salvage decodes values into the type T, without what does not decode. It leaves out a value
// of which nothing remains.
func Salvage[T any](values []json.RawMessage) []T {
	var decoded []T
	for _, raw := range values {
		source, err := Decode(raw)
		if err != nil {
			continue
		}
		clean, _ := removeOffenders(source, func(data []byte) error { return json.Unmarshal(data, new(T)) })
		var item T
		if data, err := json.Marshal(clean); err == nil && clean != nil && json.Unmarshal(data, &item) == nil {
			decoded = append(decoded, item)
		}
	}
	return decoded
}
