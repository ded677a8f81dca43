package fakecloud_test

import (
	"crypto/md5"
	"encoding/binary"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/fakecloud"
	"github.com/memfault-go/memfault/internal/fakecloud/elffile"
)

func payload(version, hardware, more string) string {
	return `"hardware_version":"` + hardware + `","software_version":{"version":` + version + `,"software_type":"app"` + more
}

func TestOTAPayload_ExtraInfoBelongsToArtifact(t *testing.T) {
	x := newTester(t)
	x.ok(x.upload("/releases/ota_payload", "a", payload(`"2.0.0"`, "evt-1", `},"must_pass_through":false,"notes":"","extra_info":{"k":"v"}`)))
	x.ok(x.upload("/releases/ota_payload", "b", payload(`"2.0.0"`, "dvt-1", `},"must_pass_through":false,"notes":""`)))
	rel := x.get("/releases/2.0.0")
	assert.Nil(t, rel.at("data.extra_info"))
	assert.Equal(t, map[string]any{"k": "v"}, rel.at("data.artifacts.0.extra_info"))
	assert.Nil(t, rel.at("data.artifacts.1.extra_info"))
	x.cloud.AddDeployments(fakecloud.Deployment{Release: "2.0.0"})
	latest := x.ok(x.keyed("GET", "/api/v0/releases/latest?device_serial=A&hardware_version=evt-1&software_type=app", ""))
	assert.Equal(t, map[string]any{"k": "v"}, latest.at("artifacts.0.extra_info"))
	assert.InDelta(t, 1, latest.at("artifacts.0.file_size"), 0)
}

func TestOTAPayload_SecondBoardKeepsDescription(t *testing.T) {
	x := newTester(t)
	x.ok(x.upload("/releases/ota_payload", "a", payload(`"2.0.0"`, "evt-1", `,"revision":"abc"},"must_pass_through":true,"notes":"first"`)))
	x.ok(x.upload("/releases/ota_payload", "b", payload(`"2.0.0"`, "dvt-1", `},"must_pass_through":false,"notes":""`)))
	x.ok(x.upload("/releases/ota_payload", "c", payload(`"2.0.0"`, "dvt-2", `,"revision":"def"},"must_pass_through":false,"notes":"third"`)))
	rel := x.get("/releases/2.0.0")
	assert.Equal(t, []any{"first", "abc", true}, []any{rel.at("data.notes"), rel.at("data.revision"), rel.at("data.must_pass_through")})

	x.ok(x.console("POST", "/releases", `{"version":"3.0.0","notes":"created"}`))
	x.ok(x.upload("/releases/ota_payload", "d", payload(`"3.0.0"`, "evt-1", `,"revision":"abc"},"must_pass_through":true,"notes":""`)))
	rel = x.get("/releases/3.0.0")
	assert.Equal(t, []any{"created", "abc", true}, []any{rel.at("data.notes"), rel.at("data.revision"), rel.at("data.must_pass_through")})
}

func TestOTAPayload_DeltaOfTwoBoards(t *testing.T) {
	x := newTester(t)
	for i, board := range []string{"evt-1", "dvt-1"} {
		x.ok(x.upload("/releases/ota_payload", string(rune('a'+i)), payload(`["1.0.0","2.0.0"]`, board, `},"must_pass_through":false,"notes":""`)))
	}
	assert.InDelta(t, 1, x.get("/delta-releases").at("paging.total_count"), 0)
	x.cloud.AddDeployments(fakecloud.Deployment{Release: "2.0.0", DeltaFrom: "1.0.0"})
	for _, board := range []string{"evt-1", "dvt-1"} {
		assert.Equal(t, "delta to 2.0.0", x.offered("A", "1.0.0", "hardware_version", board, "software_type", "app"))
	}
}

func TestHardwareVersion_PrimaryTypeFromFirstData(t *testing.T) {
	x := newTester(t)
	x.ok(x.upload("/releases/ota_payload", "a", payload(`"2.0.0"`, "dvt-1", `},"must_pass_through":false,"notes":""`)))
	assert.Equal(t, "app", x.get("/releases/2.0.0").at("data.artifacts.0.hardware_version.primary_software_type.name"))
	x.ok(x.upload("/mar", "PK", `"device_serial":"S1","hardware_version":"dvt-2","software_version":"1.0.0","software_type":"linux"`))
	x.cloud.AddSoftwareVersions(fakecloud.SoftwareVersion{SoftwareType: "modem", Version: "3.0.0"})
	x.cloud.AddRelease(fakecloud.Release{Version: "3.0.0", SoftwareType: "modem", Artifacts: []fakecloud.Artifact{{HardwareVersion: "dvt-2"}}})
	assert.Equal(t, "linux", x.get("/releases/3.0.0").at("data.artifacts.0.hardware_version.primary_software_type.name"))
}

func TestSymbols_KeepRevisionAndBuildIDPerProject(t *testing.T) {
	x := newTester(t)
	x.ok(x.upload("/symbols", "ELF", `"software_version":{"version":"1.0.0","software_type":"app","revision":"abc"}`))
	version := x.ok(x.get("/software_types/app/software_versions/1.0.0"))
	assert.Equal(t, "abc", version.at("data.revision"))
	assert.Equal(t, "ELF", x.ok(x.get("/symbols/"+text(version.at("data.symbol_file.id"))+"/download")).text)

	file := elffile.File{Order: binary.BigEndian, Sections: []elffile.Section{elffile.BuildID(binary.BigEndian, []byte{0xde, 0xad, 0xbe, 0xef})}}
	x.ok(x.upload("/symbols", string(file.Bytes()), ""))
	assert.Equal(t, 200, x.console("HEAD", "/symbols-by-gnu-build-id/deadbeef", "").status)
	token := x.cloud.AddOrganization("other")
	other := x.do("HEAD", "/api/v0/organizations/other/projects/other/symbols-by-gnu-build-id/deadbeef", "", "Authorization", "Bearer "+token)
	assert.Equal(t, 404, other.status, "of another project")
}

func TestCommit_400CarriesType(t *testing.T) {
	x := newTester(t)
	x.cloud.SetMaxUpload(3)
	big := x.upload("/bugreports", "content", "")
	assert.Contains(t, big.at("error.message"), "Uploaded file is too big")
	assert.NotContains(t, big.at("error"), "code", "it is unknown")
	for name, a := range map[string]answer{
		"too big":       big,
		"unknown token": x.console("POST", "/bugreports", `{"file":{"token":"x"}}`),
		"unknown field": x.upload("/bugreports", "a", `"x":1`),
		"no JSON":       x.console("POST", "/bugreports", `x`),
		"not a coredump": x.do("POST", "/api/v0/upload/coredump", "x", keyHeader, fakecloud.ProjectKey,
			"Content-Type", "application/octet-stream"),
	} {
		assert.Equal(t, 400, a.status, name)
		assert.NotEmpty(t, a.at("error.type"), name)
	}
}

func TestOTAPayload_LargeFileIsServedWhole(t *testing.T) {
	x := newTester(t)
	payload := strings.Repeat("0123456789abcdef", 5<<20/16)
	x.ok(x.upload("/releases/ota_payload", payload, `"software_version":{"version":"2.0.0","software_type":"main"},"hardware_version":"evt-1","must_pass_through":false,"notes":""`))
	artifact := x.ok(x.get("/releases/2.0.0")).at("data.artifacts.0")
	fields, ok := artifact.(map[string]any)
	require.True(t, ok)
	address, err := url.Parse(fields["url"].(string))
	require.NoError(t, err)
	file := x.do("GET", address.Path, "")
	sent, received := md5.Sum([]byte(payload)), md5.Sum([]byte(file.text))
	assert.Equal(t, sent, received)
}

func TestAcceptEqualFiles(t *testing.T) {
	x := newTester(t)
	upload := func(version, board string) int {
		return x.upload("/releases/ota_payload", "a", payload(`"`+version+`"`, board, `},"must_pass_through":false,"notes":""`)).status
	}
	require.Equal(t, 200, upload("2.0.0", "evt-1"))
	assert.Equal(t, 409, upload("2.0.0", "dvt-1"), "another board")
	x.cloud.AcceptEqualFiles()
	assert.Equal(t, 200, upload("2.0.0", "dvt-1"), "another board")
	assert.Equal(t, 200, upload("2.1.0", "evt-1"), "another version")
	assert.Equal(t, 409, upload("2.0.0", "evt-1"), "the same file")
}
