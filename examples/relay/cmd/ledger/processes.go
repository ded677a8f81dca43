//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a child process that can be killed and started again.
type process struct {
	name    string
	role    role
	network *network
	dir     string // of what it stores

	mu  sync.Mutex
	cmd *exec.Cmd
}

// start starts the process, which does not survive this one.
func (p *process) start() error {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if p.network != nil {
		attributes.Cloneflags = syscall.CLONE_NEWNET
	}
	if err := p.startWith(attributes, os.Stdout); err != nil {
		return err
	}
	return p.network.connect(p)
}

func (p *process) startWith(attributes *syscall.SysProcAttr, out io.Writer) error {
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
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, os.Stderr, attributes
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
	network *network
	nodes   []*process
	relays  []*process
}

// counts returns how many processes there are.
func (c config) counts() (nodes, relays int) {
	if c.Single {
		return 0, 1
	}
	return 3, 3
}

// startFleet starts a cluster of NATS servers, and relays.
func startFleet(ctx context.Context, c config, n *network, cloud, key, dir string) (*fleet, error) {
	nodeCount, relayCount := c.counts()
	ports, err := freePorts(2*nodeCount + 3*relayCount)
	if err != nil {
		return nil, err
	}
	f := &fleet{network: n}
	// at returns an address of the i-th process with the next port.
	at := func(i int) string {
		port := ports[0]
		ports = ports[1:]
		return net.JoinHostPort(cmp.Or(n.address(i), "127.0.0.1"), strconv.Itoa(port))
	}
	newProcess := func(i int, name string, r role) *process {
		r.Address = n.address(i)
		return &process{name: name, role: r, network: n, dir: filepath.Join(dir, name)}
	}
	var clients, routes []string
	for i := range nodeCount {
		clients, routes = append(clients, "nats://"+at(i)), append(routes, "nats://"+at(i))
	}
	for i := range nodeCount {
		name := fmt.Sprintf("nats-%d", i+1)
		f.nodes = append(f.nodes, newProcess(i, name, role{NATS: &natsRole{
			Name: name, Dir: filepath.Join(dir, name), Client: clients[i], Route: routes[i], Routes: strings.Join(routes, ","),
		}}))
	}
	for i := range relayCount {
		name, place := fmt.Sprintf("relay-%d", i+1), nodeCount+i
		f.relays = append(f.relays, newProcess(place, name, role{Relay: &relayRole{
			NATS: strings.Join(clients, ","), Cloud: cloud, Key: key, Partitions: c.Partitions, Replicas: max(nodeCount, 1), Lease: c.Lease,
			Verbose: c.Verbose, Dir: filepath.Join(dir, name), Fsync: c.Fsync, HTTP: at(place), MQTT: at(place), Admin: at(place),
		}}))
	}
	for _, p := range f.all() {
		if err := errors.Join(n.disk(p.dir), p.start()); err != nil {
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

func (f *fleet) all() []*process { return slices.Concat(f.nodes, f.relays) }

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
	for _, p := range f.all() {
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
