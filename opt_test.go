package memfault_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestOpt_ThreeStates(t *testing.T) {
	type update struct {
		Name  memfault.Opt[string] `json:"name,omitzero"`
		Count memfault.Opt[int]    `json:"count,omitzero"`
	}
	for want, u := range map[string]update{
		`{}`:                     {},
		`{"name":"","count":0}`:  {Name: memfault.Set(""), Count: memfault.Set(0)},
		`{"name":null}`:          {Name: memfault.Null[string]()},
		`{"name":"x","count":3}`: {Name: memfault.Set("x"), Count: memfault.Set(3)},
	} {
		out, err := json.Marshal(u)
		require.NoError(t, err)
		assert.Equal(t, want, string(out))
		var back update
		require.NoError(t, json.Unmarshal(out, &back))
		assert.Equal(t, u, back)
	}
}

func TestOpt_Get(t *testing.T) {
	value, ok := memfault.Set(7).Get()
	assert.True(t, ok)
	assert.Equal(t, 7, value)
	_, ok = memfault.Null[int]().Get()
	assert.False(t, ok)
	_, ok = memfault.Opt[int]{}.Get()
	assert.False(t, ok)
}

func TestOpt_ZeroWithoutOmitzeroIsError(t *testing.T) {
	_, err := json.Marshal(struct{ Name memfault.Opt[string] }{})
	require.ErrorContains(t, err, "omitzero")
	require.Error(t, json.Unmarshal([]byte(`"x"`), new(memfault.Opt[int])))
}

func TestSet_NilSliceIsEmptyList(t *testing.T) {
	var update struct {
		List    memfault.Opt[[]string]        `json:"list,omitzero"`
		Map     memfault.Opt[map[string]int]  `json:"map,omitzero"`
		Pointer memfault.Opt[*int]            `json:"pointer,omitzero"`
		Raw     memfault.Opt[json.RawMessage] `json:"raw,omitzero"`
		Any     memfault.Opt[any]             `json:"any,omitzero"`
	}
	update.List, update.Map, update.Pointer = memfault.Set([]string(nil)), memfault.Set(map[string]int(nil)), memfault.Set((*int)(nil))
	update.Raw, update.Any = memfault.Set(json.RawMessage(nil)), memfault.Set(any(nil))
	encoded, err := json.Marshal(update)
	require.NoError(t, err)
	assert.JSONEq(t, `{"list":[],"map":{},"pointer":null,"raw":null,"any":null}`, string(encoded))
}
