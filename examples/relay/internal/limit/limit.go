// Package limit limits what strangers can use of a server that they can reach.
package limit

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Listener limits the connections of a listener, and of each address. A connection above a
// limit is closed immediately.
type Listener struct {
	net.Listener
	Most    int           // connections; 0 is no limit
	MostOf  int           // connections of an address; 0 is no limit
	Greeted time.Duration // a client must have sent its first packet within; the server extends it; 0 is no limit
	Refused func()        // counts; may be nil

	mu     sync.Mutex
	open   int
	openOf map[string]int
}

// Open returns the number of connections.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// acceptWait is how long to wait if no connection can be accepted, for example because the
// process has too many open files.
const acceptWait = 100 * time.Millisecond

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			time.Sleep(acceptWait)
			continue
		}
		address, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			address = c.RemoteAddr().String()
		}
		if !l.add(address) {
			if l.Refused != nil {
				l.Refused()
			}
			_ = c.Close() // nothing was sent
			continue
		}
		if l.Greeted > 0 {
			_ = c.SetDeadline(time.Now().Add(l.Greeted)) // a connection that is closed has no deadline
		}
		return &conn{Conn: c, closed: sync.OnceFunc(func() { l.remove(address) })}, nil
	}
}

func (l *Listener) add(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Most > 0 && l.open >= l.Most || l.MostOf > 0 && l.openOf[address] >= l.MostOf {
		return false
	}
	if l.openOf == nil {
		l.openOf = map[string]int{}
	}
	l.open++
	l.openOf[address]++
	return true
}

func (l *Listener) remove(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.openOf[address]--; l.openOf[address] == 0 {
		delete(l.openOf, address)
	}
}

type conn struct {
	net.Conn
	closed func()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// Budget limits requests in flight, and the bytes that they hold in memory.
type Budget struct {
	mu       sync.Mutex
	requests int
	bytes    int64
}

// NewBudget returns a [Budget].
func NewBudget(requests int, bytes int64) *Budget { return &Budget{requests: requests, bytes: bytes} }

// Begin begins a request. It returns nil if there are too many.
func (b *Budget) Begin() *Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.requests == 0 {
		return nil
	}
	b.requests--
	return &Request{budget: b}
}

// Request is a request in flight. It is not safe for concurrent use by multiple goroutines.
type Request struct {
	budget *Budget
	bytes  int64
}

// Take takes bytes, and reports whether there are enough.
func (r *Request) Take(bytes int) bool {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	if r.budget.bytes < int64(bytes) {
		return false
	}
	r.budget.bytes -= int64(bytes)
	r.bytes += int64(bytes)
	return true
}

// End ends the request, and returns what it has taken.
func (r *Request) End() {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	r.budget.requests++
	r.budget.bytes += r.bytes
}
