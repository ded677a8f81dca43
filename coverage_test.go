package memfault_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/coverage"
	"github.com/memfault-go/memfault/internal/fakecloud"
	"github.com/memfault-go/memfault/internal/operation"
)

func loadSource(t *testing.T) *coverage.Package {
	t.Helper()
	source, err := coverage.Load(".")
	require.NoError(t, err)
	return source
}

func TestEveryOperationIsCovered(t *testing.T) {
	source, cloud := loadSource(t), fakecloud.New()
	for i, op := range operation.All() {
		t.Run(op.Name, func(t *testing.T) {
			assert.True(t, op.Implemented(), "the row is planned")
			assert.True(t, cloud.Serves(operation.ID(i)), "the fake cloud has no handler")
			methods := source.MethodsOf(op)
			require.NotEmpty(t, methods, "no method calls it")
			tested := false
			for _, method := range methods {
				tested = tested || source.Tested(method)
			}
			assert.True(t, tested, "no test calls %s", methods)
		})
	}
}

func TestEveryMethodSaysWhereItIsKnownFrom(t *testing.T) {
	source := loadSource(t)
	seen := 0
	for _, methods := range source.Methods {
		for _, method := range methods {
			seen++
			doc := strings.Join(strings.Fields(method.Doc), " ")
			assert.True(t, strings.HasPrefix(doc, method.Name+" "), "%s: the comment begins with another name", method)
			documented, observed := strings.Contains(doc, "Memfault: https://docs.memfault.com/"), strings.Contains(doc, "ot documented by Memfault")
			assert.True(t, documented || observed, "%s does not say where it is known from", method)
			assert.True(t, source.Tested(method), "no test calls %s", method)
		}
	}
	assert.Greater(t, seen, 100)
}

func TestEveryServiceHasAnExample(t *testing.T) {
	source := loadSource(t)
	for _, methods := range source.Methods {
		for _, method := range methods {
			assert.True(t, source.Examples[method.Service], "%s has no Example with an output", method.Service)
		}
	}
	assert.Len(t, source.Examples, 22)
}

func TestPlainMethodsStayShort(t *testing.T) {
	longer := []string{ // because they do more than to call an operation
		"Artifacts.Download", "Artifacts.Upload", "Cohorts.Ensure", "Coredumps.Download", "Deployments.Deactivate", "Devices.ReadLogFile",
		"Devices.WaitForVersion", "Events.Upload", "Releases.Latest", "Releases.LatestURL", "Tasks.Wait", "Uploads.CustomDataRecording",
		"Uploads.MAR", "Uploads.OTAPayload", "Uploads.SymbolsDir", "Uploads.UploadSymbolsIfMissing",
	}
	for _, methods := range loadSource(t).Methods {
		for _, method := range methods {
			assert.True(t, method.Lines <= 8 || slices.Contains(longer, method.String()), "%s has %d lines", method, method.Lines)
		}
	}
}

func TestFilesStayShort(t *testing.T) {
	source := loadSource(t)
	for file, lines := range source.Lines {
		assert.LessOrEqual(t, lines, 250, file)
	}
}

func TestReadmeShowsTheTableOfToday(t *testing.T) {
	old, err := os.ReadFile("README.md")
	require.NoError(t, err)
	made, err := loadSource(t).Readme(string(old))
	require.NoError(t, err)
	assert.Equal(t, made, string(old), "run go generate")
}

func TestReadmeShowsWhatAMethodCallsOnItsParameters(t *testing.T) {
	for _, method := range loadSource(t).MethodsOf(*operation.Get(operation.UploadCommitSymbols)) {
		if method.String() == "Uploads.Symbols" {
			return
		}
	}
	t.Error("Uploads.Symbols names its operation in a method of its options")
}
