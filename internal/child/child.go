// Package child starts the running program again as another process, for measurements whose
// server must not share memory and garbage collector with the client.
package child

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Start starts this program with other arguments, and returns the first line that it prints.
// The child should end when its standard input ends. Stop closes that input and waits.
func Start(ctx context.Context, args ...string) (line string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	child := exec.CommandContext(ctx, self, args...) //nolint:gosec // the path of this program
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := child.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = in.Close() // ends the child
		_ = child.Wait()
	}
	line, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("starting %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(line), stop, nil
}
