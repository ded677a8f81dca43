// Command list prints the table of operations as tab-separated lines: name, method, host,
// path template, accepted credentials, whether a retry is safe ("idempotent" or "once"),
// source ("documented", "observed" or "assumed"), and whether the client sends the
// operation ("sent" or "not sent").
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
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", // Flush returns the error
			op.Name, op.Method, op.Host, op.Path, op.Credentials,
			either(op.Idempotent(), "idempotent", "once"),
			op.Source(),
			either(op.Unsent == "", "sent", "not sent"))
	}
	return out.Flush()
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
