package coverage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// The table stands in the README between these two lines.
const (
	tableStart = "<!-- operations: made by go generate -->"
	tableEnd   = "<!-- end of operations -->"
)

// indirect holds the methods that do the work of an operation without calling it.
var indirect = map[string]Method{
	// Its body is known to nobody outside Memfault.
	"cohorts.move_devices": {Service: "Cohorts", Name: "MoveDevices"},
}

// MethodsOf returns the methods that do the work of an operation.
func (p *Package) MethodsOf(op operation.Operation) []Method {
	if method, ok := indirect[op.Name]; ok {
		return []Method{method}
	}
	return p.Methods[goName(op.Name)]
}

// goName returns the name of an operation's ID in package operation.
func goName(name string) string {
	initialisms := map[string]string{
		"api": "API", "url": "URL", "id": "ID", "elf": "ELF", "gnu": "GNU", "mar": "MAR", "sdk": "SDK", "ota": "OTA", "sbom": "SBOM", "xed": "XED",
	}
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '_' }) {
		if upper, ok := initialisms[word]; ok {
			b.WriteString(upper)
		} else {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// Readme returns the README with its table of operations made anew.
func (p *Package) Readme(old string) (string, error) {
	before, rest, found := strings.Cut(old, tableStart)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		return "", errors.New("the README has no place for the table of operations")
	}
	return before + tableStart + "\n" + p.table() + tableEnd + after, nil
}

func (p *Package) table() string {
	var b strings.Builder
	b.WriteString("| operation | | method | by |\n|---|---|---|---|\n")
	for _, op := range operation.All() {
		by := "documented"
		if !op.Documented() {
			by = "observed"
		}
		var names []string
		for _, method := range p.MethodsOf(op) {
			names = append(names, "`"+method.String()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", op.Name, op.Method, strings.Join(names, ", "), by)
	}
	return b.String()
}
