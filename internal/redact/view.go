package redact

import (
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// escapeForms are the ways in which a text can contain a secret: as it is, or escaped once
// or twice.
var escapeForms = [][]escapeForm{
	{}, {jsonEscape}, {htmlEscape}, {percentEscape}, {queryEscape}, {jsonEscape, jsonEscape}, {jsonEscape, htmlEscape}, {jsonEscape, percentEscape}, {jsonEscape, queryEscape},
}

// escapeForm is a way to escape a text.
type escapeForm struct {
	marks string // bytes with which an escape begins
	// read reads the escape with which a text begins. If there is one, size is its length,
	// otherwise 0. cutOff reports that the text ends within an escape.
	read func(text string) (unescaped string, size int, cutOff bool)
}

var (
	jsonEscape    = escapeForm{`\`, readJSONEscape}
	htmlEscape    = escapeForm{"&", readHTMLEscape}
	percentEscape = escapeForm{"%", readPercentEscape}
	queryEscape   = escapeForm{"%+", readQueryEscape}
)

// view is a text without the escapes of some forms.
type view struct {
	original string
	text     string
	// at contains the index in original of each byte of text, and of the end of text. It is nil
	// if both texts are equal.
	at []int
}

func newView(text string, forms []escapeForm) view {
	v := view{original: text, text: text}
	for _, form := range forms {
		v = v.unescape(form)
	}
	return v
}

// position returns where the byte of the text at index i begins in the original.
func (v view) position(i int) int {
	if v.at == nil {
		return i
	}
	return v.at[i]
}

// unescape returns the view without the escapes of another form. It ends before an escape that
// is cut off.
func (v view) unescape(form escapeForm) view {
	if !strings.ContainsAny(v.text, form.marks) {
		return v
	}
	var text strings.Builder
	at := make([]int, 0, len(v.text)+1)
	i := 0
	for i < len(v.text) {
		unescaped, size, cutOff := v.text[i:i+1], 1, false
		if strings.IndexByte(form.marks, v.text[i]) >= 0 {
			if read, n, cut := form.read(v.text[i:]); n > 0 || cut {
				unescaped, size, cutOff = read, n, cut
			}
		}
		if cutOff {
			break
		}
		text.WriteString(unescaped)
		for range len(unescaped) {
			at = append(at, v.position(i))
		}
		i += size
	}
	return view{v.original, text.String(), append(at, v.position(i))}
}

// redact returns the original without a secret.
func (v view) redact(secret string) string {
	var shown strings.Builder
	end := 0 // of what was copied from the original
	for from := 0; ; {
		found := strings.Index(v.text[from:], secret)
		if found < 0 {
			break
		}
		start := from + found
		from = start + len(secret)
		shown.WriteString(v.original[end:v.position(start)])
		shown.WriteString(Mark)
		end = v.position(from)
	}
	shown.WriteString(v.original[end:])
	return shown.String()
}

// redactEnd returns the original without the start of a secret with which it ends.
func (v view) redactEnd(secret string) string {
	const shortest = 6 // bytes; a shorter start of a secret can occur by chance
	for n := min(len(secret)-1, len(v.text)); n >= shortest; n-- {
		if strings.HasSuffix(v.text, secret[:n]) {
			return v.original[:v.position(len(v.text)-n)] + Mark
		}
	}
	return v.original
}

func readJSONEscape(text string) (string, int, bool) {
	if len(text) == 1 {
		return "", 0, true
	}
	switch text[1] {
	case '"', '\\', '/':
		return text[1:2], 2, false
	case 'b', 'f', 'n', 'r', 't':
		return map[byte]string{'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t"}[text[1]], 2, false
	case 'u':
		return unicodeEscape(text)
	}
	return "", 0, false
}

// unicodeEscape reads \uXXXX, or two of them that are one character.
func unicodeEscape(text string) (string, int, bool) {
	const size = len(`\uXXXX`)
	if len(text) < size {
		return "", 0, true
	}
	high, err := strconv.ParseUint(text[2:size], 16, 16)
	if err != nil {
		return "", 0, false
	}
	r := rune(high)
	if !utf16.IsSurrogate(r) {
		return string(r), size, false
	}
	rest := text[size:]
	if len(rest) < size && strings.HasPrefix(`\u`, rest[:min(len(rest), 2)]) {
		return "", 0, true
	}
	if strings.HasPrefix(rest, `\u`) {
		if low, err := strconv.ParseUint(rest[2:size], 16, 16); err == nil {
			if r = utf16.DecodeRune(r, rune(low)); r != utf8.RuneError {
				return string(r), 2 * size, false
			}
		}
	}
	return string(utf8.RuneError), size, false
}

func readHTMLEscape(text string) (string, int, bool) {
	const longest = 40 // bytes; the longest entity has 33
	end := strings.IndexByte(text[:min(len(text), longest)], ';')
	if end < 0 {
		return "", 0, len(text) < longest && !strings.ContainsAny(text, " <\"")
	}
	if unescaped := html.UnescapeString(text[:end+1]); unescaped != text[:end+1] {
		return unescaped, end + 1, false
	}
	return "", 0, false
}

func readPercentEscape(text string) (string, int, bool) {
	if len(text) < len("%XX") {
		return "", 0, true
	}
	value, err := strconv.ParseUint(text[1:3], 16, 8)
	if err != nil {
		return "", 0, false
	}
	return string([]byte{byte(value)}), 3, false
}

// readQueryEscape is readPercentEscape with a plus sign for a space.
func readQueryEscape(text string) (string, int, bool) {
	if text[0] == '+' {
		return " ", 1, false
	}
	return readPercentEscape(text)
}
