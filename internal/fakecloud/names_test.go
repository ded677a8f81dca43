package fakecloud_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

func jsonOf(text string) string {
	encoded, _ := json.Marshal(text) // cannot fail
	return string(encoded)
}

func TestNames_WrongFormIsRejected(t *testing.T) {
	long := strings.Repeat("a", 129)
	x := newTester(t)
	for _, serial := range []string{"AA:BB:CC:DD:EE:FF", "S1\n", "a b", "Küche", long} {
		assert.Equal(t, 400, x.do("POST", "/api/v0/chunks/"+url.PathEscape(serial), "a chunk 123", keyHeader, fakecloud.ProjectKey, "Content-Type", "application/octet-stream").status, serial)
		quoted := jsonOf(serial)
		assert.Equal(t, 400, x.console("POST", "/devices", `{"device_serial":`+quoted+`,"hardware_version":"evt-1"}`).status, serial)
		event := x.keyed("POST", "/api/v0/events", `[{"type":"heartbeat","sdk_version":"0.5.0","device_serial":`+quoted+`,"hardware_version":"evt-1","software_type":"main","software_version":"1.0.0"}]`)
		assert.Equal(t, 400, event.status, serial)
		assert.NotNil(t, event.at("error.message.0.device_serial"), serial)
		assert.Equal(t, 400, x.upload("/elf_coredumps", "ELF"+serial, `"device":{"device_serial":`+quoted+`,"hardware_version":"evt-1","software_version":"1"}`).status, serial)
		assert.Equal(t, 400, x.console("POST", "/cohorts", `{"name":"a","slug":`+quoted+`}`).status, serial)
	}
	for _, version := range []string{"1.2.3\n", "1,2", "1.0 β", long} {
		quoted := jsonOf(version)
		assert.Equal(t, 400, x.console("POST", "/releases", `{"version":`+quoted+`}`).status, version)
		assert.Equal(t, 400, x.console("POST", "/hardware_versions", `{"name":`+quoted+`,"primary_software_type":"main"}`).status, version)
		assert.Equal(t, 400, x.upload("/symbols", "s"+version, `"software_version":{"version":`+quoted+`,"software_type":"main"}`).status, version)
		assert.Equal(t, 400, x.upload("/releases/ota_payload", "d"+version, `"software_version":{"version":["1.0.0",`+quoted+`],"software_type":"main"},"hardware_version":"evt-1","must_pass_through":false,"notes":""`).status, version)
	}
	for _, version := range []string{"mfw_nrf91x1_2.0.4", "google/sdk:13/TQ3A (a)[b]\\c", "2.6.4.1", strings.Repeat("1", 128)} {
		x.ok(x.console("POST", "/releases", `{"version":`+jsonOf(version)+`}`))
	}
	assert.Empty(t, x.get("/devices").at("data"))
}
