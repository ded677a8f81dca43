package memfaulttest

import (
	"context"
	"net"
	"sync"
)

// loopback is the network of the machine.
type loopback struct{}

func (loopback) listen(string) (net.Listener, string, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	return listener, "http://" + listener.Addr().String(), nil
}

func (loopback) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

// pipes is a network in memory. Goroutines that wait for it are durably blocked, as
// testing/synctest requires.
type pipes struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener // by address
}

func newPipes() *pipes { return &pipes{listeners: map[string]*pipeListener{}} }

func (p *pipes) listen(host string) (net.Listener, string, error) {
	host += ".memfault.test" // a name that resolves nowhere
	l := &pipeListener{address: pipeAddress(host), conns: make(chan net.Conn), closed: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listeners[net.JoinHostPort(host, "80")] = l
	return l, "http://" + host, nil
}

func (p *pipes) dial(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	l := p.listeners[address]
	p.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: pipeAddress(address), Err: net.UnknownNetworkError("memfaulttest")}
	}
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: network, Addr: l.address, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pipeListener accepts the connections of one host.
type pipeListener struct {
	address pipeAddress
	conns   chan net.Conn
	closed  chan struct{}
	close   sync.Once
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipeListener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return l.address }

type pipeAddress string

// Network implements net.Addr.
func (pipeAddress) Network() string { return "memory" }

func (a pipeAddress) String() string { return string(a) }
