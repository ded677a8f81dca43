package uncertain_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/examples/verify/internal/uncertain"
)

// marked returns the names of the marks in the source of the repository, with the files.
func marked(t *testing.T) map[string][]string {
	t.Helper()
	const root = "../../../.."
	mark, name := regexp.MustCompile(`UNCERTAIN(\([^)]*\))?:`), regexp.MustCompile(`^\([a-z0-9-]+\)$`)
	files := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := entry.Name(); entry.IsDir() && (base == "examples" || base == "checks" || strings.HasPrefix(base, ".") && path != root) {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, found := range mark.FindAllStringSubmatch(string(text), -1) {
			assert.Regexp(t, name, found[1], "%s: write UNCERTAIN(name): with a short name of the fact", path)
			files[strings.Trim(found[1], "()")] = append(files[strings.Trim(found[1], "()")], path)
		}
		return err
	})
	require.NoError(t, err)
	return files
}

func TestMarks_NamesInComments(t *testing.T) {
	inComments, listed := marked(t), map[string]bool{}
	list := func(name string) {
		assert.False(t, listed[name], "%s is in the lists twice", name)
		listed[name] = true
		assert.NotEmpty(t, inComments[name], "no comment contains UNCERTAIN(%s)", name)
	}
	for _, mark := range uncertain.Marks() {
		list(mark.Name)
	}
	for _, open := range uncertain.Open() {
		list(open.Name)
		assert.NotEmpty(t, open.Reason, open.Name)
	}
}

func TestMarks_Complete(t *testing.T) {
	for _, mark := range uncertain.Marks() {
		assert.NotEmpty(t, mark.Confirms, mark.Name)
		assert.NotEmpty(t, mark.Refutes, mark.Name)
		assert.True(t, strings.HasSuffix(mark.Question, "?"), mark.Name)
		found, ok := uncertain.Find(mark.Name)
		assert.True(t, ok)
		assert.Equal(t, mark, found)
	}
	_, ok := uncertain.Find("unknown")
	assert.False(t, ok)
}
