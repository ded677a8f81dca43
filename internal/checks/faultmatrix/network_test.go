package faultmatrix

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// network is a network in memory. Unlike net.Pipe, its connections have buffers, as sockets
// do, and can be reset.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener // by address
	clients   []*conn              // every connection that was dialed
}

func (n *network) listen(address string) *listener {
	l := &listener{address: addr(address), conns: make(chan *conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners == nil {
		n.listeners = map[string]*listener{}
	}
	n.listeners[address] = l
	return l
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, dialError(&net.DNSError{Err: "no such host", Name: address, IsNotFound: true})
	}
	client, server := newConns(l.address)
	select {
	case l.conns <- server:
	case <-l.closed:
		return nil, dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clients = append(n.clients, client)
	return client, nil
}

func dialError(cause error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: cause} }

// eachServerSide calls do for the server's side of each connection that the client has not
// closed.
func (n *network) eachServerSide(do func(*conn)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, client := range n.clients {
		if !client.isClosed() {
			do(client.peer)
		}
	}
}

// open returns the number of connections that the client has not closed.
func (n *network) open() (count int) {
	n.eachServerSide(func(*conn) { count++ })
	return count
}

type listener struct {
	address addr
	conns   chan *conn
	closed  chan struct{}
	close   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { l.close.Do(func() { close(l.closed) }); return nil }
func (l *listener) Addr() net.Addr { return l.address }

type addr string

func (addr) Network() string  { return "memory" }
func (a addr) String() string { return string(a) }

// window is the number of bytes that a connection buffers in each direction.
const window = 256 << 10

// stream is one direction of a connection.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond
	buffer  []byte
	end     error // returned to the reader after the buffer; nil while the writer is open
	gone    error // returned to the writer; nil while the reader is open
	trap    bool  // the next write resets the connection
	lost    bool  // nothing arrives any more
}

func newStream() *stream {
	s := &stream{}
	s.changed.L = &s.mu
	return s
}

func (s *stream) finish(end, gone error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		s.end = end
	}
	if s.gone == nil {
		s.gone = gone
	}
	s.changed.Broadcast()
}

// conn is one side of a connection.
type conn struct {
	in, out     *stream
	peer        *conn
	address     addr
	read, write deadline

	mu     sync.Mutex
	closed bool
}

func newConns(address addr) (client, server *conn) {
	up, down := newStream(), newStream()
	client = &conn{in: down, out: up, address: address}
	server = &conn{in: up, out: down, address: address, peer: client}
	client.peer = server
	client.read.stream, client.write.stream = down, up
	server.read.stream, server.write.stream = up, down
	return client, server
}

var errReset = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Close closes both directions, as if no other process had the socket.
func (c *conn) Close() error {
	c.mu.Lock()
	before := c.closed
	c.closed = true
	c.mu.Unlock()
	if before {
		return net.ErrClosed
	}
	c.read.set(time.Time{})
	c.write.set(time.Time{})
	c.out.finish(io.EOF, net.ErrClosed)
	c.in.finish(net.ErrClosed, syscall.EPIPE)
	return nil
}

// reset breaks the connection. The peer first reads what was written before.
func (c *conn) reset() {
	c.out.finish(errReset, errReset)
	c.in.finish(errReset, errReset)
	_ = c.Close()
}

// resetOnWrite breaks the connection on the next write of the peer. The write itself succeeds.
func (c *conn) resetOnWrite() {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.trap = true
}

// forget makes the connection silent in both directions.
func (c *conn) forget() {
	for _, s := range []*stream{c.in, c.out} {
		s.mu.Lock()
		s.lost = true
		s.mu.Unlock()
	}
}

func (c *conn) Read(p []byte) (int, error) {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case c.isClosed():
			return 0, net.ErrClosed
		case c.read.passed():
			return 0, os.ErrDeadlineExceeded
		case s.lost:
		case len(s.buffer) > 0:
			n := copy(p, s.buffer)
			s.buffer = s.buffer[n:]
			s.changed.Broadcast()
			return n, nil
		case s.end != nil:
			return 0, s.end
		case len(p) == 0:
			return 0, nil
		}
		s.changed.Wait()
	}
}

func (c *conn) Write(p []byte) (written int, err error) {
	s := c.out
	s.mu.Lock()
	if s.trap {
		s.mu.Unlock()
		c.peer.reset()
		return len(p), nil
	}
	defer s.mu.Unlock()
	for len(p) > 0 {
		room := window - len(s.buffer)
		switch {
		case c.isClosed():
			return written, net.ErrClosed
		case s.gone != nil:
			return written, s.gone
		case c.write.passed():
			return written, os.ErrDeadlineExceeded
		case room > 0:
			n := min(room, len(p))
			s.buffer = append(s.buffer, p[:n]...)
			written, p = written+n, p[n:]
			s.changed.Broadcast()
		default:
			s.changed.Wait()
		}
	}
	return written, nil
}

func (c *conn) LocalAddr() net.Addr                { return c.address }
func (c *conn) RemoteAddr() net.Addr               { return c.address }
func (c *conn) SetReadDeadline(at time.Time) error { c.read.set(at); return nil }
func (c *conn) SetWriteDeadline(at time.Time) error {
	c.write.set(at)
	return nil
}

func (c *conn) SetDeadline(at time.Time) error {
	return errors.Join(c.SetReadDeadline(at), c.SetWriteDeadline(at))
}

// deadline wakes a stream when it passes.
type deadline struct {
	stream *stream

	mu    sync.Mutex
	at    time.Time
	timer *time.Timer
}

func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.at = at
	if !at.IsZero() {
		d.timer = time.AfterFunc(time.Until(at), func() {
			d.stream.mu.Lock()
			defer d.stream.mu.Unlock()
			d.stream.changed.Broadcast()
		})
	}
}

func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero() && !time.Now().Before(d.at)
}
