package memfault_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// example is a response body that Memfault sends, and the model that decodes it.
type example struct {
	name, text string
	model      reflect.Type
}

func exampleOf[T any](name, text string) example {
	return example{name, text, reflect.TypeFor[T]()}
}

// reencode decodes a body into the model of e and returns its encoding.
func (e example) reencode(t testing.TB, text string) string {
	t.Helper()
	value := reflect.New(e.model)
	require.NoError(t, json.Unmarshal([]byte(text), value.Interface()), text)
	encoded, err := json.Marshal(value.Elem().Interface())
	require.NoError(t, err)
	return string(encoded)
}

const (
	orgText      = `{"id":1,"name":"Acme","slug":"acme"}`
	datesText    = `"created_date":"2019-05-21T21:08:54.32353+00:00","updated_date":"2024-06-19T14:52:38+00:00"`
	userText     = `{"id":2,"email":"jo@acme.example","name":"Jo"}`
	releaseText  = `{"id":3,"version":"1.0.0+8219de","revision":"8219de"}`
	oldDevice    = `{"id":4,"device_serial":"A 1","hardware_version":"evt-1"}`
	newDevice    = `{"id":4,"device_serial":"A 1","hardware_version":{"name":"evt-1","primary_software_type":{"id":5,"name":"main"}},"last_seen":"2024-06-19T14:52:38.794000+00:00"}`
	softwareText = `{"id":6,"version":"1.0.0","archived":true,"software_type":{"id":5,"name":"main"}}`
	traceBody    = `"id":7,"title":"Assert at f","message":"m","reason":"Assert","signature":"ab","context":"c","source_type":"event","release":` + releaseText + `,"device":` + oldDevice + `,
		"entries":{"threads":[{"tid":1,"name":"main","state":"running","current":true,"crashed":true,"reporting":true,"registers":[{"name":"pc","value":4294967295}],
		"stacktrace":[{"index":1,"address":134222388,"function":"f","file":"f.c","lineno":42,"context":[{"a":1}],"frame_type":"normal","frame_size":8,"arguments":{"a":1},"locals":{"b":"c"}},
		{"index":2,"address":1,"function":null,"file":null,"lineno":null,"context":[],"arguments":null,"locals":null}]}],
		"faults":{"notes":["n"],"registers":[{"name":"cfsr","value":1}]}},
		"created_date":"2024-06-19T14:52:38Z","captured_date":"2024-06-19T14:52:38Z","received_date":"2024-06-19T14:52:38Z"`
	issueBody = `"id":11,"status":"open","title":"t","message":"m","signature":"ab","resolution":{"actor":` + userText + `,"timestamp":"2024-06-19T14:52:38Z"},"counts":[1,2],"device_count":1,"trace_count":2,
		"distribution":{"hardware_version":[{"version":"evt-1","count":1}],"sw_version":[{"version":"1.0.0","count":1}]},"first_seen":"2024-06-19T14:52:38Z","last_seen":"2024-06-19T14:52:38Z",` + datesText
	deploymentBody = `"id":8,"type":"staged_rollout","status":"in_progress","rollout_percent":10,"cohort":{"id":9,"name":"Beta","slug":"beta","count_devices":3},"deployer":` + userText + `,"extra_info":{"a":[1,null]},"deployed_date":"2024-06-19T14:52:38Z",` + datesText
	cohortBody     = `"id":9,"name":"Beta","slug":"beta","count_devices":3,` + datesText
	metricText     = `{"id":"1f0d7c0e-2f8c-4b8e-9a54-0d3c1b7a1c11","string_key":"battery","data_type":"FLOAT","display_name":"Battery","description":"d","favorite":true,"device_write_policy":"writable","range_violation_behavior":"accept","range":{"min":0.5,"max":100,"min_inclusive":true,"max_inclusive":true}}`
	stateText      = `"state":{"value":1.5,"time":"2024-06-19T14:52:38Z",` + datesText + `}`
	artifactBody   = `"id":12,"type":"firmware","build_id":"b","filename":"f.bin","url":"https://cdn.example/f.bin","md5":"ab","created_date":"2024-06-19T14:52:38Z"`
	versionText    = `{"id":6,"version":"1.0.0","revision":"r","archived":true,"software_type":{"id":5,"name":"main"},"symbol_file":{"id":13,"downloadable":true},` + datesText + `}`
	typeText       = `{"id":5,"name":"main","archived":true,"software_version_string_format":"semver","software_versions_count":1,"latest_software_version":` + versionText + `,"created_date":"2024-06-19T14:52:38Z"}`
	deviceBody     = `"id":4,"device_serial":"A 1","last_seen":"2024-06-19T14:52:38.794000+00:00","cohort":{"id":9,"name":"Beta","slug":"beta","count_devices":3},` + datesText
)

// examples returns an example of each model in each known form.
func examples() []example {
	return []example{
		exampleOf[memfault.User]("user of 2021", `{"id":2,"email":"jo@acme.example","name":"Jo","organizations":[`+orgText+`],`+datesText+`}`),
		exampleOf[memfault.User]("user", `{"id":2,"email":"jo@acme.example","name":"Jo","organizations":[`+orgText+`],"has_accepted_privacy_notice":true,"has_accepted_terms_of_service":true,
			"impersonator":"ann","organization_acls":[{"admin":true,"customer_support":true,"organization":`+orgText+`}],`+datesText+`}`),
		exampleOf[memfault.Organization]("organization", orgText),
		exampleOf[memfault.DataRoute]("data route", `{"token":"0123456789abcdef"}`),
		exampleOf[memfault.Project]("project of 2021", `{"id":1,"name":"Sink","slug":"sink","platform":"p","os":"o","api_key":"k","count_devices":1,`+datesText+`}`),
		exampleOf[memfault.Project]("project", `{"id":1,"name":"Sink","slug":"sink","platform":"p","os":"o","api_key":"k","alerts_enabled":true,"bugreport_export_enabled":true,"chunks_debug_log_length":1,
			"count_deployments":1,"dashboard_enabled":true,"device_link_strategies":[{"name":"n"}],"event_debug_log_length":1,"integrations":[{"name":"n"}],"legacy_latest_api_enabled":true,
			"metric_chart_enabled":true,"multi_component_enabled":true,"primary_software_type":"main","qcomm_enabled":true,"versioning_scheme":"semver","setup_details":{"operating_system":["o"],
			"compiler":["c"],"compiler_other":"c","build_toolchain":["b"],"build_toolchain_other":"b","additional_chips":"a","programming_languages":["c"],"programming_languages_other":"p",
			"debugging_toolchain":["d"],"debugging_toolchain_other":"d","connectivity":["c"],"connectivity_other":"c","primary_chip":"p","primary_chip_other":"p","gms_certification":"g",
			"operating_system_other":"o"},`+datesText+`}`),
		exampleOf[memfault.Release]("release", `{"id":3,"version":"1.0.0+8219de","min_version":"0.9.0","revision":"8219de","notes":"n","must_pass_through":true,"extra_info":{"a":1},
			"artifacts":[{`+artifactBody+`,"hardware_version":{"name":"evt-1","primary_software_type":{"name":"main"}},"updated_date":"2024-06-19T14:52:38Z"}],"count_devices":1,`+datesText+`}`),
		exampleOf[memfault.Release]("latest release", `{"id":3,"created_date":"2024-06-19T14:52:38Z","version":"1.0.0","display_name":"d","revision":"r","min_version":"0.9.0","must_pass_through":true,"notes":"n",
			"reason":"latest","is_delta":true,"is_forced":true,"extra_info":{"a":"b"},"artifacts":[{`+artifactBody+`,"hardware_version":"evt-1","file_size":1,"sha1":"s","sha256":"t","extra_info":{"a":"b"}}]}`),
		exampleOf[memfault.Artifact]("artifact of 2021", `{`+artifactBody+`,"hardware_version":"evt-1","updated_date":"2024-06-19T14:52:38Z"}`),
		exampleOf[memfault.ReleaseDelta]("delta release", `{"id":1,"from_version":`+releaseText+`,"to_version":`+releaseText+`}`),
		exampleOf[memfault.Cohort]("cohort of 2021", `{`+cohortBody+`,"last_deployment":{`+deploymentBody+`,"release":`+releaseText+`}}`),
		exampleOf[memfault.Cohort]("cohort of 2021 with its deployments", `{`+cohortBody+`,"deployments":[{"id":8,"type":"normal","status":"done","deployer":`+userText+`,"release":`+releaseText+`}]}`),
		exampleOf[memfault.Cohort]("cohort", `{`+cohortBody+`,"last_deployment":{`+deploymentBody+`,"release":`+releaseText+`},"bypass_primary_software_type_check":true,"bypass_version_checks":true,
			"count_active_deployments":1,"count_active_releases":1,"count_staged_devices":1,"ignore_traces":true,"return_equal_latest_releases":true,"updates_enabled":true}`),
		exampleOf[memfault.Deployment]("deployment", `{`+deploymentBody+`,"release":`+releaseText+`}`),
		exampleOf[memfault.Deployment]("deployment of a version", `{`+deploymentBody+`,"release":"1.0.0"}`),
		exampleOf[memfault.Deployment]("deployment of a pair", `{`+deploymentBody+`,"release":["1.0.0","2.0.0"]}`),
		exampleOf[memfault.Deployment]("deployment of a delta", `{`+deploymentBody+`,"release":{"type":"delta","from_version":`+releaseText+`,"to_version":`+releaseText+`}}`),
		exampleOf[memfault.Deployment]("deployment to a slug", `{"id":8,"cohort":"beta","release":{"id":3,"version":"1.0.0","revision":"","type":"normal"}}`),
		exampleOf[memfault.Device]("device of 2021", `{`+deviceBody+`,"owner_ref":"o","hardware_version":"evt-1","last_seen_release":`+releaseText+`,"latest_install":{"id":1},"latest_trace":{"id":2}}`),
		exampleOf[memfault.Device]("device", `{`+deviceBody+`,"nickname":"n","description":"d","hardware_version":{"name":"evt-1"},"project":`+orgText+`,"last_seen_software_version":`+softwareText+`,
			"attributes_resolution":"normal","attributes_manual_resolution":"off","debugging_resolution":"low","debugging_manual_resolution":"high","timeseries_resolution":"normal",
			"timeseries_manual_resolution":"other","first_seen":"2024-06-19T14:52:38Z","server_side_developer_mode":true,"fleet_sampling_configuration":{"id":3},
			"assigned_config_revision":5,"reported_config_revision":4}`),
		exampleOf[memfault.Device]("device with a numbered configuration", `{`+deviceBody+`,"hardware_version":{"name":"evt-1"},"fleet_sampling_configuration":3}`),
		exampleOf[memfault.Device]("device in a slug", `{"id":4,"device_serial":"A 1","hardware_version":"evt-1","cohort":"beta"}`),
		exampleOf[memfault.DeviceAttribute]("attribute", `{"custom_metric":`+metricText+`,`+stateText+`}`),
		exampleOf[memfault.DeviceAttribute]("attribute that was never set", `{"custom_metric":`+metricText+`,"state":null}`),
		exampleOf[memfault.DeviceAttribute]("attribute of a metric_config", `{"metric_config":`+metricText+`,`+stateText+`}`),
		exampleOf[memfault.DeviceAttribute]("attribute with its key at the top", `{"string_key":"battery",`+stateText+`}`),
		exampleOf[memfault.DeviceAttribute]("attribute with its key in two places", `{"string_key":"battery","custom_metric":`+metricText+`,`+stateText+`}`),
		exampleOf[memfault.Reboot]("reboot", `{"type":"memfault","reason":32769,"mcu_reason_register":4294967295,"time":"2024-06-19T14:52:38Z","software_version":`+softwareText+`}`),
		exampleOf[memfault.LogFile]("log file", `{"cid":"1f0d7c0e-2f8c-4b8e-9a54-0d3c1b7a1c11"}`),
		exampleOf[memfault.Event]("event", `{"id":14,"type":"trace","device":`+oldDevice+`,"release":`+releaseText+`,"sdk_version":"0.5.0","event_info":{"reason":1,"pc":2},"user_info":{"a":1},
			"created_date":"2024-06-19T14:52:38Z","received_date":"2024-06-19T14:52:38Z","captured_date":"2024-06-19T14:52:38Z"}`),
		exampleOf[memfault.EventLogEntry]("entry of the event log", `{"type":"HEARTBEAT","device_serial":"A 1","captured_date":"2024-06-19T14:52:38Z","summary":{"event_info":{"metrics":{"a":1}}}}`),
		exampleOf[memfault.ChroniclerLog]("chronicler log", `{"event_data":{"received_event":{"captured_date":"2024-06-19T14:52:38Z","event_info":{"metrics":{"a":1}}}}}`),
		exampleOf[memfault.Issue]("issue of 2021", `{`+issueBody+`,"first_release":`+releaseText+`,"last_release":`+releaseText+`,"last_trace":{`+traceBody+`}}`),
		exampleOf[memfault.Issue]("issue", `{`+issueBody+`,"reason":"Assert","first_software_version":`+softwareText+`,"last_software_version":`+softwareText+`,"last_trace":{"id":7,"issue_id":11,"source_type":"coredump"}}`),
		exampleOf[memfault.FirstTrace]("first trace", `{"issue_id":11,"threads":[{"tid":1,"name":"n","state":"s","current":true,"crashed":true,"reporting":true,"registers":[],"stacktrace":[]}]}`),
		exampleOf[memfault.Trace]("trace of 2021", `{`+traceBody+`}`),
		exampleOf[memfault.Trace]("trace of a coredump", `{`+traceBody+`,"issue_id":11,"coredump":{"id":15,"symbol_file":{"id":13,"downloadable":true}}}`),
		exampleOf[memfault.Trace]("trace of a Linux process", `{"id":7,"device":`+newDevice+`,"elf_coredump":{"id":15,"symbol_file":{"id":13,"downloadable":true}}}`),
		exampleOf[memfault.Coredump]("coredump", `{"id":15,"issue_id":11}`),
		exampleOf[memfault.ELFCoredump]("coredump of a Linux process", `{"id":15,"unknown":{"a":1}}`),
		exampleOf[memfault.DeviceReport]("report", `{"id":16,"unknown":{"a":1}}`),
		exampleOf[memfault.Install]("install of 2021", `{"id":17,"status":"success","device":`+oldDevice+`,"release":`+releaseText+`,"began_at":"2024-06-19T14:52:38Z","transitioned_at":"2024-06-19T14:52:38Z",`+datesText+`}`),
		exampleOf[memfault.Install]("install", `{"id":17,"status":"new","device":`+newDevice+`,"release_to":`+releaseText+`,"release_from":`+releaseText+`,"started_at":"2024-06-19T14:52:38Z","transitioned_at":"2024-06-19T14:52:38Z",`+datesText+`}`),
		exampleOf[memfault.SoftwareType]("software type", typeText),
		exampleOf[memfault.SoftwareVersion]("software version", versionText),
		exampleOf[memfault.HardwareVersion]("hardware version", `{"name":"evt-1","count_devices":1,"primary_software_type":`+typeText+`,"software_types":[{"id":5,"name":"main"}]}`),
		exampleOf[memfault.CustomMetric]("custom metric", metricText),
		exampleOf[memfault.Alert]("alert", `{"id":18,"title":"t","description":"d","incident_start_delay_seconds":900,"notify_on_incident_start":true,"notify_on_incident_end":true,
			"notification_targets":["everyone",{"name":"everyone"}],"devices_expr":"cohort != 'bench'"}`),
		exampleOf[memfault.CustomDataRecording]("recording", `{"id":19,"reason":"r","start_time":"2024-06-19T14:52:38Z","end_time":"2024-06-19T14:52:38Z","mimetypes":["text/csv"],"size_bytes":1,"device":`+oldDevice+`}`),
		exampleOf[memfault.CustomDataRecording]("recording with a text for an id", `{"id":"x","device":"A 1"}`),
		exampleOf[memfault.DeviceConfig]("device configuration", `{"config":{"memfault":{"sampling":{"debugging.resolution":"off","logging.resolution":"low","monitoring.resolution":"high"},
			"data_upload_start_date":"2024-06-19T14:52:38Z","bort":{"sdk-settings":{"a":1}}}},"revision":1,"completed":1}`),
		exampleOf[memfault.Task]("task", `{"status":"SUCCESS"}`),
		exampleOf[memfault.Paging]("paging", `{"item_count":1,"page":1,"page_count":1,"per_page":100,"total_count":1}`),
	}
}

// TestModels_HaveExamples looks for the models that responses are decoded into.
func TestModels_HaveExamples(t *testing.T) {
	var covered []string
	for _, e := range examples() {
		covered = append(covered, e.model.Name())
	}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	decoded := regexp.MustCompile(`\b(?:list|fetch)\[([A-Z]\w+)\]\(`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range decoded.FindAllStringSubmatch(string(text), -1) {
			found++
			assert.True(t, slices.Contains(covered, match[1]), "%s: the model %s has no example in examples()", file, match[1])
		}
	}
	assert.Greater(t, found, 50)
}

func TestModels_RoundTrip(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			requireKept(t, e.text, e.reencode(t, e.text))
			for _, at := range places(t, e.text) {
				emptied := alter(t, e.text, at, func(value any) (any, bool) { return empty(at.name(), value) })
				if emptied != "" {
					requireKept(t, emptied, e.reencode(t, emptied))
				}
			}
		})
	}
}

// TestModels_RoundTripNull sets each field of each example to null. A field that Memfault is
// known to send as null must stay null, as must each list and each time. Any other field may
// become the zero value; then the other fields must be kept.
func TestModels_RoundTripNull(t *testing.T) {
	nullable := strings.Fields(`extra_info last_deployment deployer last_seen_release latest_install latest_trace
		last_seen_software_version attributes_manual_resolution debugging_manual_resolution timeseries_manual_resolution
		fleet_sampling_configuration project setup_details resolution distribution first_release last_release last_trace
		first_software_version last_software_version function file lineno arguments locals entries faults coredump elf_coredump
		symbol_file mcu_reason_register latest_software_version software_version_string_format impersonator is_forced
		user_info min max range completed release_from release_to received_event actor event_info frame_type
		frame_size bort operating_system_other compiler_other build_toolchain_other programming_languages_other debugging_toolchain_other
		connectivity_other primary_chip primary_chip_other additional_chips gms_certification assigned_config_revision reported_config_revision devices_expr`)
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			for _, at := range places(t, e.text) {
				keeps := false
				null := alter(t, e.text, at, func(value any) (any, bool) {
					_, list := value.([]any)
					keeps = list && at.name() != "release" || isTime(value) || slices.Contains(nullable, at.name())
					return nil, true
				})
				kept := null
				if !keeps {
					kept = alter(t, e.text, at, nil)
				}
				encoded := e.reencode(t, null)
				if at.name() != "" { // otherwise it is an item of a list
					requireKept(t, kept, encoded)
				}
			}
		})
	}
}

// TestModels_MissingField removes each field of each example. Memfault guarantees no field.
func TestModels_MissingField(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			for _, at := range places(t, e.text) {
				without := alter(t, e.text, at, nil)
				encoded := e.reencode(t, without)
				if at.name() != "" {
					requireKept(t, without, encoded)
				}
			}
			e.reencode(t, `{}`)
			e.reencode(t, strings.TrimSuffix(e.text, "}")+`,"added_later":{"a":[1]}}`)
		})
	}
}

// modelTypes returns the structs of the package that the examples contain.
func modelTypes(t *testing.T) []reflect.Type {
	t.Helper()
	var models []reflect.Type
	var add func(model reflect.Type)
	add = func(model reflect.Type) {
		switch model.Kind() {
		case reflect.Pointer, reflect.Slice:
			add(model.Elem())
		case reflect.Struct:
			if slices.Contains(models, model) || model.PkgPath() != reflect.TypeFor[memfault.Device]().PkgPath() {
				return
			}
			models = append(models, model)
			for field := range model.Fields() {
				add(field.Type)
			}
		}
	}
	for _, e := range examples() {
		add(e.model)
	}
	assert.Greater(t, len(models), 50)
	return models
}

// TestModels_NoFieldIsOmitted checks the struct tags: omitempty and omitzero would drop a field
// that Memfault sent as empty, null or 0.
func TestModels_NoFieldIsOmitted(t *testing.T) {
	for _, model := range modelTypes(t) {
		for field := range model.Fields() {
			assert.NotContains(t, field.Tag.Get("json"), "omit", "%s.%s", model, field.Name)
		}
	}
}

// TestModels_EachFieldIsDecoded fills each field of each model, encodes the model, and decodes
// it again. It finds the fields by reflection, so that it fails if a field is added to a model
// whose methods UnmarshalJSON and MarshalJSON name each field, and is forgotten there.
func TestModels_EachFieldIsDecoded(t *testing.T) {
	for _, model := range append(modelTypes(t), reflect.TypeFor[memfault.WebhookProject]()) {
		t.Run(model.Name(), func(t *testing.T) {
			want, filled := reflect.New(model), 0
			fill(t, want.Elem(), &filled)
			text, err := json.Marshal(want.Interface())
			require.NoError(t, err)
			for _, unmarshal := range []func([]byte, any) error{memfault.UnmarshalNew, json.Unmarshal} {
				got := reflect.New(model)
				require.NoError(t, unmarshal(text, got.Interface()), string(text))
				for field, value := range want.Elem().Fields() {
					if field.IsExported() && !value.IsZero() {
						assert.Equal(t, value.Interface(), got.Elem().FieldByIndex(field.Index).Interface(), "%s of %s", field.Name, text)
					}
				}
			}
		})
	}
}

func TestRefs_InvalidInput(t *testing.T) {
	for _, text := range []string{``, `{`, `{"id":1`, `{}x`, `{"id":01}`} {
		require.Error(t, new(memfault.CohortRef).UnmarshalJSON([]byte(text)), text)
		require.Error(t, new(memfault.HardwareVersionRef).UnmarshalJSON([]byte(text)), text)
		require.Error(t, new(memfault.FleetSamplingConfiguration).UnmarshalJSON([]byte(text)), text)
	}
}

// fill sets value and everything in it to values that are not zero, and counts them, so that
// no two numbers or texts are equal.
func fill(t *testing.T, value reflect.Value, n *int) {
	t.Helper()
	*n++
	switch value.Interface().(type) {
	case memfault.Timestamp:
		value.Set(reflect.ValueOf(memfault.Timestamp{Time: time.Unix(int64(*n), 0).UTC()}))
		return
	case json.RawMessage:
		value.SetBytes([]byte(strconv.Itoa(*n)))
		return
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString("text " + strconv.Itoa(*n))
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int, reflect.Int64:
		value.SetInt(int64(*n))
	case reflect.Uint64:
		value.SetUint(uint64(*n))
	case reflect.Float64:
		value.SetFloat(float64(*n) + 0.5)
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(t, value.Elem(), n)
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fill(t, value.Index(0), n)
	case reflect.Map:
		item := reflect.New(value.Type().Elem()).Elem()
		fill(t, item, n)
		value.Set(reflect.MakeMap(value.Type()))
		value.SetMapIndex(reflect.ValueOf("key").Convert(value.Type().Key()), item)
	case reflect.Struct:
		for field, inner := range value.Fields() {
			keepsAll := field.Tag.Get("json") == "-" || field.Name == "Raw" // the text of the whole object
			if field.IsExported() && !keepsAll {
				fill(t, inner, n)
			}
		}
	default:
		require.Fail(t, "unknown kind", "%s", value.Type())
	}
}

// place is the path of a value in a body: the names and indexes that lead to it.
type place []any

// name returns the name of the field at a place, or "" for an item of a list.
func (p place) name() string {
	name, _ := p[len(p)-1].(string)
	return name
}

// places returns the places of all values in a body, without the body itself.
func places(t testing.TB, text string) []place {
	t.Helper()
	var found []place
	var walk func(value any, at place)
	walk = func(value any, at place) {
		if len(at) > 0 {
			found = append(found, slices.Clone(at))
		}
		switch value := value.(type) {
		case map[string]any:
			for name, inner := range value {
				walk(inner, append(at, name))
			}
		case []any:
			for i, inner := range value {
				walk(inner, append(at, i))
			}
		}
	}
	var body any
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	walk(body, nil)
	return found
}

// alter returns a body in which change has replaced the value at a place, or "" if change
// declines. A nil change removes the field, or makes an item of a list null.
func alter(t testing.TB, text string, at place, change func(value any) (any, bool)) string {
	t.Helper()
	declined := false
	var walk func(value any, at place) any
	walk = func(value any, at place) any {
		if len(at) == 0 {
			if change == nil {
				return nil
			}
			changed, ok := change(value)
			declined = declined || !ok
			return changed
		}
		switch value := value.(type) {
		case map[string]any:
			name := at[0].(string)
			value[name] = walk(value[name], at[1:])
			if len(at) == 1 && change == nil {
				delete(value, name)
			}
		case []any:
			value[at[0].(int)] = walk(value[at[0].(int)], at[1:])
		}
		return value
	}
	var body any
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	body = walk(body, at)
	if declined {
		return ""
	}
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	return string(encoded)
}

// empty returns the empty value of the kind of value. It declines for a time, for which
// Memfault sends null, for a pair of versions, and for a key that may be in two places.
func empty(name string, value any) (any, bool) {
	switch value.(type) {
	case string:
		return "", !isTime(value) && name != "string_key"
	case float64:
		return 0, true
	case bool:
		return false, true
	case []any:
		return []any{}, name != "release"
	case map[string]any:
		return map[string]any{}, true
	default:
		return nil, false
	}
}

func isTime(value any) bool {
	text, ok := value.(string)
	_, err := time.Parse(time.RFC3339, text)
	return ok && err == nil
}

// requireKept fails unless encoding contains everything that body contains.
func requireKept(t testing.TB, body, encoding string) {
	t.Helper()
	var before, after any
	require.NoError(t, json.Unmarshal([]byte(body), &before))
	require.NoError(t, json.Unmarshal([]byte(encoding), &after))
	requireContains(t, "$", before, after)
}
