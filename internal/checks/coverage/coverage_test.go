package coverage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/checks/coverage"
	"github.com/memfault-go/memfault/internal/operation"
)

func load(t *testing.T) *coverage.Package {
	t.Helper()
	source, err := coverage.Load("testdata/client")
	require.NoError(t, err)
	return source
}

func TestLoad_MethodsOfOperations(t *testing.T) {
	source := load(t)
	for id, want := range map[*operation.Operation]string{
		operation.DevicesRetrieve: "Devices.Get",
		operation.DevicesUpdate:   "Cohorts.MoveDevices Devices.Update",
		operation.DevicesList:     "Devices.List",
		operation.DevicesDelete:   "",
		operation.CohortsUpdate:   "Cohorts.Update",
		operation.CohortsList:     "Cohorts.Ensure",
		operation.CohortsCreate:   "Cohorts.Ensure",

		operation.UploadPrepareBasicAuth:      "Uploads.Coredump Uploads.Symbols",
		operation.UploadPrepareProjectKey:     "Uploads.Coredump",
		operation.UploadPutFile:               "Uploads.Coredump Uploads.Symbols",
		operation.UploadCommitSymbols:         "Uploads.Symbols",
		operation.UploadCommitCoredump:        "Uploads.Coredump",
		operation.UploadCommitCoredumpProject: "Uploads.Coredump",
	} {
		t.Run(id.Name, func(t *testing.T) {
			var got []string
			for _, method := range source.MethodsOf(id) {
				got = append(got, method.String())
			}
			assert.Equal(t, want, strings.Join(got, " "))
		})
	}
}

func TestLoad_Methods(t *testing.T) {
	source := load(t)
	var names []string
	for _, method := range source.Methods {
		names = append(names, method.String())
		assert.True(t, strings.HasPrefix(method.Doc, method.Name+" "), method.Doc)
	}
	assert.Equal(t, []string{
		"Cohorts.Ensure", "Cohorts.MoveDevices", "Cohorts.Update", "Devices.Get", "Devices.List", "Devices.Unrelated", "Devices.Update",
		"Uploads.Coredump", "Uploads.Symbols",
	}, names)
	assert.Equal(t, map[string]bool{"Devices": true}, source.Examples, "an Example without an output does not count")
}

func TestPackage_Tested(t *testing.T) {
	source := load(t)
	tested := map[string]bool{}
	for _, method := range source.Methods {
		tested[method.String()] = source.Tested(method)
	}
	assert.True(t, tested["Devices.Get"])
	assert.True(t, tested["Devices.Update"])
	assert.True(t, tested["Cohorts.Ensure"], "only one service has a method of this name")
	assert.False(t, tested["Cohorts.Update"], "the service of the variable is unknown")
	assert.False(t, tested["Devices.List"])
}

func TestLoad_InvalidInput(t *testing.T) {
	_, err := coverage.Load("testdata/no-such-directory")
	require.Error(t, err)
}

func TestOperationsPage(t *testing.T) {
	page := load(t).OperationsPage()
	rows := map[string][]string{} // of each table, by its heading
	heading := ""
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "## "); ok {
			heading = text
		}
		if heading != "" && strings.HasPrefix(line, "| `") {
			rows[heading] = append(rows[heading], line)
			assert.Equal(t, 5, strings.Count(line, "|"), "four columns: %s", line)
		}
	}
	total := 0
	for _, table := range rows {
		total += len(table)
	}
	assert.Len(t, operation.All(), total)
	for name, code := range map[string]string{"OrganizationToken": "OT", "BasicAPIKey": "AK", "BasicPassword": "PW", "ProjectKey": "PK"} {
		assert.Contains(t, page, "\n| "+code+" | `"+name+"` |\n", "the legend")
	}

	const console = "OT&nbsp;AK&nbsp;PW"
	assert.Contains(t, rows["Devices"], "| `devices.update` | [`Cohorts.MoveDevices`](../client.go), [`Devices.Update`](../client.go) | "+
		"<code>PATCH {project}/<wbr>devices/<wbr>{device_serial}</code> | "+console+" |")
	assert.Contains(t, rows["Cohorts"], "| `cohorts.create` | [`Cohorts.Ensure`](../client.go) | `POST {project}/cohorts`<br>*not repeated* | "+console+" |")
	assert.Contains(t, rows["Cohorts"], "| `cohorts.move_devices` | none: its request body is unknown; `Cohorts.MoveDevices` sends `devices.update` instead | "+
		"<code>PATCH {project}/<wbr>cohorts/<wbr>{cohort_slug}/<wbr>devices</code> | "+console+" |")
	assert.Contains(t, rows["Uploads"], "| `upload.put_file` | [`Uploads.Coredump`](../client.go), [`Uploads.Symbols`](../client.go) | "+
		"`PUT {upload_url}`<br>*presigned URL* | none |")
	assert.Contains(t, page, "<code>GET {project}/<wbr>devices/<wbr>{device_serial}/<wbr>attributes</code>", "a long request can be broken")
	assert.Contains(t, page, "| `events.upload` |  | `POST /api/v0/events`<br>*not repeated, host Ingress* | PK |\n")
	assert.Contains(t, page, "| `hardware_versions.create` |  | <code>POST {project}/<wbr>hardware_versions</code><br>*not repeated, observed* | "+console+" |\n")
}

func TestMethod_CredentialsLine(t *testing.T) {
	for name, test := range map[string]struct {
		operations []*operation.Operation
		want       string
	}{
		"one operation":            {[]*operation.Operation{operation.DevicesRetrieve}, "Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword]."},
		"one credential":           {[]*operation.Operation{operation.EventsUpload}, "Credentials: [ProjectKey]."},
		"intersection":             {[]*operation.Operation{operation.TasksGetStatus, operation.AuthGetUserAPIKey}, "Credentials: [BasicAPIKey] or [BasicPassword]."},
		"presigned does not count": {[]*operation.Operation{operation.ChunksUpload, operation.UploadPutFile}, "Credentials: [ProjectKey]."},
		"alternatives of an upload": {
			[]*operation.Operation{operation.UploadPrepareProjectKey, operation.UploadPrepareBasicAuth, operation.UploadPutFile, operation.UploadCommitMAR, operation.UploadCommitMARProject},
			"Credentials: [OrganizationToken], [BasicAPIKey], [BasicPassword] or [ProjectKey].",
		},
		"commit limits an upload": {
			[]*operation.Operation{operation.UploadPrepareProjectKey, operation.UploadPrepareBasicAuth, operation.UploadCommitSymbols},
			"Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].",
		},
		"nothing in common": {[]*operation.Operation{operation.DevicesList, operation.ChunksUpload}, "Credentials: none."},
		"no operation":      {nil, "Credentials: none."},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, coverage.Method{Operations: test.operations}.CredentialsLine())
		})
	}
}

func TestCheckCode(t *testing.T) {
	block := func(code string) string { return "text\n\n```go\n" + code + "\n```\n" }
	const dir = "../../.."
	require.NoError(t, coverage.CheckCode(dir, block(`result, err := client.Devices.Get(ctx, sink, "A")`)), "an unused variable is allowed")
	require.NoError(t, coverage.CheckCode(dir, block("client, err := memfault.NewClient(nil)")+block("client, err := memfault.NewClient(nil)")))
	require.ErrorContains(t, coverage.CheckCode(dir, block("return nil")+block("client.Devices.NoSuchMethod(ctx)")), "NoSuchMethod")
	require.ErrorContains(t, coverage.CheckCode(dir, block("if err != nil { … }")), "illegal character")
	require.Error(t, coverage.CheckCode(dir, "no code"))
}
