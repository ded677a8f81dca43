package memfault_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// forgetfulNetwork connects to one server in memory. It can forget its connections, as a NAT or
// a load balancer does: from then on nothing arrives, and nothing is closed.
type forgetfulNetwork struct {
	accept chan net.Conn
	closed chan struct{}

	mu    sync.Mutex
	conns []*forgottenConn // every connection that was dialed
}

func newForgetfulNetwork() *forgetfulNetwork {
	return &forgetfulNetwork{accept: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *forgetfulNetwork) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.accept <- server:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	conn := &forgottenConn{Conn: client, forgotten: make(chan struct{}), closed: make(chan struct{})}
	n.conns = append(n.conns, conn)
	return conn, nil
}

// forget makes all present connections silent.
func (n *forgetfulNetwork) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, conn := range n.conns {
		conn.forget.Do(func() { close(conn.forgotten) })
	}
}

func (n *forgetfulNetwork) dials() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

func (n *forgetfulNetwork) Accept() (net.Conn, error) {
	select {
	case conn := <-n.accept:
		return conn, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *forgetfulNetwork) Close() error   { close(n.closed); return nil }
func (n *forgetfulNetwork) Addr() net.Addr { return &net.TCPAddr{} }

type forgottenConn struct {
	net.Conn
	forgotten, closed chan struct{}
	forget, once      sync.Once
}

func (c *forgottenConn) isForgotten() bool {
	select {
	case <-c.forgotten:
		return true
	default:
		return false
	}
}

func (c *forgottenConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.isForgotten() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

// Write succeeds into the buffer that a socket has.
func (c *forgottenConn) Write(p []byte) (int, error) {
	if c.isForgotten() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *forgottenConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// forgetfulCloud is a fake cloud behind a forgetfulNetwork.
type forgetfulCloud struct {
	*memfaulttest.Server
	network  *forgetfulNetwork
	client   *memfault.Client
	attempts int
}

// newForgetfulCloud returns a cloud, and a client that reaches it with the package's own
// transport. It must be called in a bubble.
func newForgetfulCloud(t *testing.T, http2 bool, opts ...memfault.Option) *forgetfulCloud {
	t.Helper()
	return newLimitedCloud(t, http2, 0, opts...)
}

// newLimitedCloud is like newForgetfulCloud. The server allows so many streams of an HTTP/2
// connection; 0 is its default.
func newLimitedCloud(t *testing.T, http2 bool, streams int, opts ...memfault.Option) *forgetfulCloud {
	t.Helper()
	cloud := &forgetfulCloud{Server: memfaulttest.NewInMemoryServer(t), network: newForgetfulNetwork()}
	cloud.AcceptDamagedChunks()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	server := &http.Server{Handler: cloud.Handler(), Protocols: protocols, ReadHeaderTimeout: time.Hour, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streams}}
	go func() { _ = server.Serve(cloud.network) }()
	transport := memfault.NewTransport()
	transport.DialContext, transport.Protocols = cloud.network.dial, protocols
	var mu sync.Mutex
	opts = append([]memfault.Option{
		memfault.WithBaseURL("http://cloud.test"), memfault.WithInsecureHTTP(), memfault.WithHTTPClient(&http.Client{Transport: transport}),
		memfault.WithObserver(func(context.Context, memfault.Attempt) { mu.Lock(); defer mu.Unlock(); cloud.attempts++ }),
	}, opts...)
	cloud.client = newClient(t, memfault.OrganizationToken(organizationToken), opts...)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		time.Sleep(time.Minute) // until the server has closed its connections
	})
	return cloud
}

// forgettingWriter forgets the connections after its first part.
type forgettingWriter struct {
	bytes.Buffer
	forget sync.Once
	cloud  *forgetfulCloud
}

func (w *forgettingWriter) Write(p []byte) (int, error) {
	w.forget.Do(w.cloud.network.forget)
	return w.Buffer.Write(p)
}

// A connection that is dead without a reset must not be used for every attempt. HTTP/1 closes it
// when an attempt ends without a response. HTTP/2 keeps it, so the transport must find out.
func TestConnection_DeadWithoutReset(t *testing.T) {
	file := bytes.Repeat([]byte("PK\x03\x04"), 1<<20)
	for name, call := range map[string]func(t *testing.T, cloud *forgetfulCloud){
		"read": func(t *testing.T, cloud *forgetfulCloud) {
			require.NoError(t, get(t.Context(), cloud.client))
			assert.Equal(t, 2, cloud.attempts, "the second attempt must succeed")
		},
		"two calls": func(t *testing.T, cloud *forgetfulCloud) {
			require.NoError(t, get(t.Context(), cloud.client))
			require.NoError(t, get(t.Context(), cloud.client))
			assert.Equal(t, 3, cloud.attempts)
		},
		"list with Prefetch": func(t *testing.T, cloud *forgetfulCloud) {
			cloud.SeedFleet(800)
			devices := 0
			for _, err := range cloud.client.Devices.List(sink, memfault.DeviceListOptions{}).Prefetch(4).All(t.Context()) {
				require.NoError(t, err)
				if devices++; devices == 1 {
					cloud.network.forget()
				}
			}
			assert.Equal(t, 800, devices)
		},
		"upload": func(t *testing.T, cloud *forgetfulCloud) {
			content := &memfault.File{Name: "a.zip", Size: int64(len(file)), Content: bytes.NewReader(file)}
			forget := sync.OnceFunc(cloud.network.forget)
			_, err := cloud.client.Uploads.BugReport(t.Context(), sink, content, memfault.BugReportOptions{}, memfault.WithProgress(func(sent, _ int64) {
				if sent > 0 {
					forget()
				}
			}))
			require.NoError(t, err)
		},
		"download": func(t *testing.T, cloud *forgetfulCloud) {
			cloud.AddDevices(memfaulttest.Device{Serial: "A"})
			cloud.SetLogFile("A", "1", file)
			w := &forgettingWriter{cloud: cloud}
			_, err := cloud.client.Devices.DownloadLogFile(t.Context(), sink, "A", "1", w)
			require.NoError(t, err)
			assert.Equal(t, len(file), w.Len())
		},
		"watch": func(t *testing.T, cloud *forgetfulCloud) {
			cloud.AddIssues(memfaulttest.Issue{})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			for _, err := range cloud.client.Issues.Watch(ctx, sink, memfault.WatchOptions{Start: memfault.WatchBeginning}) {
				require.NoError(t, err)
				break
			}
		},
		"sender": func(t *testing.T, cloud *forgetfulCloud) {
			gateway := cloud.client.WithAuth(memfault.ProjectKey(projectKey))
			sender := gateway.Chunks.NewSender(memfault.ChunkSenderOptions{})
			var failures int
			require.NoError(t, sender.Send(t.Context(), "A", []byte{1, 2}, func(err error) {
				if err != nil {
					failures++
				}
			}))
			require.NoError(t, sender.Close(t.Context()))
			assert.Zero(t, failures)
		},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(name+map[bool]string{false: "/HTTP1", true: "/HTTP2"}[http2], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cloud := newForgetfulCloud(t, http2)
					require.NoError(t, get(t.Context(), cloud.client))
					cloud.attempts = 0
					cloud.network.forget()
					start := time.Now()
					call(t, cloud)
					t.Logf("%d attempts, %d connections, %v", cloud.attempts, cloud.network.dials(), time.Since(start))
					assert.GreaterOrEqual(t, cloud.network.dials(), 2)
				})
			})
		}
	}
}

// If all streams of a connection are in use, the package's own transport opens another connection,
// so that no attempt spends its time limit on a wait for a stream.
func TestConnection_NoWaitForStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newLimitedCloud(t, true, 1)
		require.NoError(t, get(t.Context(), cloud.client))
		cloud.Fail(memfaulttest.Fault{Delay: 50 * time.Second})
		start := time.Now()
		var calls sync.WaitGroup
		for range 3 {
			calls.Go(func() {
				var response memfault.Response
				_, err := cloud.client.Projects.Get(t.Context(), sink, memfault.WithResponse(&response))
				if err != nil {
					t.Error(err)
				}
				assert.Equal(t, 1, response.Attempts)
			})
		}
		calls.Wait()
		assert.Equal(t, 50*time.Second, time.Since(start), "not one after the other")
	})
}

func TestTransport_KeepsPingTimesOfDefault(t *testing.T) {
	kept := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = kept })
	http.DefaultTransport = &http.Transport{HTTP2: &http.HTTP2Config{SendPingTimeout: time.Second, MaxReadFrameSize: 1 << 15}}
	given := memfault.NewTransport().HTTP2
	assert.Equal(t, time.Second, given.SendPingTimeout)
	assert.Equal(t, 15*time.Second, given.PingTimeout)
	assert.Equal(t, 1<<15, given.MaxReadFrameSize)
}
