package coverage

import (
	"fmt"
	"go/scanner"
	"go/token"
	"regexp"
	"strings"
)

// avoided contains expressions that are hard to read for a reader who is not a native
// speaker, or that mean two things, and what to write instead.
var avoided = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{word(`tells?|told`), `"returns", "reports" or "describes"`},
	{word(`answer(s|ed|ing)?`), `"response", or "responds with"`},
	{word(`refus(e|es|ed|ing|als?)`), `"rejects", or "returns an error"`},
	{word(`obey(s|ed)?`), `"honors"`},
	{word(`mends?|mended`), `"fixes"`},
	{word(`anew|once more|over again`), `"again"`},
	{word(`in place of|in stead of`), `"instead of"`},
	{word(`for ever`), `"forever"`},
	{word(`nobody|anybody|somebody|everybody`), `the name of the actor, or "no one", "anyone"`},
	{word(`gives? up|gave up|given up|giving up`), `"closes", "cancels", "fails" or "stops"`},
	{word(`stands? still|stood still`), `"stalls" or "stops"`},
	{word(`goes on|go on|going on`), `"continues"`},
	{word(`lets`), `"allows", or the effect`},
	{word(`has to|have to|had to|is to be|are to be`), `"must"`},
	{word(`at once`), `"immediately" or "concurrently"`},
	{word(`says?|said`), `"reports", "contains" or "describes"`},
	{word(`for the sake of|what became of|whatever became`), `the thing itself`},
	{word(`(this|these|the) very`), `"the same" or "exactly"`},
	{word(`anyhow`), `the reason`},
	{word(`on (its|their) way`), `"in flight"`},
	{word(`of today|nowadays`), `"older" or "current"`},
	{word(`lower-case|upper-case|command line tool|built in credential`), `"lowercase", "uppercase", "command-line tool"`},
	{regexp.MustCompile(`(?i)(,|;|\bor|\band) else\b`), `"otherwise"`},
	{regexp.MustCompile(`\b[Oo]ne that\b`), `the noun`},
	{regexp.MustCompile(`\b(is|are) (an? )?\[?\*?(memfault\.)?Err[A-Z]`), `"fails with"`},
}

// isNo finds "is no X", which should be "is not an X". "There is no X" is fine.
var isNo = regexp.MustCompile(`(?i)(\w+) is no (\w+)`)

func word(pattern string) *regexp.Regexp { return regexp.MustCompile(`(?i)\b(` + pattern + `)\b`) }

// WordProblems returns where a text uses an expression that should be avoided. Of a Go file,
// it checks the comments; of any other file the whole text except code. allowed are phrases
// in which the expressions are right.
func WordProblems(path string, text []byte, allowed []string) []string {
	lines := proseOf(path, text)
	var problems []string
	for i, line := range lines {
		prose := line
		for _, phrase := range allowed {
			prose = strings.ReplaceAll(prose, phrase, "")
		}
		report := func(found, instead string) {
			problems = append(problems, fmt.Sprintf("%s:%d: %q: write %s", path, i+1, found, instead))
		}
		for _, expression := range avoided {
			if found := expression.pattern.FindString(prose); found != "" {
				report(found, expression.instead)
			}
		}
		for _, found := range isNo.FindAllStringSubmatch(prose, -1) {
			if !strings.EqualFold(found[1], "there") && found[2] != "longer" {
				report(found[0], `"is not"`)
			}
		}
	}
	return problems
}

// proseOf returns the prose in each line of a file.
func proseOf(path string, text []byte) []string {
	lines := strings.Split(string(text), "\n")
	if strings.HasSuffix(path, ".go") {
		return commentsOf(text, len(lines))
	}
	code := false
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		}
		if code {
			lines[i] = ""
		}
		lines[i] = inlineCode.ReplaceAllString(lines[i], "")
	}
	return lines
}

var inlineCode = regexp.MustCompile("`[^`]*`")

// commentsOf returns the comment in each line of a Go file, without directives, code and the
// outputs of Examples.
func commentsOf(text []byte, lines int) []string {
	comments := make([]string, lines)
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments)
	output := -1 // the last line of the output of an Example
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return comments
		}
		comment, isComment := strings.CutPrefix(literal, "//")
		line := file.Line(pos)
		switch {
		case tok != token.COMMENT || !isComment:
		case strings.HasPrefix(comment, " Output:"), line == output+1:
			output = line
		case strings.HasPrefix(comment, "\t"), strings.HasPrefix(comment, "go:"):
		default:
			comments[line-1] = comment
		}
	}
}
