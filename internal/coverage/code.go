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
	"os"
	"testing"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)
`

// CheckCode type-checks each block of Go code in a README against the package in dir and its
// package memfaulttest. A block is the body of a function that returns an error. It can use
// the variables ctx, client, sink, yesterday, chunk and t, and the imports of the two
// packages and of context, errors, fmt, os, testing and time.
func CheckCode(dir, readme string) error {
	var source strings.Builder
	source.WriteString(wrapper)
	blocks := CodeBlocks(readme)
	if len(blocks) == 0 {
		return errors.New("README: no Go code")
	}
	for _, code := range blocks {
		fmt.Fprintf(&source, "\nfunc _(ctx context.Context, client *memfault.Client, sink memfault.ProjectRef, yesterday time.Time, chunk []byte, t *testing.T) error {\n{\n%s}\nreturn nil\n}\n", code)
	}
	fileSet := token.NewFileSet()
	file, err := parser.ParseFile(fileSet, "README.md", source.String(), 0)
	if err != nil {
		return err
	}
	exports, err := exportFiles(dir, ".", "./memfaulttest")
	if err != nil {
		return err
	}
	var failed []error
	config := types.Config{Importer: newImporter(fileSet, exports), Error: func(err error) {
		if detail := (types.Error{}); !errors.As(err, &detail) || !detail.Soft { // an unused variable or import is a soft error
			failed = append(failed, err)
		}
	}}
	_, _ = config.Check("readme", fileSet, []*ast.File{file}, nil) // calls Error for each error
	return errors.Join(failed...)
}

// CodeBlocks returns the blocks of Go code in a README.
func CodeBlocks(readme string) []string {
	blocks := strings.Split(readme, "```go\n")[1:]
	for i, block := range blocks {
		blocks[i], _, _ = strings.Cut(block, "```")
	}
	return blocks
}
