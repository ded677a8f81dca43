package fakecloud_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

const flatTraits = `"device_serial":"S1","hardware_version":"dvt-1","software_version":"1.0.0","software_type":"app"`

// requireDevice fails unless the device S1 exists, was seen, and has this version and hardware
// version.
func (x *tester) requireDevice(version, hardware string) {
	x.Helper()
	d := x.ok(x.get("/devices/S1"))
	assert.NotNil(x, d.at("data.last_seen"))
	assert.NotNil(x, d.at("data.first_seen"))
	if hardware == "" {
		assert.Nil(x, d.at("data.hardware_version"))
	} else {
		assert.Equal(x, hardware, d.at("data.hardware_version.name"))
	}
	if version == "" {
		assert.Nil(x, d.at("data.last_seen_software_version"))
		return
	}
	assert.Equal(x, version, d.at("data.last_seen_software_version.version"))
}

func TestData_CreatesDevice(t *testing.T) {
	const device = `"device":{` + flatTraits + `}`
	for name, c := range map[string]struct {
		send    func(x *tester) answer
		version string
	}{
		"event": {func(x *tester) answer {
			return x.keyed("POST", "/api/v0/events", `[{"type":"heartbeat","sdk_version":"0.5.0","event_info":{"metrics":{"n":1}},`+flatTraits+`}]`)
		}, "1.0.0"},
		"MAR":          {func(x *tester) answer { return x.upload("/mar", "PK", flatTraits) }, "1.0.0"},
		"ELF coredump": {func(x *tester) answer { return x.upload("/elf_coredumps", "ELF", device) }, "1.0.0"},
		"recording": {func(x *tester) answer {
			return x.upload("/custom-data-recording", "csv", device+`,"duration_secs":60,"mimetypes":["text/csv"]`)
		}, "1.0.0"},
		"trace import": {func(x *tester) answer { return x.keyed("POST", "/api/v0/upload/trace-import", `{`+flatTraits+`}`) }, "1.0.0"},
		"XED": {func(x *tester) answer {
			return x.upload("/qc/x", "x", `"device_serial":"S1","hardware_version":"dvt-1","trace_attributes":[]`)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTester(t)
			x.ok(c.send(x))
			x.requireDevice(c.version, "dvt-1")
		})
	}
}

func TestChunk_CreatesDevice(t *testing.T) {
	x := newTester(t)
	at := time.Date(2025, 2, 27, 0, 0, 0, 0, time.UTC)
	x.cloud.SetClock(func() time.Time { return at })
	x.ok(x.chunk("S1", "a chunk"))
	x.requireDevice("", "")
	at = at.Add(time.Hour)
	x.ok(x.chunk("S1", "a chunk"))
	d := x.get("/devices/S1")
	assert.Equal(t, "2025-02-27T01:00:00+00:00", d.at("data.last_seen"))
	assert.Equal(t, "2025-02-27T00:00:00+00:00", d.at("data.first_seen"))

	event := func(hardware, version string) {
		x.ok(x.keyed("POST", "/api/v0/events", `[{"type":"heartbeat","sdk_version":"0.5.0","device_serial":"S1","hardware_version":"`+hardware+
			`","software_type":"main","software_version":"`+version+`"}]`))
	}
	event("dvt-1", "1.0.0")
	x.requireDevice("1.0.0", "dvt-1")
	event("dvt-2", "1.1.0")
	x.requireDevice("1.1.0", "dvt-1") // the first hardware version that is reported remains
	assert.Equal(t, "1.1.0", x.ok(x.get("/releases/1.1.0")).at("data.version"))
	assert.Equal(t, 200, x.get("/software_types/main/software_versions/1.0.0").status)

	x.ok(x.upload("/elf_coredumps", "ELF", `"device":{"device_serial":"S1","hardware_version":"dvt-1","software_version":"0.9.0","software_type":"main"}`))
	x.requireDevice("1.1.0", "dvt-1") // an old coredump does not lower the version
}

func TestCoredump_BecomesTraceAndIssue(t *testing.T) {
	x := newTester(t)
	x.ok(x.upload("/coredumps", "CORE1", `"device_serial":"S1"`))
	x.requireDevice("", "")
	raw := x.ok(x.do("POST", "/api/v0/upload/coredump", "CORE2", keyHeader, fakecloud.ProjectKey, "Content-Type", "application/octet-stream"))
	x.ok(x.get("/devices/UNKNOWN"))
	_, task, _ := strings.Cut(raw.header.Get("Location"), "example.com")
	assert.Equal(t, "SUCCESS", x.ok(x.do("GET", task, "", "Authorization", "Bearer "+fakecloud.OrgToken)).at("status"))

	issues := x.get("/issues")
	require.InDelta(t, 1, issues.at("paging.total_count"), 0)
	assert.Equal(t, "open", issues.at("data.0.status"))
	assert.InDelta(t, 2, issues.at("data.0.trace_count"), 0)
	traces := x.get("/traces")
	require.InDelta(t, 2, traces.at("paging.total_count"), 0)
	assert.Equal(t, "coredump", traces.at("data.0.source_type"))
	dumps := x.get("/coredumps")
	contents := []string{}
	for _, i := range []string{"0", "1"} {
		id := text(dumps.at("data." + i + ".id"))
		contents = append(contents, x.ok(x.get("/coredumps/"+id+"/download")).text)
		assert.Empty(t, x.ok(x.get("/coredumps/"+id+"/download?format=elf")).text, "it is never converted")
	}
	assert.ElementsMatch(t, []string{"CORE1", "CORE2"}, contents)

	x.ok(x.upload("/elf_coredumps", "ELF", `"device":{`+strings.ReplaceAll(flatTraits, "S1", "S3")+`}`))
	assert.InDelta(t, 2, x.get("/issues").at("paging.total_count"), 0)
	assert.InDelta(t, 0, x.get("/elf_coredumps?device=S1").at("paging.total_count"), 0)
	elf := x.get("/elf_coredumps?device=S3")
	require.InDelta(t, 1, elf.at("paging.total_count"), 0)
	assert.Equal(t, "ELF", x.ok(x.get("/coredumps/"+text(elf.at("data.0.id"))+"/download?format=elf")).text)
}

func TestTraceImport_BecomesTraceAndIssue(t *testing.T) {
	x := newTester(t)
	send := func(reason, function string) {
		x.ok(x.keyed("POST", "/api/v0/upload/trace-import", `{"reason":"`+reason+`","captured_date":"2025-02-27T01:00:00+01:00","device":{`+flatTraits+`},
			"processes":[{"name":"app","threads":[{"name":"idle","stacktrace":[{"function":"wait"}]},
			{"name":"main","crashed":true,"stacktrace":[{"function":"`+function+`","file":"a.c","lineno":7}]}]}]}`))
	}
	send("Assert", "run")
	send("Assert", "run")
	send("Assert", "stop")
	issues := x.get("/issues?sort=-trace_count")
	require.InDelta(t, 2, issues.at("paging.total_count"), 0)
	assert.Equal(t, "Assert at run", issues.at("data.0.title"))
	assert.InDelta(t, 2, issues.at("data.0.trace_count"), 0)
	traces := x.get("/traces?issue=" + text(issues.at("data.0.id")))
	assert.Equal(t, "2025-02-27T00:00:00+00:00", traces.at("data.0.captured_date"))
	assert.Equal(t, "run", traces.at("data.0.entries.threads.1.stacktrace.0.function"))
	assert.Equal(t, issues.at("data.0.signature"), traces.at("data.0.signature"))

	path := "/issues/" + text(issues.at("data.0.id"))
	x.ok(x.console("PATCH", path, `{"status":"resolved"}`))
	send("Assert", "run")
	assert.Equal(t, "open", x.get(path).at("data.status"))
}

func TestRecording_IsListedAndDownloaded(t *testing.T) {
	x := newTester(t)
	x.ok(x.upload("/custom-data-recording", "a,b", `"device":{`+flatTraits+`},"start_time":"2025-02-27T00:00:00Z","duration_secs":60,"mimetypes":["text/csv"],"reason":"button"`))
	for _, path := range []string{"/custom-data-recordings", "/devices/S1/custom-data-recordings"} {
		recordings := x.get(path)
		assert.Equal(t, "2025-02-27T00:01:00+00:00", recordings.at("data.0.end_time"))
		assert.Equal(t, "button", recordings.at("data.0.reason"))
		assert.Equal(t, []any{"text/csv"}, recordings.at("data.0.mimetypes"))
		assert.InDelta(t, 3, recordings.at("data.0.size_bytes"), 0)
		assert.Equal(t, "a,b", x.ok(x.get("/custom-data-recording/"+text(recordings.at("data.0.id"))+"/download")).text)
	}
}

func TestAcceptedData_TaskSucceeds(t *testing.T) {
	x := newTester(t)
	event := x.keyed("POST", "/api/v0/events", `[{"type":"heartbeat","sdk_version":"0.5.0",`+flatTraits+`}]`)
	x.ok(x.console("POST", "/releases", `{"version":"2.0.0"}`))
	const form = "--b\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nfirmware\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"hardware_version\"\r\n\r\nevt-1\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"filename\"\r\n\r\na.bin\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\ncontent\r\n--b--\r\n"
	artifact := x.do("POST", root+"/releases/2.0.0/artifacts", form, "Authorization", "Bearer "+fakecloud.OrgToken, "Content-Type", "multipart/form-data; boundary=b")
	for _, a := range []answer{event, artifact} {
		require.Equal(t, 202, a.status, a.text)
		_, task, ok := strings.Cut(a.header.Get("Location"), "example.com")
		require.True(t, ok)
		assert.Equal(t, "SUCCESS", x.ok(x.do("GET", task, "", "Authorization", "Bearer "+fakecloud.OrgToken)).at("status"))
	}
}
