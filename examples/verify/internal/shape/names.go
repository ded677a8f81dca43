package shape

import (
	"reflect"
	"strings"
)

// names contains the field names that a type and the types of its fields have in JSON.
type names map[string]bool

func namesOf(t reflect.Type) names {
	found := names{}
	found.add(t, map[reflect.Type]bool{})
	return found
}

func (n names) add(t reflect.Type, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return
	}
	seen[t] = true
	for field := range t.Fields() {
		if !field.IsExported() && !field.Anonymous {
			continue
		}
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			n[name] = true
		}
		n.add(field.Type, seen)
	}
}

// write returns a name, or its mask.
func (n names) write(name string, private func(string) bool) string {
	if n[name] || looksLikeField(name) && !private(name) {
		return name
	}
	return Mask(name)
}

// Name returns a name if an API probably chose it, and otherwise its mask.
func Name(name string) string {
	return names{}.write(name, func(string) bool { return false })
}
