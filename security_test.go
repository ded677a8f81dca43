package memfault_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// promises returns the promises of SECURITY.md, each with the names of its tests.
func promises(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("SECURITY.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "## Promises")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	all := map[string][]string{}
	for _, bullet := range strings.Split(section, "\n- ")[1:] {
		promise, tests, _ := strings.Cut(strings.Join(strings.Fields(bullet), " "), " Tests: ")
		for _, name := range regexp.MustCompile("`(Test[^`]*)`").FindAllStringSubmatch(tests, -1) {
			all[promise] = append(all[promise], name[1])
		}
		require.NotEmpty(t, all[promise], "%s names no test", promise)
	}
	return all
}

func TestSecurity_PromisesNameTests(t *testing.T) {
	declared := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range declaration.FindAllStringSubmatch(string(text), -1) {
			declared[name[1]] = true
		}
		return err
	})
	require.NoError(t, err)
	for promise, tests := range promises(t) {
		for _, name := range tests {
			assert.True(t, declared[name], "%s: there is no %s", promise, name)
		}
	}
}
