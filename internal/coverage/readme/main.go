// Command readme makes the README's table of operations anew. go generate runs it in
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
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	made, err := source.Readme(string(old))
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(made), 0o644) //nolint:gosec // everybody may read it
}
