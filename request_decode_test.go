package memfault_test

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// requireDecodesAsEncodingJSON compares the decoder of responses with json.Unmarshal.
func requireDecodesAsEncodingJSON(t *testing.T, model reflect.Type, text string) {
	t.Helper()
	got, want := reflect.New(model), reflect.New(model)
	err, wantErr := memfault.UnmarshalNew([]byte(text), got.Interface()), json.Unmarshal([]byte(text), want.Interface())
	require.Equal(t, wantErr, err, "%s as %s", text, model)
	require.Equal(t, want.Interface(), got.Interface(), "%s as %s", text, model)
}

func TestDecode_AsEncodingJSON(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			requireDecodesAsEncodingJSON(t, e.model, e.text)
			requireDecodesAsEncodingJSON(t, reflect.SliceOf(e.model), "["+e.text+",null,"+e.text+"]")
			requireDecodesAsEncodingJSON(t, e.model, strings.ToUpper(e.text))
			for i := 0; i < len(e.text); i += 7 {
				requireDecodesAsEncodingJSON(t, e.model, e.text[:i])
				requireDecodesAsEncodingJSON(t, e.model, e.text[:i]+"\xff"+e.text[i+1:])
				requireDecodesAsEncodingJSON(t, e.model, e.text[:i]+"1"+e.text[i+1:])
			}
			for _, wrong := range []string{`1`, `"text"`, `[1]`, `{"a":1}`, `true`, `null`} {
				requireDecodesAsEncodingJSON(t, e.model, replaceStrings(e.text, wrong))
			}
		})
	}
}

// replaceStrings replaces each JSON string that is a value by wrong.
func replaceStrings(text, wrong string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, `:"`)
		if out.WriteString(before); !found {
			return out.String()
		}
		_, text, _ = strings.Cut(rest, `"`)
		out.WriteString(":" + wrong)
	}
}

// odd is a type of a user that only json.Unmarshal decodes, not encoding/json/v2.
type odd struct {
	First  int `json:"a_b"`
	Second int `json:"A_B"`
	Text   *struct {
		Name string `json:"name,string"`
	} `json:"text"`
}

func TestDecode_OddTypes(t *testing.T) {
	for _, text := range []string{
		`{"a_B":1}`, `{"a_b":1,"A_B":2,"a_B":3}`, `{"text":{"name":"\"a\""}}`, `{"text":{"name":"a"}}`, `{"a_b":1,"a_b":2}`,
		`{"a_b":"x","A_B":3}`, `{"A_B":3,"a_b":1.5}`, `{} {}`, `{"a_b":1}]`, ``, ` `,
	} {
		requireDecodesAsEncodingJSON(t, reflect.TypeFor[odd](), text)
		requireDecodesAsEncodingJSON(t, reflect.TypeFor[[]odd](), "["+text+"]")
		requireDecodesAsEncodingJSON(t, reflect.TypeFor[*odd](), text)
	}
}

func TestDecode_FailureKeepsNothing(t *testing.T) {
	decoded := struct {
		A int   `json:"a"`
		B []int `json:"b"`
	}{B: make([]int, 0, 8)}
	require.Error(t, memfault.UnmarshalNew([]byte(`{"a":1,"b":[1,2`), &decoded))
	assert.Zero(t, decoded.A)
	assert.Empty(t, decoded.B)
}

func TestDecode_ErrorNamesItemAndField(t *testing.T) {
	good := `{"device_serial":"A","last_seen":"2026-01-02T03:04:05Z"}`
	for body, want := range map[string]string{
		`{"data":[` + good + `,{"device_serial":"B2","last_seen":"yesterday"}]}`:    `item 1 (device_serial "B2"): field last_seen: `,
		`{"data":[` + good + `,` + good + `,{"id":7,"cohort":{"slug":5}}]}`:         `item 2 (id 7): field cohort.slug: `,
		`{"data":[{"id":"x y","cohort":[]}]}`:                                       `item 0 (id "x y"): field cohort: `,
		`{"data":[` + good + `,"text"]}`:                                            `item 1: `,
		`{"data":{"device_serial":"B2"}}`:                                           `field data: `,
		`{"data":[` + good + `],"paging":{"page":"one"}}`:                           `field paging.page: `,
		"\ufeff" + `{"data":[` + good + `,{"slug":"s\n","last_seen":"yesterday"}]}`: `item 1 (slug "s\n"): field last_seen: `,
	} {
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		_, err := client.Devices.List(sink, memfault.DeviceListOptions{}).Collect(t.Context())
		require.ErrorIs(t, err, memfault.ErrUnexpectedResponse, body)
		if !strings.HasPrefix(want, "field data") {
			require.ErrorContains(t, err, "the expected JSON: "+want, body)
		}
	}
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"device_serial":"B2","last_seen":"yesterday"}}`)
	})
	_, err := client.Devices.Get(t.Context(), sink, "B2")
	require.ErrorContains(t, err, "the expected JSON: field last_seen: ")
	err = client.Do(t.Context(), memfault.Request{Path: "/x"}, &[]struct{}{})
	require.ErrorIs(t, err, memfault.ErrUnexpectedResponse)
}

func TestDecode_ByteOrderMark(t *testing.T) {
	const mark = "\ufeff"
	status := 200
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		if status != 200 {
			_, _ = io.WriteString(w, mark+`{"error":{"code":1,"message":"why"}}`)
			return
		}
		_, _ = io.WriteString(w, mark+`{"data":[{"device_serial":"A"}],"paging":{"page":1,"page_count":1}}`)
	})
	devices, err := client.Devices.List(sink, memfault.DeviceListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, devices, 1)
	var out []struct{}
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, &out))
	assert.Len(t, out, 1)
	status = 400
	_, err = client.Devices.Get(t.Context(), sink, "A")
	assert.Equal(t, "why", requireError(t, err, 400).Message)
	event, err := memfault.ParseWebhook(nil, []byte(mark+issueCreated))
	require.NoError(t, err)
	assert.JSONEq(t, issueCreated, string(event.Payload))
}
