package memfault_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/coverage"
	"github.com/memfault-go/memfault/internal/fakecloud"
	"github.com/memfault-go/memfault/internal/operation"
)

// source is the analysis of the package in this directory.
var source = sync.OnceValues(func() (*coverage.Package, error) { return coverage.Load(".") })

func loadSource(t *testing.T) *coverage.Package {
	t.Helper()
	loaded, err := source()
	require.NoError(t, err)
	return loaded
}

func TestOperations_Covered(t *testing.T) {
	withoutMethod := map[string]string{
		"cohorts.move_devices": "its request body is unknown; Cohorts.MoveDevices updates each device instead",
	}
	source, cloud := loadSource(t), fakecloud.New()
	for i, op := range operation.All() {
		id := operation.ID(i)
		t.Run(op.Name, func(t *testing.T) {
			assert.True(t, cloud.Serves(id), "the fake cloud has no handler")
			methods := source.MethodsOf(id)
			if reason := withoutMethod[op.Name]; reason != "" {
				assert.False(t, op.Implemented(), reason)
				assert.Empty(t, methods, reason)
				return
			}
			assert.True(t, op.Implemented(), "the row has no method and is not in the list of such rows")
			require.NotEmpty(t, methods, "no method sends the operation, and it is not in the list of such rows")
			assert.True(t, slices.ContainsFunc(methods, source.Tested), "no test calls %s", methods)
		})
	}
}

func TestMethods_DocumentTheirSource(t *testing.T) {
	source := loadSource(t)
	for _, method := range source.Methods {
		doc := strings.Join(strings.Fields(method.Doc), " ")
		assert.True(t, strings.HasPrefix(doc, method.Name+" "), "the comment of %s does not start with its name", method)
		documented, observed := strings.Contains(doc, "Memfault: https://docs.memfault.com/"), strings.Contains(doc, "ot documented by Memfault")
		assert.True(t, documented || observed, "the comment of %s does not contain its source", method)
		assert.True(t, source.Tested(method), "no test calls %s", method)
	}
	assert.Greater(t, len(source.Methods), 100)
}

// TestMethods_DocumentTheirCredentials compares the comments with the table of operations.
func TestMethods_DocumentTheirCredentials(t *testing.T) {
	for _, method := range loadSource(t).Methods {
		paragraphs := strings.Split(strings.TrimSpace(method.Doc), "\n\n")
		require.Greater(t, len(paragraphs), 2, method)
		assert.Equal(t, method.CredentialsLine(), paragraphs[len(paragraphs)-2], "the paragraph before the source in the comment of %s", method)
		assert.Equal(t, 1, strings.Count(method.Doc, "Credentials:"), "the comment of %s", method)
	}
}

func TestMethods_OperationsByCredential(t *testing.T) {
	source := loadSource(t)
	names := func(id operation.ID) (names []string) {
		for _, method := range source.MethodsOf(id) {
			names = append(names, method.String())
		}
		return names
	}
	withKey := []string{
		"Uploads.BugReport", "Uploads.Coredump", "Uploads.CustomDataRecording", "Uploads.ELFCoredump", "Uploads.MAR", "Uploads.XED",
	}
	assert.Equal(t, withKey, names(operation.UploadPrepareProjectKey))
	assert.Subset(t, names(operation.UploadPrepareBasicAuth),
		append(withKey, "Uploads.OTAPayload", "Uploads.SBOM", "Uploads.Symbols", "Uploads.SymbolsDir"))
	assert.Contains(t, names(operation.DevicesUpdate), "Cohorts.MoveDevices")
}

func TestServices_HaveExamples(t *testing.T) {
	source := loadSource(t)
	for _, method := range source.Methods {
		assert.True(t, source.Examples[method.Service], "%s has no Example with an output", method.Service)
	}
	assert.Len(t, source.Examples, 24)
}

func TestMethods_PlainMethodsAreShort(t *testing.T) {
	longer := []string{ // they do more than call an operation
		"Artifacts.Download", "Artifacts.Upload", "Chunks.Upload", "Cohorts.Ensure", "Devices.Ensure", "Cohorts.MoveDevices", "Cohorts.WaitForVersion", "Coredumps.Download",
		"Coredumps.DownloadIssue", "Deployments.Active", "Deployments.Deactivate", "Deployments.Ensure", "Deployments.SetRolloutPercent",
		"Devices.ReadLogFile", "Devices.WaitForVersion", "Devices.WatchReboots", "Events.Upload", "Issues.Watch", "MCP.CallTool", "MCP.ListTools",
		"Releases.Latest", "Releases.LatestURL", "Releases.VerifyOffer", "Tasks.Wait", "Traces.Watch", "Uploads.CustomDataRecording",
		"Uploads.MAR", "Uploads.OTAPayload", "Uploads.Symbols", "Uploads.SymbolsDir", "Uploads.SymbolsLegacy", "Uploads.XED",
	}
	for _, method := range loadSource(t).Methods {
		assert.True(t, method.Lines <= 8 || slices.Contains(longer, method.String()), "%s has %d lines", method, method.Lines)
	}
}

func TestFiles_AreShort(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		assert.LessOrEqual(t, strings.Count(string(text), "\n"), 250, path)
		return err
	})
	require.NoError(t, err)
}

func TestOperationsPage_IsCurrent(t *testing.T) {
	current, err := os.ReadFile("docs/operations.md")
	require.NoError(t, err)
	assert.Equal(t, loadSource(t).OperationsPage(), string(current), "run go generate")
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.Contains(t, string(readme), "(docs/operations.md)", "the README does not link to the table")
}

func TestReadme_CodeCompiles(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	require.NoError(t, coverage.CheckCode(".", string(readme)))
}
