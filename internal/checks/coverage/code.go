package coverage

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
)

// wrapper is the start of the file into which CheckCode puts the code.
const wrapper = `package readme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)
`

// CheckCode type-checks each block of Go code in a page against the package in dir and its
// packages chunk and memfaulttest. A block that begins with a comment or a package clause is a whole file.
// Any other block is the body of a function that returns an error. It can use the variables ctx,
// client, sink, yesterday, chunk and t, and the imports of the two packages and of context,
// errors, fmt, net/http, os, testing and time. A block that uses the module chunkqueue is skipped: the
// tests of that module compile it.
func CheckCode(dir, page string) error {
	blocks := CodeBlocks(page)
	if len(blocks) == 0 {
		return errors.New("no Go code")
	}
	var bodies strings.Builder
	bodies.WriteString(wrapper)
	var files []string
	for _, code := range blocks {
		if strings.Contains(code, "chunkqueue.") {
			continue
		}
		if strings.HasPrefix(code, "package ") || strings.HasPrefix(code, "//") {
			files = append(files, code)
			continue
		}
		fmt.Fprintf(&bodies, "\nfunc _(ctx context.Context, client *memfault.Client, sink memfault.ProjectRef, yesterday time.Time, chunk []byte, t *testing.T) error {\n{\n%s}\nreturn nil\n}\n", code)
	}
	exports, err := exportFiles(dir, ".", "./chunk", "./memfaulttest", "log")
	if err != nil {
		return err
	}
	var failed []error
	for _, source := range files {
		failed = append(failed, checkFile(source, exports, true))
	}
	return errors.Join(append(failed, checkFile(bodies.String(), exports, false))...)
}

// checkFile type-checks a file. An unused variable or import is an error only if strict is
// true.
func checkFile(source string, exports map[string]string, strict bool) error {
	fileSet := token.NewFileSet()
	file, err := parser.ParseFile(fileSet, "code.go", source, 0)
	if err != nil {
		return err
	}
	var failed []error
	config := types.Config{Importer: newImporter(fileSet, exports), Error: func(err error) {
		if detail := (types.Error{}); strict || !errors.As(err, &detail) || !detail.Soft {
			failed = append(failed, err)
		}
	}}
	_, _ = config.Check("readme", fileSet, []*ast.File{file}, nil) // calls Error for each error
	return errors.Join(failed...)
}

// CodeBlocks returns the blocks of Go code in a page.
func CodeBlocks(page string) []string {
	blocks := strings.Split(page, "```go\n")[1:]
	for i, block := range blocks {
		blocks[i], _, _ = strings.Cut(block, "```")
	}
	return blocks
}
