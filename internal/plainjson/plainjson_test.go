package plainjson_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/plainjson"
)

type thing struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Inner *inner `json:"inner"`
}

type inner struct {
	Kind string `json:"kind"`
}

// read decodes text as a caller of the package does, without the fallback.
func read(text []byte, into *thing) bool {
	result := *into
	o := plainjson.NewObject(text)
	for o.Next() {
		switch string(o.Name()) {
		case "id":
			plainjson.Integer(&o, &result.ID)
		case "name":
			o.String(&result.Name)
		case "inner":
			if o.IsNull() {
				result.Inner = nil
				continue
			}
			kind := inner{}
			if result.Inner != nil {
				kind = *result.Inner
			}
			nested := plainjson.NewObject(o.Value())
			for nested.Next() {
				if string(nested.Name()) == "kind" {
					nested.String(&kind.Kind)
				} else {
					nested.Skip("kind")
				}
			}
			if !nested.Done() {
				o.Fail()
			}
			result.Inner = &kind
		default:
			o.Skip("id", "name", "inner")
		}
	}
	if o.Done() {
		*into = result
	}
	return o.Done()
}

func TestObject_UsualForms(t *testing.T) {
	for _, text := range []string{
		`{}`, ` { } `, `{"id":1}`, `{"id":-9,"name":"a"}`, "\t{\"id\" : 1 ,\r\n\"name\":\"é\"}\n",
		`{"id":null,"name":null,"inner":null}`, `{"id":1,"id":2}`, `{"inner":{"kind":"a"}}`, `{"inner":{"kind":"a"},"inner":{}}`,
		`{"unknown":[1,{"a":"]}\"\\"}],"other":1.5e3,"third":true,"id":3}`, `{"id":999999999999999999}`, `{"":1}`,
	} {
		want := thing{ID: 7, Name: "before"}
		got := want
		require.NoError(t, json.Unmarshal([]byte(text), &want), text)
		assert.True(t, read([]byte(text), &got), text)
		assert.Equal(t, want, got, text)
	}
}

func TestObject_UnusualForms(t *testing.T) {
	for _, text := range []string{
		``, ` `, `null`, `1`, `"a"`, `[]`, `{`, `{}x`, `{"id"}`, `{"id":}`, `{"id":1,}`, `{,"id":1}`, `{"id":1 "name":"a"}`, `{id:1}`,
		`{"id":01}`, `{"id":-}`, `{"id":1.0}`, `{"id":1e3}`, `{"id":"1"}`, `{"id":9223372036854775807}`, `{"id":true}`,
		`{"name":1}`, `{"name":"\u0061"}`, `{"name":"a}`, "{\"name\":\"\x01\"}", "{\"name\":\"\xff\"}", `{"n\u0061me":"a"}`,
		`{"ID":1}`, `{"Name":"a"}`, "{\"\u212aind\":1}", `{"unknown":[1}`, `{"unknown":[}`, `{"unknown":["]}`, `{"unknown":tru}`, `{"unknown":"\`,
		`{"inner":1}`, `{"inner":{"kind":1}}`,
	} {
		got := thing{ID: 7, Name: "before"}
		assert.False(t, read([]byte(text), &got), text)
		assert.Equal(t, thing{ID: 7, Name: "before"}, got, text)
	}
}

func TestText_ReturnsPartOfValue(t *testing.T) {
	text, ok := plainjson.Text([]byte(`"a b"`))
	require.True(t, ok)
	assert.Equal(t, "a b", string(text))
	for _, value := range []string{``, `"`, `a"`, `"a`, `"a\n"`, `"a"b"`, `null`} {
		_, ok := plainjson.Text([]byte(value))
		assert.False(t, ok, value)
	}
}

func TestObject_DoesNotAllocate(t *testing.T) {
	text := []byte(`{"id":12345,"unknown":"some text","name":null,"inner":null}`)
	var got thing
	assert.Zero(t, testing.AllocsPerRun(100, func() { read(text, &got) }))
	assert.Equal(t, int64(12345), got.ID)
}

// FuzzObject compares the result for each usual text with that of encoding/json.
func FuzzObject(f *testing.F) {
	for _, text := range []string{
		`{"id":1,"name":"a","inner":{"kind":"b"}}`, `{"id":-0,"ID":2}`, `{"unknown":[{"a":"\""}],"id":null}`,
		`{"name":"a","name":null}`, "{\"\u017ft\":1}", `{"a":1}x`, `{"a":1.e}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want := thing{ID: 7, Name: "before", Inner: &inner{"c"}}
		got := want
		got.Inner = &inner{"c"}
		if !read(text, &got) {
			return
		}
		require.NoError(t, json.Unmarshal(text, &want))
		require.Equal(t, want, got)
	})
}
