package coverage_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/coverage"
)

func TestWordProblems(t *testing.T) {
	problems := coverage.WordProblems("a.go", []byte(`package a // it tells

//go:generate told
var s = "// refused" // connection refused

// A tells
//
//	code that tells
//
// There is no answer, this is no longer true.
func A() {
	// Output:
	// told
	// told
}

// One that is no URL is ErrX, or else fails. A connection
// refused is right, but not in
// place of it.
`), []string{"connection refused"})
	assert.ElementsMatch(t, []string{
		`a.go:1: "tells": write "returns", "reports" or "describes"`,
		`a.go:6: "tells": write "returns", "reports" or "describes"`,
		`a.go:10: "answer": write "response", or "responds with"`,
		`a.go:17: "or else": write "otherwise"`,
		`a.go:17: "One that": write the noun`,
		`a.go:17: "is ErrX": write "fails with"`,
		`a.go:17: "that is no URL": write "is not"`,
		`a.go:18: "in place of": write "instead of"`,
	}, problems)
	problems = coverage.WordProblems("a.md", []byte("It `tells`.\n```\ntold\n```\nIt told.\n"), nil)
	assert.Equal(t, []string{`a.md:5: "told": write "returns", "reports" or "describes"`}, problems)
}

// allowedWords contains the phrases in which an expression is right, by the reason.
var allowedWords = map[string][]string{
	"the name of an error of the system":  {"connection refused"},
	"a document or a protocol can say":    {"documentation says", "page says", "comment that says", "has no way to say"},
	"the result of errors.Is":             {"target is"},
	"an outcome of internal/ordered":      {"[Refused]", "Refused:", "always Refused", "always refused", "they are refused"},
	"names in examples/relay":             {"Refused count", "Refusal is", "*Refusal"},
	"a type of a test":                    {"answer is a response"},
	"clear, and no other word is shorter": {"Nobody who wrote it", "or that nobody has confirmed", "once more after a 401"},
}

// TestComments_AvoidWords checks all comments and documents of the repository, so that
// expressions that were replaced do not come back. The history in CHANGELOG.md stays as it is.
func TestComments_AvoidWords(t *testing.T) {
	var allowed []string
	for _, phrases := range allowedWords {
		allowed = append(allowed, phrases...)
	}
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "testdata" || name == ".git" || name == ".ci") {
			return fs.SkipDir
		}
		if ext := filepath.Ext(path); ext != ".go" && ext != ".md" || entry.Name() == "CHANGELOG.md" || strings.HasPrefix(entry.Name(), "words") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, problem := range coverage.WordProblems(path, text, allowed) {
			t.Error(problem)
		}
		files++
		return err
	})
	require.NoError(t, err)
	assert.Greater(t, files, 300)
}
