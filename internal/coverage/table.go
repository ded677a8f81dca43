package coverage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// These two lines of the README enclose the table.
const (
	tableStart = "<!-- operations: made by go generate -->"
	tableEnd   = "<!-- end of operations -->"
)

// Readme returns the README with a new table of operations.
func (p *Package) Readme(old string) (string, error) {
	before, rest, found := strings.Cut(old, tableStart)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		return "", errors.New("README: missing markers of the table of operations")
	}
	return before + tableStart + "\n" + p.table() + tableEnd + after, nil
}

func (p *Package) table() string {
	var b strings.Builder
	b.WriteString("| operation | | method | source |\n|---|---|---|---|\n")
	for i, op := range operation.All() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", op.Name, op.Method, p.methodCell(operation.ID(i)), op.Source())
	}
	return b.String()
}

// methodCell returns the methods that send an operation. For an operation that the client
// does not send, it returns the reason and, if there is one, the method that does the same
// work.
func (p *Package) methodCell(id operation.ID) string {
	if !operation.Get(id).Implemented() {
		reason := "none, because the request body is unknown"
		if id == operation.CohortsMoveDevices {
			reason += "; `Cohorts.MoveDevices` sends `devices.update` instead"
		}
		return reason
	}
	var names []string
	for _, method := range p.MethodsOf(id) {
		names = append(names, "`"+method.String()+"`")
	}
	return strings.Join(names, ", ")
}
