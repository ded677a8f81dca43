package fakecloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
)

// JSON encodes a value as Memfault does, whose JSON is written by Python: &, < and > stand as they
// are, and every other character than the printable ones of ASCII is escaped, also in JSON that a
// request contained.
//
// UNCERTAIN(json-form): whether Memfault writes other characters than those of ASCII as escapes,
// as Python does by default, and whether spaces follow commas and colons. Here none do.
func JSON(value any) ([]byte, error) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	text := bytes.TrimSuffix(encoded.Bytes(), []byte("\n"))
	if !bytes.ContainsFunc(text, func(r rune) bool { return r > '~' }) && !bytes.Contains(text, []byte(`\u`)) {
		return text, nil
	}
	var written []byte
	for len(text) > 0 {
		end := bytes.IndexByte(text, '"')
		if end < 0 {
			return append(written, text...), nil
		}
		written, text = append(written, text[:end]...), text[end:]
		end = literalEnd(text)
		var literal string
		if err := json.Unmarshal(text[:end], &literal); err != nil {
			return nil, err // cannot happen, because encoding/json wrote it
		}
		written, text = appendString(written, literal), text[end:]
	}
	return written, nil
}

// literalEnd returns the length of the string literal at the start of text.
func literalEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// appendString appends a string literal in the form of Python.
func appendString(to []byte, text string) []byte {
	to = append(to, '"')
	for _, r := range text {
		switch short := bytes.IndexByte([]byte("\"\\\b\f\n\r\t"), byte(r)); { //nolint:gosec // only compared for ASCII
		case r < 0x80 && short >= 0:
			to = append(to, '\\', `"\bfnrt`[short])
		case r >= ' ' && r <= '~':
			to = append(to, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			to = fmt.Appendf(to, `\u%04x\u%04x`, high, low)
		default:
			to = fmt.Appendf(to, `\u%04x`, r)
		}
	}
	return append(to, '"')
}
