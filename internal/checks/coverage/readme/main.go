// Command readme generates docs/operations.md, the table of operations that the README links
// to. go generate runs it in the root of the repository.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/memfault-go/memfault/internal/checks/coverage"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	source, err := coverage.Load(dir)
	if err != nil {
		return err
	}
	page := []byte(source.OperationsPage())
	return os.WriteFile(filepath.Join(dir, "docs", "operations.md"), page, 0o644) //nolint:gosec // a public file
}
