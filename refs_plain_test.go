package memfault_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// The types without the methods of the models, as encoding/json decodes them.
type (
	cohortObject   memfault.CohortRef
	hardwareObject memfault.HardwareVersionRef
	samplingObject memfault.FleetSamplingConfiguration
)

var refTexts = []string{
	`{}`, `null`, `{"id":9,"name":"Beta","slug":"beta","count_devices":3}`, `{"name":"evt-1"}`, `{"name":"évt"}`, `{"name":null,"id":null}`,
	`{"name":"evt-1","primary_software_type":{"id":5,"name":"main"}}`, `{"name":"evt-1","primary_software_type":null}`,
	`{"primary_software_type":{"id":5},"primary_software_type":{"name":"main"}}`, `{"primary_software_type":{"id":5},"primary_software_type":null}`,
	`{"primary_software_type":{"ID":5,"extra":[1]}}`, `{"primary_software_type":"main"}`, `{"primary_software_type":{"id":"5"}}`,
	`{"ID":9,"Name":"a","SLUG":"b","Count_Devices":1}`, `{"id":1,"id":2,"name":"a","name":"b"}`, `{"name":"a\u0062\n"}`, "{\"name\":\"\xff\"}",
	`{"id":1.0}`, `{"id":1e2}`, `{"id":-0}`, `{"id":9223372036854775807}`, `{"id":9223372036854775808}`, `{"id":"1"}`, `{"id":[1],"slug":"a"}`,
	`{"extra":{"a":[1,"]"]},"id":3,"more":null}`, ` { "id" : 4 } `, `[]`, `3`, `true`, `{"id":1`, `{"id":1}}`, "{\"\u017flug\":\"a\"}",
}

// requireAsEncodingJSON decodes text with a model, and without its methods.
func requireAsEncodingJSON[M, O any](t *testing.T, text []byte, got M, want O, convert func(O) M) {
	t.Helper()
	err, wantErr := json.Unmarshal(text, &got), json.Unmarshal(text, &want)
	require.Equal(t, wantErr == nil, err == nil, "%s: got %v, want %v", text, err, wantErr)
	require.Equal(t, convert(want), got, string(text))
}

func requireRefs(t *testing.T, text []byte) {
	t.Helper()
	if text[0] != '"' {
		requireAsEncodingJSON(t, text, memfault.CohortRef{}, cohortObject{}, func(o cohortObject) memfault.CohortRef { return memfault.CohortRef(o) })
		requireAsEncodingJSON(t, text, memfault.CohortRef{ID: 7, Slug: "before"}, cohortObject{ID: 7, Slug: "before"}, func(o cohortObject) memfault.CohortRef { return memfault.CohortRef(o) })
		before := func() *memfault.SoftwareTypeRef { return &memfault.SoftwareTypeRef{ID: 8, Name: "before"} }
		requireAsEncodingJSON(t, text, memfault.HardwareVersionRef{}, hardwareObject{}, func(o hardwareObject) memfault.HardwareVersionRef { return memfault.HardwareVersionRef(o) })
		requireAsEncodingJSON(t, text, memfault.HardwareVersionRef{PrimarySoftwareType: before()}, hardwareObject{PrimarySoftwareType: before()}, func(o hardwareObject) memfault.HardwareVersionRef { return memfault.HardwareVersionRef(o) })
	}
	if text[0] == '{' {
		requireAsEncodingJSON(t, text, memfault.FleetSamplingConfiguration{}, samplingObject{}, func(o samplingObject) memfault.FleetSamplingConfiguration {
			return memfault.FleetSamplingConfiguration(o)
		})
	}
}

func TestRefs_DecodeAsEncodingJSON(t *testing.T) {
	for _, text := range refTexts {
		requireRefs(t, []byte(text))
	}
}

// FuzzRefs compares the models that are read without encoding/json with encoding/json.
func FuzzRefs(f *testing.F) {
	for _, text := range refTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		trimmed := text
		for len(trimmed) > 0 && (trimmed[0] == ' ' || trimmed[0] == '\t' || trimmed[0] == '\n' || trimmed[0] == '\r') {
			trimmed = trimmed[1:]
		}
		if len(trimmed) > 0 {
			requireRefs(t, trimmed)
		}
	})
}

func TestRefs_InvalidInput(t *testing.T) {
	for _, text := range []string{``, `{`, `{"id":1`, `{}x`, `{"id":01}`} {
		require.Error(t, new(memfault.CohortRef).UnmarshalJSON([]byte(text)), text)
		require.Error(t, new(memfault.HardwareVersionRef).UnmarshalJSON([]byte(text)), text)
		require.Error(t, new(memfault.FleetSamplingConfiguration).UnmarshalJSON([]byte(text)), text)
	}
}

// A device costs one allocation for each string that is not empty and each object that its
// fields point to, and nothing for reading cohort, hardware version and times.
func TestAllocations_Device(t *testing.T) {
	const (
		texts    = 13 // serial, nickname, resolutions (2 "normal" and "off"), and what cohort, project and versions contain
		pointers = 6  // hardware's software type, project, version, sampling configuration, 2 revisions
	)
	decode := func(devices int) float64 {
		text := []byte("[" + strings.Repeat(deviceText(1)+",", devices-1) + deviceText(1) + "]")
		return testing.AllocsPerRun(20, func() {
			decoded := make([]memfault.Device, 0, devices)
			_ = json.Unmarshal(text, &decoded)
		})
	}
	allocations := (decode(101) - decode(1)) / 100
	t.Logf("allocations per device: %.2f", allocations)
	if raceEnabled() {
		allocations--
	}
	assert.LessOrEqual(t, allocations, float64(texts+pointers))

	for _, text := range []string{`{"id":9,"count_devices":3}`, `{"name":""}`, `{"id":3,"unknown":"a"}`} {
		var cohort memfault.CohortRef
		data := []byte(text)
		assert.Zero(t, testing.AllocsPerRun(100, func() { _ = cohort.UnmarshalJSON(data) }), text)
	}
	var seen memfault.Timestamp
	stamp := []byte(`"2024-06-19T14:52:38.794000+00:00"`)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = seen.UnmarshalJSON(stamp) }))
}

// deviceText returns a device as Memfault sends it.
func deviceText(id int) string {
	return fmt.Sprintf(`{"id":%d,"device_serial":"SN-%06d","nickname":"unit %d","description":"",
		"hardware_version":{"name":"evt-1","primary_software_type":{"id":5,"name":"main"}},"cohort":{"id":9,"name":"Default","slug":"default","count_devices":12},
		"project":{"id":1,"name":"Sink","slug":"sink"},"first_seen":"2022-01-02T03:04:05+00:00","last_seen":"2024-06-19T14:52:38.794000+00:00",
		"last_seen_software_version":{"id":6,"version":"1.0.0","archived":false,"software_type":{"id":5,"name":"main"}},
		"attributes_resolution":"normal","attributes_manual_resolution":null,"debugging_resolution":"off","debugging_manual_resolution":null,
		"timeseries_resolution":"normal","timeseries_manual_resolution":null,"server_side_developer_mode":false,"fleet_sampling_configuration":{"id":3},
		"assigned_config_revision":5,"reported_config_revision":4,"created_date":"2022-01-02T03:04:05+00:00","updated_date":"2024-06-19T14:52:38.794000+00:00"}`, id, id, id)
}
