package memfault_test

import (
	"cmp"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/checks/coverage"
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
	source, cloud := loadSource(t), fakecloud.New()
	for _, op := range operation.All() {
		t.Run(op.Name, func(t *testing.T) {
			assert.True(t, cloud.Serves(op), "the fake cloud has no handler: internal/fakecloud needs one in the file of the resource")
			methods := source.MethodsOf(op)
			if op.Unsent != "" {
				assert.Empty(t, methods, "its row has a reason to be without a method")
				return
			}
			require.NotEmpty(t, methods, "no method sends the operation; if that is intended, its row needs .without(reason)")
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
		assert.True(t, documented || observed, "the comment of %s does not contain its source: Memfault: https://docs.memfault.com/…, or Not documented by Memfault; …", method)
		assert.True(t, source.Tested(method), "no test calls %s", method)
	}
	assert.Greater(t, len(source.Methods), 100)
}

// TestMethods_DocumentTheirCredentials compares the comments with the table of operations.
func TestMethods_DocumentTheirCredentials(t *testing.T) {
	for _, method := range loadSource(t).Methods {
		paragraphs := strings.Split(strings.TrimSpace(method.Doc), "\n\n")
		require.Greater(t, len(paragraphs), 2, "the comment of %s needs, before its last paragraph, the paragraph %q", method, method.CredentialsLine())
		assert.Equal(t, method.CredentialsLine(), paragraphs[len(paragraphs)-2], "the paragraph before the source in the comment of %s", method)
		assert.Equal(t, 1, strings.Count(method.Doc, "Credentials:"), "the comment of %s", method)
	}
}

func TestMethods_OperationsByCredential(t *testing.T) {
	source := loadSource(t)
	names := func(op *operation.Operation) (names []string) {
		for _, method := range source.MethodsOf(op) {
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
}

func TestOperationsPage_IsCurrent(t *testing.T) {
	current, err := os.ReadFile("docs/operations.md")
	require.NoError(t, err)
	if loadSource(t).OperationsPage() != string(current) {
		t.Error("docs/operations.md differs from the table: run go generate")
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.Contains(t, string(readme), "(docs/operations.md)", "the README does not link to the table")
}

func TestDocs_CodeCompiles(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	checked := 0
	for _, page := range append(pages, "README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		if len(coverage.CodeBlocks(string(text))) > 0 {
			require.NoError(t, coverage.CheckCode(".", string(text)), page)
			checked++
		}
	}
	assert.GreaterOrEqual(t, checked, 3)
}

// TestOverview_LinksToExamples checks the anchors of Examples in the overview, as pkg.go.dev makes
// them: example-Type.Method-Suffix, or example-package.
func TestOverview_LinksToExamples(t *testing.T) {
	overview, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	declared := regexp.MustCompile(`(?m)^func Example(\w*)\(`)
	anchors := []string{}
	tests, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, test := range tests {
		text, err := os.ReadFile(test)
		require.NoError(t, err)
		for _, match := range declared.FindAllStringSubmatch(string(text), -1) {
			anchor := ""
			for i, part := range strings.Split(match[1], "_") {
				switch {
				case i == 0:
					anchor = cmp.Or(part, "package")
				case strings.ToUpper(part[:1]) == part[:1]:
					anchor += "." + part
				default:
					anchor += "-" + strings.ToUpper(part[:1]) + part[1:]
				}
			}
			anchors = append(anchors, anchor)
		}
	}
	links := regexp.MustCompile(`#example-(\S+)`).FindAllStringSubmatch(string(overview), -1)
	require.Greater(t, len(links), 5)
	for _, link := range links {
		assert.Contains(t, anchors, link[1])
	}
}

// TestOverviews_AreShort keeps the package Example, which pkg.go.dev shows after the overview, within
// the first three screens. Rules are in the comments of the names that they are about.
func TestOverviews_AreShort(t *testing.T) {
	const maxLines = 90 // of 80 characters
	for _, dir := range []string{".", "chunk", "memfaulttest"} {
		files := token.NewFileSet()
		overview, err := parser.ParseFile(files, filepath.Join(dir, "doc.go"), nil, parser.ParseComments)
		require.NoError(t, err)
		text := string(new(doc.Package).Text(overview.Doc.Text()))
		assert.LessOrEqual(t, strings.Count(text, "\n"), maxLines, dir)
		tests, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		require.NoError(t, err)
		assert.True(t, slices.ContainsFunc(tests, func(test string) bool {
			source, err := os.ReadFile(test)
			require.NoError(t, err)
			return regexp.MustCompile(`(?m)^func Example(_[a-z]\w*)?\(`).Match(source)
		}), "%s has no package Example", dir)
	}
}
