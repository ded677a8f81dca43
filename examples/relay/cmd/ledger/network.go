//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// network connects the processes of the ledger. Each has its own network namespace, as if it
// ran on its own machine, and an interface on a bridge in the namespace of the ledger. A nil
// network is loopback, which all share.
type network struct {
	bridge *netlink.Bridge

	mu    sync.Mutex
	links map[*process]netlink.Link // on the bridge
	count int
}

const (
	bridgeAddress = "10.77.0.1" // of the ledger
	mask          = "/24"
	diskSize      = 192 << 20 // of each process, in memory
)

// runIsolated calls run in a process with its own network and mounts, if the system permits
// that, and else in this one.
func runIsolated(ctx context.Context, c config, out io.Writer) error {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a directory for temporary files
	p := &process{role: role{Ledger: &ledgerRole{c, dir}}}
	err = p.startWith(&syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}, out)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { p.signal(syscall.SIGTERM) })
		defer stop()
		err = p.cmd.Wait()
		if p.cmd.ProcessState.ExitCode() != exitNotIsolated {
			return err
		}
	}
	fmt.Fprintln(out, "all processes share a network and a disk, because namespaces cannot be made here:", err)
	return run(ctx, c, nil, dir, out)
}

// exitNotIsolated is the exit status of a ledger that cannot make its network.
const exitNotIsolated = 77

// runInNamespaces runs a ledger in a process that [runIsolated] started.
func runInNamespaces(ctx context.Context, r ledgerRole) error {
	n, err := newNetwork()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(exitNotIsolated)
	}
	return run(ctx, r.Config, n, r.Dir, os.Stdout)
}

func newNetwork() (*network, error) {
	n := &network{links: map[*process]netlink.Link{}, bridge: &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "ledger"}}}
	// What is mounted from here on is not visible to others.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("mounts: %w", err)
	}
	if err := netlink.LinkAdd(n.bridge); err != nil {
		return nil, fmt.Errorf("bridge: %w", err)
	}
	if err := raise("lo", ""); err != nil {
		return nil, err
	}
	return n, raise(n.bridge.Name, bridgeAddress)
}

// raise sets the address of an interface of this process, and enables it.
func raise(name, address string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if address != "" {
		parsed, err := netlink.ParseAddr(address + mask)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, parsed); err != nil {
			return fmt.Errorf("address of %s: %w", name, err)
		}
	}
	return netlink.LinkSetUp(link)
}

const childInterface = "eth0"

// join waits until the ledger has connected this process, and sets its address.
func join(ctx context.Context, address string) error {
	if address == "" {
		return nil
	}
	if err := raise("lo", ""); err != nil {
		return err
	}
	for {
		err := raise(childInterface, address)
		if err == nil || !errors.As(err, new(netlink.LinkNotFoundError)) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// address returns the address of the i-th process.
func (n *network) address(i int) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf("10.77.0.%d", 10+i)
}

// connect connects a process that has just started.
func (n *network) connect(p *process) error {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count++
	name := fmt.Sprintf("p%d", n.count)
	link := netlink.NewVeth(netlink.LinkAttrs{Name: name, MasterIndex: n.bridge.Index})
	link.PeerName, link.PeerNamespace = childInterface, netlink.NsPid(p.cmd.Process.Pid)
	// The same hardware address after a restart: others have it in their tables.
	link.PeerHardwareAddr = append(net.HardwareAddr{2, 0}, net.ParseIP(p.role.Address).To4()...)
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("interface of %s: %w", p.name, err)
	}
	n.links[p] = link
	return netlink.LinkSetUp(link)
}

// cutOff cuts a process off from all others, until the returned function is called. Connections
// stay open on both sides, as when a cable is pulled.
func (n *network) cutOff(p *process) (rejoin func() error, err error) {
	if n == nil {
		p.signal(syscall.SIGSTOP)
		return func() error { p.signal(syscall.SIGCONT); return nil }, nil
	}
	n.mu.Lock()
	link := n.links[p]
	n.mu.Unlock()
	return func() error { return netlink.LinkSetUp(link) }, netlink.LinkSetDown(link)
}

// cutOffFrom drops what a process sends to some others, until the returned function is called.
func (n *network) cutOffFrom(p *process, others []*process) (rejoin func() error, err error) {
	if n == nil {
		return n.cutOff(p)
	}
	namespace, err := netns.GetFromPid(p.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	defer namespace.Close() //nolint:errcheck // only read
	handle, err := netlink.NewHandleAt(namespace)
	if err != nil {
		return nil, err
	}
	var routes []*netlink.Route
	for _, other := range others {
		to := &net.IPNet{IP: net.ParseIP(other.role.Address), Mask: net.CIDRMask(32, 32)}
		routes = append(routes, &netlink.Route{Dst: to, Type: unix.RTN_BLACKHOLE})
	}
	each := func(do func(*netlink.Route) error) (err error) {
		for _, route := range routes {
			err = errors.Join(err, do(route))
		}
		return err
	}
	return func() error { defer handle.Close(); return each(handle.RouteDel) }, each(handle.RouteAdd)
}

// disk makes the disk of a process.
func (n *network) disk(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil || n == nil {
		return err
	}
	return unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", diskSize))
}

// fill fills a disk to its last byte. The returned function makes room again.
func fill(dir string) (empty func() error, err error) {
	path := filepath.Join(dir, "of-another-program")
	file, err := os.Create(path) //nolint:gosec // in a directory of the ledger
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // its content does not matter
	block := make([]byte, 4096)
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return nil, err
	}
	return func() error { return os.Remove(path) }, nil
}

// reachable returns a URL of a server on loopback at which the processes reach it.
func (n *network) reachable(ctx context.Context, url string) (string, error) {
	if n == nil {
		return url, nil
	}
	target := strings.TrimPrefix(url, "http://")
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", bridgeAddress+":0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() }) // it ends the loop
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(ctx, conn, target)
		}
	}()
	return "http://" + listener.Addr().String(), nil
}

// forward copies between a connection and a new one until both have ended.
func forward(ctx context.Context, conn net.Conn, target string) {
	defer conn.Close() //nolint:errcheck // the peer sees what there is to see
	to, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(to, conn)
		_ = to.Close()
	})
	_, _ = io.Copy(conn, to)
	_ = conn.Close()
	wg.Wait()
}
