package fakecloud

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJSON_AsPythonWritesIt(t *testing.T) {
	for want, value := range map[string]any{
		`{"upload_url":"http://a/?x=1&y=<2>"}`:         map[string]string{"upload_url": "http://a/?x=1&y=<2>"},
		`"K\u00fcche \u2028\u2029 \ud83d\udeb0\u007f"`: "Küche \u2028\u2029 🚰\x7f",
		`"\"\\\b\f\n\r\t\u0001/"`:                      "\"\\\b\f\n\r\t\x01/",
		`{"a":"x & \u00e9","b":["\"",1]}`:              json.RawMessage(`{"a": "x \u0026 é", "b": ["\"", 1]}`),
	} {
		text, err := JSON(value)
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
	}
	_, err := JSON(func() {})
	require.Error(t, err)
}

func FuzzJSON(f *testing.F) {
	f.Add("a & b", "é\\u")
	f.Fuzz(func(t *testing.T, a, b string) {
		sent := map[string]string{a: b}
		plain, err := json.Marshal(sent)
		require.NoError(t, err)
		text, err := JSON(json.RawMessage(plain))
		require.NoError(t, err)
		var got, want map[string]string
		require.NoError(t, json.Unmarshal(text, &got))
		require.NoError(t, json.Unmarshal(plain, &want))
		assert.Equal(t, want, got)
		for _, c := range text {
			require.True(t, c >= ' ' && c <= '~', "%q", text)
		}
	})
}
