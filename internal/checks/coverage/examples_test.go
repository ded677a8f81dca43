package coverage_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/checks/coverage"
)

// root is the directory of the repository.
const root = "../../.."

// TestExamples_CompileOutsideTheRepository copies each Example to a module of its own and
// compiles it there. The copies form one package, because a program for each would take long.
func TestExamples_CompileOutsideTheRepository(t *testing.T) {
	module := t.TempDir()
	copied := 0
	for _, dir := range []string{".", "chunk", "memfaulttest"} {
		files := token.NewFileSet()
		for _, example := range examples(t, files, filepath.Join(root, dir)) {
			name := strings.TrimPrefix(dir, ".") + "Example" + example.Name
			require.NotNil(t, example.Play, "Example%s uses something that is declared in another file", example.Name)
			require.NotEmpty(t, example.Output, "Example%s has no output", example.Name)
			example.Play.Name.Name = "copied"
			for _, decl := range example.Play.Decls {
				if function, ok := decl.(*ast.FuncDecl); ok && function.Name.Name == "main" {
					function.Name.Name = name
				}
			}
			var source bytes.Buffer
			require.NoError(t, format.Node(&source, files, example.Play))
			require.NoError(t, os.WriteFile(filepath.Join(module, fmt.Sprintf("copy%d.go", copied)), source.Bytes(), 0o600))
			copied++
		}
	}
	require.Greater(t, copied, 30)
	writeModule(t, module)
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", ".")
	build.Dir, build.Env = module, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// TestDocs_ReleaseRunsTwice runs the code for a rollout in docs/releases.md against a fake Memfault.
func TestDocs_ReleaseRunsTwice(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "releases.md"))
	require.NoError(t, err)
	program, err := os.ReadFile("testdata/release.go.txt")
	require.NoError(t, err)
	var code []string
	for _, block := range coverage.CodeBlocks(string(page)) {
		if strings.Contains(block, "Uploads.OTAPayload") {
			code = append(code, block)
		}
	}
	require.Len(t, code, 1)
	const place = "// the code\n"
	require.Equal(t, 1, strings.Count(string(program), place))
	module := t.TempDir()
	text := strings.Replace(string(program), place, code[0], 1)
	require.NoError(t, os.WriteFile(filepath.Join(module, "main.go"), []byte(text), 0o600))
	writeModule(t, module)
	run := exec.CommandContext(t.Context(), "go", "run", "-mod=mod", ".")
	run.Dir, run.Env = module, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	output, err := run.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Equal(t, strings.Join([]string{
		"run 1",
		"already uploaded: false",
		"deployed: 2.0.0+build.7 done",
		"1 device: 1 with 2.0.0+build.7",
		"run 2",
		"already uploaded: true",
		"deployed: 2.0.0+build.7 done",
		"1 device: 1 with 2.0.0+build.7",
		"1 upload, 2 verified downloads, 0 violations",
	}, "\n")+"\n", string(output))
}

// examples returns the Examples in a directory.
func examples(t *testing.T, files *token.FileSet, dir string) []*doc.Example {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	var parsed []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		require.NoError(t, err)
		parsed = append(parsed, file)
	}
	return doc.Examples(parsed...)
}

// writeModule writes the go.mod and go.sum of a module that depends on the repository.
func writeModule(t *testing.T, dir string) {
	t.Helper()
	repository, err := filepath.Abs(root)
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	_, requirements, found := strings.Cut(string(mod), "\n")
	require.True(t, found)
	const path = "github.com/memfault-go/memfault"
	text := fmt.Sprintf("module example.com/copied\n%s\nrequire %s v0.0.0\n\nreplace %s => %s\n", requirements, path, path, repository)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600))
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600))
}
