package uncertain_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/uncertain"
)

var mark = regexp.MustCompile(`UNCERTAIN(\([a-z-]+\))?: `)

// marksOf returns the sentences after the marks in the comments of each file of the client.
func marksOf(t *testing.T, directory string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	marks := map[string][]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, group := range parsed.Comments {
			text := strings.Join(strings.Fields(group.Text()), " ")
			for _, end := range mark.FindAllStringIndex(text, -1) {
				marks[filepath.Base(file)] = append(marks[filepath.Base(file)], text[end[1]:])
			}
		}
	}
	return marks
}

func TestMarks_EachIsListedOnce(t *testing.T) {
	listed := map[uncertain.Place]int{}
	for _, mark := range uncertain.Marks() {
		for _, place := range mark.Places {
			listed[place]++
		}
	}
	for _, open := range uncertain.Open() {
		listed[open.Place]++
		assert.NotEmpty(t, open.Reason, open.Place)
	}
	used := map[uncertain.Place]int{}
	for file, sentences := range marksOf(t, "../..") {
		for _, sentence := range sentences {
			var places []uncertain.Place
			for place := range listed {
				if place.File == file && strings.HasPrefix(sentence, place.Start) {
					places = append(places, place)
					used[place]++
				}
			}
			assert.Len(t, places, 1, "%s: UNCERTAIN: %.60s: add the mark to readings.go, writings.go or open.go", file, sentence)
		}
	}
	for place, times := range listed {
		assert.Equal(t, 1, times, "%v is in the lists %d times", place, times)
		assert.Equal(t, 1, used[place], "%v describes %d comments of the client", place, used[place])
	}
}

func TestMarks_Complete(t *testing.T) {
	names := map[string]bool{}
	for _, mark := range uncertain.Marks() {
		assert.False(t, names[mark.Name], "%s is not unique", mark.Name)
		names[mark.Name] = true
		assert.NotEmpty(t, mark.Places, mark.Name)
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
