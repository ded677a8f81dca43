package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestDevicesAttributeMap_TypedValues(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A", Attributes: map[string]any{"region": "eu", "zone": 3, "load": 0.5, "demo": true}},
		memfaulttest.Device{Serial: "B", Attributes: map[string]any{"only_b": "x"}})
	attributes, err := client.Devices.AttributeMap(t.Context(), sink, "A")
	require.NoError(t, err)
	region, ok := attributes.String("region")
	assert.True(t, ok)
	assert.Equal(t, "eu", region)
	zone, ok := attributes.Int("zone")
	assert.True(t, ok)
	assert.Equal(t, int64(3), zone)
	load, ok := attributes.Float("load")
	assert.True(t, ok)
	assert.InDelta(t, 0.5, load, 0)
	demo, ok := attributes.Bool("demo")
	assert.True(t, ok)
	assert.True(t, demo)
	_, ok = attributes.String("only_b")
	assert.False(t, ok, "the device never set it")

	_, err = client.Devices.AttributeMap(t.Context(), sink, "GONE")
	require.ErrorIs(t, err, memfault.ErrNotFound)
}

func TestDeviceAttributes_Types(t *testing.T) {
	type found struct{ b, i, f, s any }
	for value, want := range map[string]found{
		`true`:                {b: true},
		`false`:               {b: false},
		`"true"`:              {s: "true"},
		`"7"`:                 {s: "7"},
		`""`:                  {s: ""},
		`7`:                   {i: int64(7), f: 7.0},
		` -7 `:                {i: int64(-7), f: -7.0},
		`7.0`:                 {i: int64(7), f: 7.0},
		`1e3`:                 {i: int64(1000), f: 1000.0},
		`7.5`:                 {f: 7.5},
		`9223372036854775807`: {i: int64(math.MaxInt64), f: float64(math.MaxInt64)},
		`9223372036854775808`: {f: 9223372036854775808.0},
		`1e300`:               {f: 1e300},
		`1e999`:               {},
		`null`:                {},
		``:                    {},
		`[1]`:                 {},
		`{"a":1}`:             {},
		`broken`:              {},
	} {
		attributes := memfault.DeviceAttributes{"k": {State: &memfault.AttributeState{Value: json.RawMessage(value)}}}
		var got found
		if v, ok := attributes.Bool("k"); ok {
			got.b = v
		}
		if v, ok := attributes.Int("k"); ok {
			got.i = v
		}
		if v, ok := attributes.Float("k"); ok {
			got.f = v
		}
		if v, ok := attributes.String("k"); ok {
			got.s = v
		}
		assert.Equal(t, want, got, "%q", value)
	}
}

func TestDeviceAttributes_AbsentStateIsNoValue(t *testing.T) {
	for name, attributes := range map[string]memfault.DeviceAttributes{
		"nil map": nil, "no state": {"k": {}}, "no value": {"k": {State: &memfault.AttributeState{}}}, "other key": {"j": {}},
	} {
		_, isBool := attributes.Bool("k")
		_, isInt := attributes.Int("k")
		_, isFloat := attributes.Float("k")
		_, isString := attributes.String("k")
		raw, isSet := attributes.Value("k")
		assert.False(t, isBool || isInt || isFloat || isString || isSet, name)
		assert.Nil(t, raw, name)
	}
}

func TestNewDeviceAttributes_RepeatedKey(t *testing.T) {
	attribute := func(value string) memfault.DeviceAttribute {
		a := memfault.DeviceAttribute{CustomMetric: memfault.CustomMetric{StringKey: "k"}}
		if value != "" {
			a.State = &memfault.AttributeState{Value: json.RawMessage(value)}
		}
		return a
	}
	for _, list := range [][]memfault.DeviceAttribute{
		{attribute("1"), attribute("")}, {attribute(""), attribute("1")}, {attribute("2"), attribute("1")},
	} {
		value, ok := memfault.NewDeviceAttributes(list).Int("k")
		assert.True(t, ok)
		assert.Equal(t, int64(1), value)
	}
}

func ExampleDevicesService_AttributeMap_typedValues() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234", Attributes: map[string]any{"region": "eu", "battery_pct": 81}})
	client := cloud.Client(nil)

	attributes, err := client.Devices.AttributeMap(context.Background(), cloud.Project(), "ABCD1234")
	if err != nil {
		log.Fatal(err)
	}
	if battery, ok := attributes.Int("battery_pct"); ok {
		fmt.Println("battery:", battery)
	}
	if _, ok := attributes.String("owner"); !ok {
		fmt.Println("no owner")
	}
	// Output:
	// battery: 81
	// no owner
}

func TestAttributes_KeysAreCaseInsensitive(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A", Attributes: map[string]any{"Battery_Pct": 7}})
	require.NoError(t, client.Devices.UpdateAttributes(t.Context(), sink, "A", []memfault.AttributeValue{{StringKey: "BATTERY_pct", Value: 8}}))
	attributes, err := client.Devices.AttributeMap(t.Context(), sink, "A")
	require.NoError(t, err)
	assert.Len(t, attributes, 1, "both keys name the same metric")
	for _, key := range []string{"battery_pct", "Battery_Pct"} {
		value, ok := attributes.Int(key)
		assert.True(t, ok, key)
		assert.Equal(t, int64(8), value, key)
	}
	_, ok := attributes.Int("battery")
	assert.False(t, ok)
	found, err := client.Devices.ListAttributes(sink, "A", memfault.DeviceAttributeListOptions{Query: "batt*"}).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, found, 1)
	_, err = client.Metrics.CreateCustomMetric(t.Context(), sink, memfault.CustomMetricCreate{StringKey: "battery_PCT", DataType: memfault.DataTypeInt})
	require.ErrorIs(t, err, memfault.ErrConflict)
}
