// Command list prints the table of operations, one row a line, tab-separated:
// name, method, host role, path template, credentials, whether a repeated
// request does no harm, whether Memfault documents it, and whether the client
// has a method for it.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/memfault-go/memfault/internal/operation"
)

func main() {
	if err := list(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func list(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, op := range operation.All() {
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", // Flush reports the error
			op.Name, op.Method, op.Host, op.Path, op.Credentials,
			either(op.Idempotent(), "idempotent", "once"),
			either(op.Documented(), "documented", "observed"),
			either(op.Implemented(), "implemented", "planned"))
	}
	return out.Flush()
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
