// Package shape compares JSON with the Go type that decodes it, and describes the difference
// without any value of the JSON.
//
// Compare reports fields that the type does not have, fields that do not decode, fields of
// the type that no value had, and the kinds of the fields that both have. It decodes with
// the type's own methods, so a type that reads a string or an object accepts both here too.
//
// The result names fields, and a field name can itself be data: the key of a map, for example.
// A name is written only if the type has a field of that name, or if it looks like a name that
// an API chose. Otherwise its letters and digits are replaced. The digits of a string whose
// form matters, such as a date, are replaced too.
package shape

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// Kind returns the kind of a JSON value: object, list, string, integer, number, bool or null.
func Kind(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case json.Number:
		if strings.ContainsAny(value.String(), ".eE") {
			return "number"
		}
		return "integer"
	case []any:
		return "list"
	default:
		return "object"
	}
}

// Describe returns the kind of a value, and for a string that may be a date, a time or a
// number its form, with 0 for each digit.
func Describe(value any) string {
	text, ok := value.(string)
	if !ok || len(text) > 40 || !dateLike.MatchString(text) {
		return Kind(value)
	}
	return "string of the form " + digits.ReplaceAllString(text, "0")
}

var (
	dateLike = regexp.MustCompile(`^[-+]?[0-9][-+:/., 0-9TZtzUC]*$`)
	digits   = regexp.MustCompile(`[0-9]`)
)

// Mask replaces each letter of a text with a and each digit with 0.
func Mask(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return '0'
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > '~':
			return 'a'
		default:
			return r
		}
	}, text)
}

var fieldName = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*([_.-][a-zA-Z0-9]+)*$`)

// looksLikeField reports whether an API probably chose the name. Serials, slugs with a number
// and IDs do not pass.
func looksLikeField(name string) bool {
	digits := 0
	for _, r := range name {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return len(name) <= 48 && digits <= 3 && fieldName.MatchString(name)
}

// Decode decodes JSON into objects, lists, strings, bools and json.Number.
func Decode(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("more than one JSON value")
	}
	return value, nil
}
