package operation_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/operation"
)

// facts are the operations of the API, written down a second time from what is known of the
// API. The client and the fake cloud both use the table, so neither would notice a mistake in
// it. Do not print the table to change this text; read the sources again.
//
// The columns are the name, the method, the host, the path, the credentials, the status codes
// of success, the form of the response body, whether a request may be sent again after it may
// have reached Memfault, and the source.
//
//   - {P} is a project; {} is any other segment that varies.
//   - a|b is one of the hosts that the sources name.
//   - console is a password, a user API key or an organization token; user is the first two.
//   - A question mark marks a credential that the sources leave open: the table may have it.
//   - 2xx is a success whose status no source states.
//   - object and list are in the field data; bare is an object without an envelope; none means no
//     body, or one without content of interest.
//   - A change that renames what its path names is sent once, although its line contains
//     again: the method decides that.
const facts = `
auth.me                                     GET    api         /auth/me                                                          user,organization?          200     bare   again documented
auth.get_user_api_key                       GET    api         /auth/api_key                                                     user,organization?          200     object again documented
auth.generate_user_api_key                  POST   api         /auth/api_key                                                     password,key?,organization? 200     object once  documented
auth.reset_user_api_key                     DELETE api         /auth/api_key                                                     user,organization?          204     none   again documented

organizations.list                          GET    api         /api/v0/organizations                                             console                     200     list   again documented
organizations.retrieve                      GET    api         /api/v0/organizations/{}                                          console                     200     object again documented

projects.create                             POST   api         /api/v0/organizations/{}/projects                                 user,organization?          200     object once  documented
projects.list                               GET    api         /api/v0/organizations/{}/projects                                 console                     200     list   again documented
projects.retrieve                           GET    api         {P}                                                               console                     200     object again documented
projects.update                             PATCH  api         {P}                                                               user,organization?          200     object again documented
projects.delete                             DELETE api         {P}                                                               user,organization?          204     none   again documented
projects.get_client_key                     GET    api         {P}/api_key                                                       console                     200     object again documented
projects.refresh_client_key                 POST   api         {P}/api_key                                                       console                     200     object once  documented
projects.data_routes                        GET    api         {P}/data-routes                                                   console                     200     list   again observed

artifacts.upload_for_release                POST   api         {P}/releases/{}/artifacts                                         console                     202     none   once  documented
artifacts.list_for_release                  GET    api         {P}/releases/{}/artifacts                                         console                     200     list   again documented
release_artifacts.create                    POST   api         {P}/release-artifacts                                             console                     202     none   once  documented
releases.create                             POST   api         {P}/releases                                                      console                     200     object once  documented
releases.list                               GET    api         {P}/releases                                                      console                     200     list   again documented
releases.retrieve                           GET    api         {P}/releases/{}                                                   console                     200     object again documented
releases.update                             PATCH  api         {P}/releases/{}                                                   console                     200     object again documented
releases.delete                             DELETE api         {P}/releases/{}                                                   console                     204     none   again documented
releases.latest                             GET    device      /api/v0/releases/latest                                           project                     200,204 bare   again documented
releases.latest_url                         GET    device      /api/v0/releases/latest/url                                       project                     200,204 text   again documented
delta_releases.list                         GET    api         {P}/delta-releases                                                console                     200     list   again observed

cohorts.create                              POST   api         {P}/cohorts                                                       console                     200     object once  documented
cohorts.list                                GET    api         {P}/cohorts                                                       console                     200     list   again documented
cohorts.retrieve                            GET    api         {P}/cohorts/{}                                                    console                     200     object again documented
cohorts.update                              PATCH  api         {P}/cohorts/{}                                                    console                     200     object again documented
cohorts.delete                              DELETE api         {P}/cohorts/{}                                                    console                     204     none   again documented
cohorts.list_devices                        GET    api         {P}/cohorts/{}/devices                                            console                     200     list   again documented
cohorts.move_devices                        PATCH  api         {P}/cohorts/{}/devices                                            console                     202,204 none   again documented

deployments.create                          POST   api         {P}/deployments                                                   console                     200     object once  documented
deployments.list                            GET    api         {P}/deployments                                                   console                     200     list   again documented
deployments.retrieve                        GET    api         {P}/deployments/{}                                                console                     200     object again documented
deployments.update                          PATCH  api         {P}/deployments/{}                                                console                     200     object again documented
deployments.deactivate                      DELETE api         {P}/deployments/{}                                                console                     2xx     none   again observed

devices.create                              POST   api         {P}/devices                                                       console                     200,202 object once  documented
devices.list                                GET    api         {P}/devices                                                       console                     200     list   again documented
devices.retrieve                            GET    api         {P}/devices/{}                                                    console                     200     object again documented
devices.update                              PATCH  api         {P}/devices/{}                                                    console                     200,202 object again documented
devices.delete                              DELETE api         {P}/devices/{}                                                    console                     204     none   again documented
device_attributes.list                      GET    api         {P}/devices/{}/attributes                                         console                     200     list   again documented
device_attributes.update                    PATCH  api         {P}/devices/{}/attributes                                         console                     204     none   again observed
device_attributes.update_project_key        PATCH  device      /api/v0/attributes                                                project                     2xx     none   again documented
device_reboots.list                         GET    api         {P}/devices/{}/reboots                                            console                     200     list   again observed
device_log_files.list                       GET    api         {P}/devices/{}/log-files                                          console                     200     list   again observed
device_log_files.download                   GET    api         {P}/devices/{}/log-files/{}/download                              console                     200     file   again observed
device_custom_data_recordings.list          GET    api         {P}/devices/{}/custom-data-recordings                             console                     200     list   again observed
custom_data_recordings.list                 GET    api         {P}/custom-data-recordings                                        console                     200     list   again observed
custom_data_recordings.download             GET    api         {P}/custom-data-recording/{}/download                             console                     200     file   again observed
device_config.fetch                         POST   device      /api/v0/device-config                                             project                     200     object again observed
sdk_settings.get                            GET    device      /api/v0/sdk-settings                                              project                     200     object again observed

events.upload                               POST   ingress     /api/v0/events                                                    project                     202     none   once  documented
events.list                                 GET    api         {P}/events                                                        console                     200     list   again documented
events.retrieve                             GET    api         {P}/events/{}                                                     console                     200     object again documented
event_log.list                              GET    api         {P}/event-log                                                     console                     200     list   again observed
chronicler_logs.list                        GET    api         {P}/chronicler-logs                                               console                     200     list   again observed

issues.list                                 GET    api         {P}/issues                                                        console                     200     list   again documented
issues.retrieve                             GET    api         {P}/issues/{}                                                     console                     200     object again documented
issues.update                               PATCH  api         {P}/issues/{}                                                     console                     200     object again documented
issues.delete                               DELETE api         {P}/issues/{}                                                     console                     204     none   again documented
issues.first_trace                          GET    api         {P}/issues/{}/first-trace                                         console                     200     object again observed
traces.list                                 GET    api         {P}/traces                                                        console                     200     list   again observed
traces.retrieve                             GET    api         {P}/traces/{}                                                     console                     200     object again documented
coredumps.list                              GET    api         {P}/coredumps                                                     console                     200     list   again observed
coredumps.download                          GET    api         {P}/coredumps/{}/download                                         console                     200     file   again observed
symbols.download                            GET    api         {P}/symbols/{}/download                                           console                     200     file   again observed
elf_coredumps.list                          GET    api         {P}/elf_coredumps                                                 console                     200     list   again observed
reports.list                                GET    api         {P}/reports                                                       console                     200     list   again observed

custom_metrics.create                       POST   api         {P}/custom-metrics                                                console                     200     object once  observed
installs.list                               GET    api         {P}/installs                                                      console                     200     list   again documented
installs.retrieve                           GET    api         {P}/installs/{}                                                   console                     200     object again documented
installs.delete                             DELETE api         {P}/installs/{}                                                   console                     204     none   again documented
software_types.list                         GET    api         {P}/software_types                                                console                     200     list   again observed
software_types.create                       POST   api         {P}/software_types                                                console                     200     object once  documented
software_versions.list                      GET    api         {P}/software_types/{}/software_versions                           console                     200     list   again documented
software_versions.create                    POST   api         {P}/software_types/{}/software_versions                           console                     200     object once  documented
software_versions.retrieve                  GET    api         {P}/software_types/{}/software_versions/{}                        console                     200     object again documented
software_versions.upload_symbols_legacy     POST   files       {P}/software_types/{}/software_versions/{}/artifacts/symbols      user,organization?          2xx     none   once  observed
hardware_versions.create                    POST   api         {P}/hardware_versions                                             console                     200     object once  observed
alerts.update                               PATCH  api         {P}/alerts/{}                                                     console                     200     object again observed

chunks.upload                               POST   chunks      /api/v0/chunks/{}                                                 project                     202     none   again documented
upload.prepare_project_key                  POST   files       /api/v0/upload                                                    project                     200     object again documented
upload.prepare_basic_auth                   POST   files       {P}/upload                                                        console                     200     object again documented
upload.put_file                             PUT    presigned   {}                                                                -                           200     none   again documented
upload.commit_coredump                      POST   files       /api/v0/upload/coredump                                           project                     202     none   once  documented
upload.coredump_raw_legacy                  POST   ingress     /api/v0/upload/coredump                                           project                     202     none   once  documented
upload.commit_bugreport                     POST   files       /api/v0/upload/bugreport                                          project                     202     none   once  documented
upload.commit_mar                           POST   files       /api/v0/upload/mar                                                project                     202     none   once  documented
upload.commit_custom_data_recording         POST   files       /api/v0/upload/custom-data-recording                              project                     202     none   once  documented
upload.commit_elf_coredump                  POST   files       /api/v0/upload/elf_coredump                                       project                     2xx     none   once  observed
upload.commit_xed                           POST   files       /api/v0/upload/qc/x                                               project                     2xx     none   once  observed
upload.trace_import                         POST   api|ingress /api/v0/upload/trace-import                                       project                     202     none   once  documented
upload.commit_coredump_project              POST   files       {P}/coredumps                                                     console                     2xx     none   once  observed
upload.commit_bugreport_project             POST   files       {P}/bugreports                                                    console                     2xx     none   once  observed
upload.commit_mar_project                   POST   files       {P}/mar                                                           console                     2xx     none   once  observed
upload.commit_custom_data_recording_project POST   files       {P}/custom-data-recording                                         console                     2xx     none   once  observed
upload.commit_elf_coredump_project          POST   files       {P}/elf_coredumps                                                 console                     2xx     none   once  observed
upload.commit_xed_project                   POST   files       {P}/qc/x                                                          console                     2xx     none   once  observed
upload.commit_symbols                       POST   files       {P}/symbols                                                       console                     200,202 none   once  documented
symbols.exists_by_gnu_build_id              HEAD   files       {P}/symbols-by-gnu-build-id/{}                                    console                     2xx     none   again observed
upload.commit_ota_payload                   POST   files       {P}/releases/ota_payload                                          console                     200,202 none   once  observed
upload.commit_sbom                          POST   files       {P}/sboms                                                         console                     2xx     none   once  observed

tasks.get_status                            GET    api         /api/v0/queue/{}                                                  console,project?            200     bare   again documented
processing_log.list                         GET    api         {P}/processing-log                                                console                     200     list   again documented
mcp.call                                    POST   api         {P}/mcp                                                           console                     200     bare   once  observed
`

// fact is a line of facts.
type fact struct {
	name, method, host, path, credentials, success, reply, retry, source string
}

func readFacts(t *testing.T) []fact {
	t.Helper()
	var all []fact
	for line := range strings.Lines(facts) {
		columns := strings.Fields(line)
		if len(columns) == 0 {
			continue
		}
		require.Len(t, columns, 9, line)
		path := strings.Replace(columns[3], "{P}", "/api/v0/organizations/{}/projects/{}", 1)
		all = append(all, fact{
			columns[0], columns[1], columns[2], path, columns[4], columns[5], columns[6], columns[7], columns[8],
		})
	}
	return all
}

func TestTable_AgreesWithFacts(t *testing.T) {
	rows, known := map[string]*operation.Operation{}, map[string]bool{}
	for _, row := range operation.All() {
		rows[row.Name] = row
	}
	for _, fact := range readFacts(t) {
		assert.False(t, known[fact.name], "duplicate fact %s", fact.name)
		known[fact.name] = true
		t.Run(fact.name, func(t *testing.T) {
			row, ok := rows[fact.name]
			require.True(t, ok, "the table lacks the row")
			assert.Equal(t, fact.method, row.Method)
			assert.Contains(t, strings.Split(fact.host, "|"), hostWord(row.Host))
			assert.Equal(t, fact.path, withoutNames(row.Path))
			assertCredentials(t, fact.credentials, row.Credentials)
			assertSuccess(t, fact.success, row.Success)
			assert.Equal(t, fact.reply, replyWord(row.Reply))
			assert.Equal(t, fact.retry, map[bool]string{true: "again", false: "once"}[row.Idempotent()])
			assert.Equal(t, fact.source, row.Source())
		})
	}
	for name := range rows {
		assert.True(t, known[name], "no fact about the row %s", name)
	}
}

func hostWord(host operation.Host) string {
	return map[operation.Host]string{
		operation.API: "api", operation.Chunks: "chunks", operation.Ingress: "ingress",
		operation.Files: "files", operation.Device: "device", operation.NRFCloud: "nrfcloud", operation.Presigned: "presigned",
	}[host]
}

func replyWord(reply operation.Reply) string {
	return map[operation.Reply]string{
		operation.Data: "object", operation.List: "list", operation.Bare: "bare",
		operation.Text: "text", operation.Empty: "none", operation.Stream: "file",
	}[reply]
}

// withoutNames removes the names of the placeholders, which are the package's own.
func withoutNames(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

func assertCredentials(t *testing.T, words string, got operation.Credential) {
	t.Helper()
	sets := map[string]operation.Credential{
		"console": operation.Password | operation.APIKey | operation.OrganizationToken, "user": operation.Password | operation.APIKey,
		"password": operation.Password, "key": operation.APIKey, "organization": operation.OrganizationToken,
		"project": operation.ProjectKey, "-": 0,
	}
	var required, possible operation.Credential
	for word := range strings.SplitSeq(words, ",") {
		name, open := strings.CutSuffix(word, "?")
		require.Contains(t, sets, name)
		possible |= sets[name]
		if !open {
			required |= sets[name]
		}
	}
	assert.True(t, got.Has(required), "the table has %v, and must have %v", got, required)
	assert.True(t, possible.Has(got), "the table has %v, and may have %v", got, possible)
}

func assertSuccess(t *testing.T, codes string, got []int) {
	t.Helper()
	if codes == "2xx" { // TestTable_Consistency checks that all codes are of this class
		return
	}
	var texts []string
	for _, status := range slices.Sorted(slices.Values(got)) {
		texts = append(texts, strconv.Itoa(status))
	}
	assert.Equal(t, codes, strings.Join(texts, ","), "success")
}
