package coverage_test

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/checks/coverage"
)

func TestLinkProblems(t *testing.T) {
	problems, err := coverage.LinkProblems("testdata/links")
	require.NoError(t, err)
	var got []string
	for _, problem := range problems {
		got = append(got, strings.TrimPrefix(problem, "testdata/links/"))
	}
	assert.ElementsMatch(t, []string{
		"links.go:9:2: no such name: [Thing.Gone]",
		"links.go:13:1: write [Thing.Size]",
		"links.go:18:1: no such name: [Part.Lost]",
	}, got)
	_, err = coverage.LinkProblems("testdata/no-such-directory")
	require.Error(t, err)
}

// TestComments_LinksExist checks every package of the repository, also of its other modules.
func TestComments_LinksExist(t *testing.T) {
	packages := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); name == "testdata" || name == ".git" || name == ".ci" {
			return fs.SkipDir
		}
		if _, err := build.ImportDir(path, 0); err != nil {
			return nil // there is no package
		}
		packages++
		problems, err := coverage.LinkProblems(path)
		for _, problem := range problems {
			t.Error(problem)
		}
		return err
	})
	require.NoError(t, err)
	assert.Greater(t, packages, 30)
}
