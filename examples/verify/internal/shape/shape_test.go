package shape

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stringOrObject is a type that reads two forms, and keeps the form.
type stringOrObject struct {
	Name   string `json:"name"`
	asText bool
}

func (s *stringOrObject) UnmarshalJSON(data []byte) error {
	type object stringOrObject
	if s.asText = data[0] == '"'; s.asText {
		return json.Unmarshal(data, &s.Name)
	}
	return json.Unmarshal(data, (*object)(s))
}

func (s stringOrObject) MarshalJSON() ([]byte, error) {
	type object stringOrObject
	if s.asText {
		return json.Marshal(s.Name)
	}
	return json.Marshal(object(s))
}

type part struct {
	Slug  string `json:"slug"`
	Count int    `json:"count"`
}

type model struct {
	ID      int64           `json:"id"`
	Name    string          `json:"name"`
	Seen    time.Time       `json:"seen"`
	Board   stringOrObject  `json:"board"`
	Part    *part           `json:"part"`
	Parts   []part          `json:"parts"`
	Extra   json.RawMessage `json:"extra"`
	Omitted *part           `json:"omitted,omitempty"`
}

const whole = `{"id": 1, "name": "A", "seen": "2026-01-02T03:04:05Z", "board": {"name": "evt"},
	"part": {"slug": "s", "count": 1}, "parts": [{"slug": "s", "count": 1}], "extra": {"key-of-user": 1, "name": {"x": 1}}}`

func compare(t *testing.T, values ...string) *Result {
	t.Helper()
	var raw []json.RawMessage
	for _, value := range values {
		raw = append(raw, json.RawMessage(value))
	}
	result, err := Compare[model](raw, "data[]", nil)
	require.NoError(t, err)
	return result
}

func TestCompare_Equal(t *testing.T) {
	got := compare(t, whole, strings.Replace(whole, `{"name": "evt"}`, `"evt"`, 1))
	assert.Empty(t, got.Wrong)
	assert.Empty(t, got.Unknown)
	assert.Empty(t, got.Missing)
	assert.Equal(t, map[string]string{
		"data[]": "object", "data[].id": "integer", "data[].name": "string", "data[].seen": "string",
		"data[].board": "object|string", "data[].board.name": "string", "data[].part": "object", "data[].part.slug": "string",
		"data[].part.count": "integer", "data[].parts": "list", "data[].parts[]": "object", "data[].parts[].slug": "string",
		"data[].parts[].count": "integer", "data[].extra": "object",
	}, got.Shape)
}

func TestCompare_Differences(t *testing.T) {
	replaced := func(old, with string) string {
		require.Contains(t, whole, old)
		return strings.Replace(whole, old, with, 1)
	}
	for name, test := range map[string]struct {
		value string
		want  string
	}{
		"renamed":            {replaced(`"name": "A"`, `"title": "A"`), "unknown data[].title string; missing data[].name"},
		"other letter case":  {replaced(`"name": "A"`, `"Name": "A"`), "unknown data[].aaaa string; missing data[].name"},
		"renamed in an item": {replaced(`"parts": [{"slug"`, `"parts": [{"sluggish"`), "unknown data[].parts[].sluggish string; missing data[].parts[].slug"},
		"type":               {replaced(`"id": 1`, `"id": "ABCD1234"`), "wrong data[].id int64 string"},
		"list":               {replaced(`"name": "A"`, `"name": ["A"]`), "wrong data[].name string list"},
		"object":             {replaced(`"part": {"slug": "s", "count": 1}`, `"part": "s"`), "wrong data[].part shape.part string"},
		"nested type":        {replaced(`"part": {"slug": "s", "count": 1}`, `"part": {"slug": "s", "count": "12"}`), "wrong data[].part.count int string of the form 00"},
		"time":               {replaced(`2026-01-02T03:04:05Z`, `2026-01-02 03:04`), "wrong data[].seen a form that the package decodes string of the form 0000-00-00 00:00"},
		"of two forms":       {replaced(`{"name": "evt"}`, `{"name": 7}`), "wrong data[].board.name string integer"},
		"several": {
			`{"id": "x", "name": 1, "seen": null, "board": "b", "part": null, "parts": [{"slug": 1, "count": 1}, {"slug": "s", "count": 1.5}], "extra": null}`,
			"wrong data[].id int64 string; wrong data[].name string integer; wrong data[].parts[].count int number; wrong data[].parts[].slug string integer",
		},
		"null": {`null`, "wrong data[] shape.model null"},
		"text": {`"ABCD1234"`, "wrong data[] shape.model string"},
	} {
		t.Run(name, func(t *testing.T) {
			got := compare(t, test.value)
			var lines []string
			for _, d := range got.Wrong {
				lines = append(lines, fmt.Sprintf("wrong %s %s %s", d.Path, d.Want, d.Got))
			}
			for _, d := range got.Unknown {
				lines = append(lines, fmt.Sprintf("unknown %s %s", d.Path, d.Got))
			}
			for _, path := range got.Missing {
				lines = append(lines, "missing "+path)
			}
			assert.Equal(t, test.want, strings.Join(lines, "; "))
		})
	}
}

func TestCompare_FieldOfOneValueIsNotMissing(t *testing.T) {
	without := strings.Replace(whole, `"name": "A", `, "", 1)
	assert.Empty(t, compare(t, without, whole).Missing)
	assert.Equal(t, []string{"data[].name"}, compare(t, without, without).Missing)
	assert.Equal(t, []string{"data[].part"}, compare(t, strings.Replace(whole, `"part":`, `"part_renamed":`, 1)).Missing, "fields of an object that is missing are not listed")
}

func TestCompare_HidesDataNames(t *testing.T) {
	value := strings.Replace(whole, `"id": 1`, `"id": 1, "by_serial": {"SINK-0001": 1}, "SINK-0001": {}, "sink_0001": 1, "7f9c": 1, "beta": 1`, 1)
	result, err := Compare[model]([]json.RawMessage{[]byte(value)}, "data", func(name string) bool { return name == "beta" })
	require.NoError(t, err)
	var paths []string
	for _, d := range result.Unknown {
		paths = append(paths, d.Path)
	}
	assert.Equal(t, []string{"data.0a0a", "data.aaaa", "data.aaaa-0000", "data.aaaa_0000", "data.by_serial"}, paths)
	text, err := json.Marshal(result)
	require.NoError(t, err)
	for _, secret := range []string{"SINK", "0001", "beta", "key-of-user", "7f9c", "evt"} {
		assert.NotContains(t, string(text), secret)
	}
}

func TestCompare_ModelWithoutFields(t *testing.T) {
	type raw struct{ json.RawMessage }
	result, err := Compare[raw]([]json.RawMessage{[]byte(`{"metrics": {"battery": 1}, "end": "2026-01-02"}`)}, "data[]", nil)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"data[]": "object", "data[].end": "string", "data[].metrics": "object"}, result.Shape)
	assert.Empty(t, result.Unknown)
	assert.Empty(t, result.Missing)
}

func TestCompare_InvalidJSON(t *testing.T) {
	_, err := Compare[model]([]json.RawMessage{[]byte(`{"id": `)}, "data", nil)
	require.Error(t, err)
	_, err = Decode([]byte(`{} {}`))
	require.Error(t, err)
}

func TestDescribe(t *testing.T) {
	for value, want := range map[any]string{
		"2026-01-02":                  "string of the form 0000-00-00",
		"2026-01-02T03:04:05.5+00:00": "string of the form 0000-00-00T00:00:00.0+00:00",
		"ABCD1234":                    "string",
		"":                            "string",
		json.Number("12"):             "integer",
		json.Number("1e3"):            "number",
		true:                          "bool",
		nil:                           "null",
	} {
		assert.Equal(t, want, Describe(value), value)
	}
}
