// Package relaytest contains what the tests of several packages of the relay need.
package relaytest

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// Output collects what is written to it. It is safe for concurrent use.
type Output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *Output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Tool returns the path of a program that the machine may not have. With RELAY_TOOLS=required,
// its absence fails the test.
func Tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("RELAY_TOOLS") == "required" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}
