// Command readme regenerates the table of operations in the README. go generate runs it in
// the root of the repository.
package main

import (
	"fmt"
	"os"

	"github.com/memfault-go/memfault/internal/coverage"
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
	const path = "README.md"
	current, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	generated, err := source.Readme(string(current))
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(generated), 0o644) //nolint:gosec // a public file
}
