package coverage_test

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

// markdownLink matches the target of a link or a picture that is a file of the repository, and the
// heading in it.
var markdownLink = regexp.MustCompile(`(?:\]\(|src(?:set)?=")([^)#:"]*)(#[^)"]*)?[)"]`)

// TestDocs_LinksExist checks the links from Markdown files to other files of the repository.
func TestDocs_LinksExist(t *testing.T) {
	links := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root && entry.Name() != ".github" {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, link := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			links++
			target := path
			if link[1] != "" {
				target = filepath.Join(filepath.Dir(path), link[1])
			}
			if assert.FileExists(t, existing(target), "%s links to %s", path, link[1]) && link[2] != "" && filepath.Ext(target) == ".md" {
				page, err := os.ReadFile(target)
				require.NoError(t, err)
				assert.Contains(t, anchors(string(page)), link[2], "%s links to %s", path, link[0])
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, links, 50)
}

// TestExamples_HaveAPageOfOneScreen checks the README of each program: it begins with a title and a command.
func TestExamples_HaveAPageOfOneScreen(t *testing.T) {
	const (
		maxLines = 45
		maxBytes = 3200 // rows of tables are long lines
	)
	begin := regexp.MustCompile("^# (\\S+): .+\n\n```sh\n(go |export |curl )")
	programs, err := filepath.Glob(filepath.Join(root, "examples", "*"))
	require.NoError(t, err)
	require.Greater(t, len(programs), 5)
	for _, program := range programs {
		page, err := os.ReadFile(filepath.Join(program, "README.md"))
		require.NoError(t, err)
		if match := begin.FindSubmatch(page); assert.NotNil(t, match, "%s does not begin with a title and a command", program) {
			assert.Equal(t, filepath.Base(program), string(match[1]), "the title of %s", program)
		}
		assert.LessOrEqual(t, strings.Count(string(page), "\n"), maxLines, "lines of %s", program)
		assert.LessOrEqual(t, len(page), maxBytes, "bytes of %s", program)
	}
}

var (
	heading     = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	notInAnchor = regexp.MustCompile(`[^\pL\pN _-]`)
)

// anchors returns the anchors of the headings of a page, as GitHub makes them.
func anchors(page string) (found []string) {
	for _, match := range heading.FindAllStringSubmatch(page, -1) {
		text := notInAnchor.ReplaceAllString(strings.ToLower(match[1]), "")
		found = append(found, "#"+strings.ReplaceAll(text, " ", "-"))
	}
	return found
}

// existing returns path, or a file in it if it is a directory.
func existing(path string) string {
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		for _, entry := range entries {
			if !entry.IsDir() {
				return filepath.Join(path, entry.Name())
			}
		}
	}
	return path
}
