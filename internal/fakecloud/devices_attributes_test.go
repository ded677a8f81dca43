package fakecloud_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

func TestAttributes_ShareMetricOfProject(t *testing.T) {
	x := newTester(t)
	x.cloud.AddDevices(fakecloud.Device{Serial: "A"}, fakecloud.Device{Serial: "B", Attributes: map[string]any{"z": true, "color": "red"}})
	x.ok(x.console("POST", "/custom-metrics", `{"string_key":"flow","data_type":"FLOAT"}`))
	assert.Nil(t, x.get("/devices/A/attributes").at("data.0.state"), "not set yet")
	assert.Equal(t, "flow", x.get("/devices/A/attributes").at("data.0.string_key"))

	for body, status := range map[string]int{
		`[{"string_key":"flow","value":3}]`:                                 204, // an integer is a valid FLOAT
		`[{"string_key":"flow","value":"much"}]`:                            400,
		`[{"string_key":"color","value":1}]`:                                400, // has the type of the first value
		`[{"string_key":"color","value":"blue"}]`:                           204,
		`[{"string_key":"new","value":false}]`:                              204,
		`[{"string_key":"n","value":1},{"string_key":"flow","value":true}]`: 400, // nothing is set
	} {
		assert.Equal(t, status, x.console("PATCH", "/devices/A/attributes", body).status, body)
	}
	flow := x.get("/devices/A/attributes?q=flow")
	assert.Equal(t, []any{"flow", "FLOAT", 3.0}, []any{flow.at("data.0.string_key"), flow.at("data.0.custom_metric.data_type"), flow.at("data.0.state.value")})
	assert.Equal(t, "red", x.get("/devices/B/attributes?q=color").at("data.0.state.value"))
	assert.Equal(t, x.get("/devices/A/attributes?q=color").at("data.0.custom_metric.id"), x.get("/devices/B/attributes?q=color").at("data.0.custom_metric.id"))
	assert.InDelta(t, 0, x.get("/devices/A/attributes?q=n").at("paging.total_count"), 0)
	for _, key := range []string{"flow", "color", "new"} {
		assert.Equal(t, 409, x.console("POST", "/custom-metrics", `{"string_key":"`+key+`","data_type":"INT"}`).status, key)
	}
}

func TestConfigRevision_ReportedWithMAR(t *testing.T) {
	x := newTester(t)
	x.cloud.AddHardwareVersions(fakecloud.HardwareVersion{Name: "dvt-1"})
	x.cloud.AddDevices(fakecloud.Device{Serial: "S1", HardwareVersion: "dvt-1"})
	config := func() answer { return x.ok(x.keyed("POST", "/api/v0/device-config", `{"device":{`+flatTraits+`}}`)) }
	revisions := func() []any {
		d := x.get("/devices/S1")
		return []any{d.at("data.assigned_config_revision"), d.at("data.reported_config_revision")}
	}
	assert.Equal(t, []any{1.0, nil}, revisions())
	x.ok(x.upload("/mar", "a MAR", flatTraits))
	assert.Equal(t, []any{1.0, nil}, revisions(), "the device has not fetched it")
	assert.Nil(t, config().at("data.completed"))
	assert.Equal(t, []any{1.0, nil}, revisions(), "the device has not reported it")
	x.ok(x.upload("/mar", "another MAR", flatTraits))
	assert.Equal(t, []any{1.0, 1.0}, revisions())
	assert.InDelta(t, 1, config().at("data.completed"), 0)
}
