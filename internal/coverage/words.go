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
	{word(`in place of`), `"instead of"`},
	{word(`for ever`), `"forever"`},
	{word(`nobody|anybody|somebody|everybody`), `the name of the actor, or "no one", "anyone"`},
	{word(`gives? up|gave up|given up|giving up`), `"closes", "cancels", "fails" or "stops"`},
	{word(`stands? still|stood still`), `"stalls" or "stops"`},
	{word(`goes on|go on|going on`), `"continues"`},
	{word(`lets`), `"allows", or the effect`},
	{word(`has to|have to|had to|is to be|are to be`), `"must"`},
	{word(`at once`), `"immediately" or "concurrently"`},
	{word(`says?|said`), `"reports", "contains" or "describes"`},
	{word(`for the sake of|what became of`), `the thing itself`},
	{word(`(this|these|the) very`), `"the same" or "exactly"`},
	{word(`anyhow`), `the reason`},
	{word(`on (its|their) way`), `"in flight"`},
	{word(`of today|nowadays`), `"older" or "current"`},
	{word(`lower-case|upper-case|command line tool`), `"lowercase", "uppercase", "command-line tool"`},
	{phrase(`(?i)(,|;|\bor|\band) else\b`), `"otherwise"`},
	{phrase(`\b[Oo]ne that\b`), `the noun`},
	{phrase(`\b(is|are) (an? )?\[?\*?(memfault\.)?Err[A-Z]`), `"fails with"`},
}

// isNo finds "is no X", which should be "is not an X". "There is no X" is fine.
var isNo = phrase(`(?i)(\w+) is no (\w+)`)

func word(pattern string) *regexp.Regexp { return phrase(`(?i)\b(` + pattern + `)\b`) }

// phrase compiles a pattern whose spaces also match the end of a line.
func phrase(pattern string) *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(pattern, " ", `\s+`))
}

// WordProblems returns where a text uses an expression that should be avoided. Of a Go file,
// it checks the comments; of any other file the whole text except code. allowed are phrases
// in which the expressions are right.
func WordProblems(path string, text []byte, allowed []string) []string {
	prose := strings.Join(proseOf(path, text), "\n")
	for _, right := range allowed {
		prose = phrase(regexp.QuoteMeta(right)).ReplaceAllStringFunc(prose, func(found string) string {
			return strings.Repeat("\n", strings.Count(found, "\n")) // keeps the numbers of the lines
		})
	}
	var problems []string
	report := func(at []int, instead string) {
		line := strings.Count(prose[:at[0]], "\n") + 1
		problems = append(problems, fmt.Sprintf("%s:%d: %q: write %s", path, line, strings.Join(strings.Fields(prose[at[0]:at[1]]), " "), instead))
	}
	for _, expression := range avoided {
		for _, at := range expression.pattern.FindAllStringIndex(prose, -1) {
			report(at, expression.instead)
		}
	}
	for _, at := range isNo.FindAllStringSubmatchIndex(prose, -1) {
		if !strings.EqualFold(prose[at[2]:at[3]], "there") && prose[at[4]:at[5]] != "longer" {
			report(at, `"is not"`)
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
