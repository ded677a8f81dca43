package plainjson

import (
	"encoding/json"
	"unicode/utf8"
)

// Text returns the content of a JSON string that has no escapes. The result shares the memory of
// value.
func Text(value []byte) ([]byte, bool) {
	n := len(value)
	if n < 2 || value[0] != '"' || value[n-1] != '"' {
		return nil, false
	}
	inner, ascii := value[1:n-1], true
	for _, b := range inner {
		if b == '\\' || b == '"' || b < ' ' {
			return nil, false
		}
		ascii = ascii && b < utf8.RuneSelf
	}
	return inner, ascii || utf8.Valid(inner)
}

// Number returns a JSON number without fraction and exponent, of at most 18 digits.
func Number(value []byte) (int64, bool) {
	const mostDigits = 18 // any number with 18 digits fits in an int64
	digits := value
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > mostDigits || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	var n int64
	for _, b := range digits {
		if b < '0' || b > '9' {
			return 0, false
		}
		n = n*10 + int64(b-'0')
	}
	if value[0] == '-' {
		n = -n
	}
	return n, true
}

// valueLength returns the length of the JSON value with which text begins.
func valueLength(text []byte) (int, bool) {
	if len(text) == 0 {
		return 0, false
	}
	n := 0
	switch text[0] {
	case '"':
		n = stringLength(text)
		_, ok := Text(text[:n])
		return n, ok
	case '{', '[':
		n = nestedLength(text)
		return n, json.Valid(text[:n])
	}
	for n < len(text) && !endsScalar(text[n]) {
		n++
	}
	scalar := text[:n]
	switch string(scalar) {
	case "null", "true", "false":
		return n, true
	}
	_, ok := Number(scalar)
	return n, ok || json.Valid(scalar)
}

// stringLength returns the length of the string with which text begins, or 0 if the string does
// not end.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// nestedLength returns the length of the object or array with which text begins, or 0 if the
// object or array does not end.
func nestedLength(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			n := stringLength(text[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		}
	}
	return 0
}

func endsScalar(b byte) bool {
	switch b {
	case ',', '}', ']', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

func skipSpace(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '\r' || text[0] == '\n') {
		text = text[1:]
	}
	return text
}
