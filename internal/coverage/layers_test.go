package coverage_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/memfault-go/memfault"

// engines know nothing of Memfault. They import only the standard library.
var engines = []string{
	"internal/atomicfile", "internal/buildid", "internal/chunkexport", "internal/ordered", "internal/plainjson", "internal/resume", "internal/semver",
	"internal/shape", "internal/shared", "internal/stall", "internal/watch",
}

// layers contains what each package of the root module may import of the module and of other
// modules. "." is the root package.
var layers = map[string][]string{
	".": append(slices.Clone(engines), "internal/operation", "github.com/google/go-querystring/query", "github.com/hashicorp/go-retryablehttp"),

	"internal/operation":       {},
	"internal/operation/list":  {"internal/operation"},
	"internal/fakecloud":       {"internal/operation"},
	"memfaulttest":             {".", "internal/elftest", "internal/fakecloud", "internal/operation"},
	"internal/uncertain":       {},
	"internal/arrivals":        {},
	"internal/process":         {},
	"internal/elftest":         {},
	"internal/coverage":        {"internal/operation"},
	"internal/coverage/readme": {"internal/coverage"},
	"internal/chunkjournal":    {".", "internal/arrivals", "memfaulttest"},
	"internal/uploadrss":       {".", "internal/process", "memfaulttest"},
	"internal/checks/outage":   {"."},
	"internal/soak":            {".", "internal/arrivals", "internal/elftest", "internal/process", "memfaulttest"},
	"examples/quickstart":      {".", "memfaulttest"},
	"examples/fakecloud":       {".", "internal/operation", "memfaulttest"},
	"examples/verify":          {".", "internal/operation", "internal/shape", "internal/uncertain"},
}

// TestLayers_ImportsAllowed checks the rules that ARCHITECTURE.md describes.
func TestLayers_ImportsAllowed(t *testing.T) {
	for _, engine := range engines {
		layers[engine] = []string{}
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	list.Dir = root
	output, err := list.Output()
	require.NoError(t, err)
	packages := 0
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		name := inModule(fields[0])
		allowed, known := layers[name]
		if !assert.True(t, known, "%s has no layer; add it to the rules", name) {
			continue
		}
		packages++
		for _, path := range fields[1:] {
			imported := inModule(path)
			if imported == path && !strings.Contains(path, ".") {
				continue // the standard library
			}
			assert.Contains(t, allowed, imported, "%s must not import %s", name, path)
		}
	}
	require.Equal(t, len(layers), packages, "a rule for a package that does not exist")
}

// inModule returns the path of a package within the module, or path if it is of another one.
func inModule(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}
