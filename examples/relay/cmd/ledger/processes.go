package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is a child process that can be killed and started again.
type process struct {
	role role

	mu  sync.Mutex
	cmd *exec.Cmd
}

func (p *process) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := json.Marshal(p.role)
	if err != nil {
		return err
	}
	cmd := exec.Command(self) //nolint:gosec,noctx // the same program; it is stopped by kill and stop
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	// The child must not survive this process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = cmd
	return cmd.Start()
}

// kill kills the process with SIGKILL.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill() // it may be dead
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// signal sends a signal to the process.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s) // it may be dead
	}
}

// stop asks the process to end, and returns how it ended.
func (p *process) stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := p.cmd.Wait()
	p.cmd = nil
	return err
}

// fleet is the processes of the ledger.
type fleet struct {
	nodes  []*process
	relays []*process
	url    string // of the cluster
}

// counts returns how many processes there are.
func (c config) counts() (nodes, relays int) {
	if c.single {
		return 0, 1
	}
	return 3, 3
}

// startFleet starts a cluster of NATS servers, and relays.
func startFleet(ctx context.Context, c config, cloud, key, dir string) (*fleet, error) {
	nodeCount, relayCount := c.counts()
	ports, err := freePorts(2*nodeCount + 3*relayCount)
	if err != nil {
		return nil, err
	}
	f := &fleet{url: routes(ports[:nodeCount])}
	for i := range nodeCount {
		node := &process{role: role{NATS: &natsRole{
			Name: fmt.Sprintf("node-%d", i), Dir: filepath.Join(dir, fmt.Sprintf("node-%d", i)),
			Port: ports[i], Route: ports[nodeCount+i], Routes: routes(ports[nodeCount : 2*nodeCount]),
		}}}
		f.nodes = append(f.nodes, node)
	}
	for i := range relayCount {
		at := 2*nodeCount + 3*i
		f.relays = append(f.relays, &process{role: role{Relay: &relayRole{
			NATS: f.url, Cloud: cloud, Key: key, Partitions: c.partitions, Replicas: max(nodeCount, 1), Lease: c.lease, Verbose: c.verbose,
			Dir: filepath.Join(dir, "store"), Fsync: c.fsync,
			HTTP: fmt.Sprintf("127.0.0.1:%d", ports[at]), MQTT: fmt.Sprintf("127.0.0.1:%d", ports[at+1]), Admin: fmt.Sprintf("127.0.0.1:%d", ports[at+2]),
		}}})
	}
	for _, p := range append(append([]*process(nil), f.nodes...), f.relays...) {
		if err := p.start(); err != nil {
			return f, err
		}
	}
	for _, relay := range f.relays {
		if err := relay.awaitReady(ctx, 2*time.Minute); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (p *process) awaitReady(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for ctx.Err() == nil {
		if _, err := p.get(ctx, "/readyz"); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("a relay did not become ready")
}

// kill kills all processes.
func (f *fleet) kill() {
	for _, p := range append(append([]*process(nil), f.relays...), f.nodes...) {
		p.kill()
	}
}

// freePorts returns ports of loopback that are free now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it returns immediately
		if err != nil {
			return nil, err
		}
		defer listener.Close() //nolint:errcheck // after all ports are known
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// get returns the body of a response of a relay.
func (p *process) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.role.Relay.Admin+path, nil)
	if err != nil {
		return nil, err
	}
	return do(request)
}
