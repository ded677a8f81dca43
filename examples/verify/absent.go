package main

import (
	"path"
	"slices"
	"strings"
)

// absence describes fields of the models that responses may lack. Every other field that no
// item has is a finding.
type absence struct {
	operations string   // pattern of package path
	fields     []string // ends of paths
	// instead is the field with the same parent that must be there. It is empty if none must.
	instead string
	reason  string
}

const (
	onlyLatest = "only observed in the latest release of a device"

	older   = "only in older responses"
	someAge = "older and newer responses have different fields"
	asDelta = "only a delta release has it"
	byClass = "it depends on the thread, the processor and the symbols"
)

var absences = []absence{
	// Devices.
	{"*", []string{"owner_ref", "last_seen_release", "latest_install", "latest_trace"}, "", older},
	{"*", []string{"cohort.count_devices", "cohort.id", "cohort.name"}, "slug", "references to a cohort are shorter in newer responses"},
	{"*", []string{"hardware_version.primary_software_type", "hardware_version.primary_software_type.id"}, "", "references to a hardware version contain little more than its name"},
	{"*", []string{"device.last_seen"}, "", "only in some responses"},
	// Cohorts, deployments and releases.
	{"cohorts.*", []string{"deployments"}, "", "only in some responses"},
	{"*", []string{"release.type", "release.from_version", "release.to_version"}, "", asDelta},
	{"deployments.*", []string{"release.id", "release.version", "release.revision"}, "from_version", "a delta release has two versions instead"},
	{"deployments.*", []string{"deployer"}, "", "an organization token deployed"},
	{"releases.[cru]*", []string{"display_name", "is_delta", "is_forced", "reason"}, "", onlyLatest},
	{"releases.list", []string{"display_name", "is_delta", "is_forced", "reason"}, "", onlyLatest},
	{"releases.latest", []string{"count_devices", "updated_date", "artifacts[].updated_date"}, "", "not observed in the latest release of a device"},
	{"*", []string{"artifacts[].file_size", "artifacts[].sha1", "artifacts[].sha256", "artifacts[].extra_info"}, "md5", onlyLatest},
	{"artifacts.*", []string{"file_size", "sha1", "sha256", "extra_info"}, "md5", onlyLatest},
	{"software*", []string{"symbol_file"}, "", "a version without symbols lacks it"},
	{"projects.*", []string{"setup_details"}, "", "observed in one program"},
	// Installs have one of two forms.
	{"installs.*", []string{"release"}, "release_to", someAge},
	{"installs.*", []string{"release_from", "release_to"}, "release", someAge},
	{"installs.*", []string{"began_at"}, "started_at", someAge},
	{"installs.*", []string{"started_at"}, "began_at", someAge},
	// Issues and traces.
	{"issues.*", []string{"counts", "distribution", "reason"}, "", someAge},
	{"issues.list", []string{"last_trace"}, "", older},
	{"issues.*", []string{"first_release"}, "first_software_version", someAge},
	{"issues.*", []string{"last_release"}, "last_software_version", someAge},
	{"issues.*", []string{"first_software_version"}, "first_release", someAge},
	{"issues.*", []string{"last_software_version"}, "last_release", someAge},
	{"issues.first_trace", []string{
		"id", "issue_id", "title", "message", "reason", "signature", "context", "source_type", "release", "device",
		"entries", "coredump", "elf_coredump", "created_date", "captured_date", "received_date",
	}, "threads", "only threads was observed"},
	{"*", []string{"issue_id"}, "", "only in newer responses"},
	{"*", []string{"coredump", "elf_coredump"}, "", "a trace has at most one of them, and none in lists"},
	{"*", []string{"coredump.symbol_file", "entries.faults"}, "", "not every trace has it"},
	{"*", []string{
		"threads[].name", "threads[].state", "stacktrace[].frame_type", "stacktrace[].frame_size", "stacktrace[].arguments", "stacktrace[].locals",
	}, "", byClass},
	{"events.*", []string{"sdk_version"}, "", "only one of two descriptions has it"},
}

// mayBeAbsent returns why all items of a response may lack a field, or "". missing contains
// the paths of all fields that they lack.
func mayBeAbsent(operation, field string, missing []string) string {
	for _, a := range absences {
		if matched, _ := path.Match(a.operations, operation); !matched { // the patterns are constant
			continue
		}
		for _, end := range a.fields {
			parent, ok := strings.CutSuffix(field, "."+end)
			if !ok {
				continue
			}
			if i := strings.LastIndex(end, "."); i >= 0 {
				parent += "." + end[:i]
			}
			if a.instead == "" || !slices.Contains(missing, parent+"."+a.instead) {
				return a.reason
			}
		}
	}
	return ""
}

// byCursor contains the lists that come with links instead of paging.
var byCursor = []string{"processing_log.list"}

// withoutPaging contains the lists that are known to come without paging.
var withoutPaging = []string{"projects.data_routes", "chronicler_logs.list"}
