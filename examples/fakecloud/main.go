// Command fakecloud serves a fake Memfault with a fleet on loopback, for programs in any
// language. It serves all hosts of Memfault at one address.
//
//	go run ./examples/fakecloud -addr 127.0.0.1:8080
//
// The page at / shows, live, what the chunks of devices contain and what is damaged. It also
// shows the credentials, example requests and the operations. The requests under /fake/ make the
// server fail, return what it received, and set its clock; GET /fake/ describes them. Web pages
// of other sites can use neither.
//
// The flag -fail makes requests fail from the start. It can be repeated:
//
//	-fail devices.list=503:3           the first 3 requests fail with 503
//	-fail chunks.upload=429/60:1       Retry-After is 60
//	-fail 'chunks.upload@SINK-0001=drop'  the connection breaks, for one device
//	-fail '*=2s'                       every response is delayed by 2 seconds
//
// Instead of a status or a delay, drop closes the connection before the operation is carried
// out, dropresponse after it, and cut in the middle of the response body.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/memfault-go/memfault/memfaulttest"
)

// config contains the values of the flags.
type config struct {
	addr    string
	devices int
	faults  faultFlag
}

func main() {
	var c config
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8080", "`address` to listen on; with port 0, a free port is chosen")
	flag.IntVar(&c.devices, "devices", 250, "`number` of devices in the fleet")
	flag.Var(&c.faults, "fail", "`fault` from the start, such as devices.list=503:3; can be repeated")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "fakecloud: unexpected argument %q: the address is in -addr\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fakecloud:", err)
		os.Exit(1)
	}
}

// serve runs until ctx ends.
func serve(ctx context.Context, c config, out io.Writer) error {
	cloud, err := memfaulttest.Start()
	if err != nil {
		return err
	}
	defer cloud.Close()
	cloud.SeedFleet(c.devices)
	if c.devices > 0 {
		cloud.SeedDemo()
	}
	for _, fault := range c.faults {
		cloud.Fail(fault)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	fmt.Fprintf(out, "A fake Memfault is listening at %s. Press Ctrl-C to stop it.\n\n", url)
	if err := printHelp(out, cloud, url); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(c.addr) // Listen has checked it
	server := &http.Server{Handler: handler(cloud, url, host), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler serves Memfault's API, the page and the requests under /fake/. host is the name of
// the server besides IP addresses.
func handler(cloud *memfaulttest.Server, url, host string) http.Handler {
	received := newArrivals(cloud)
	own := http.NewServeMux()
	own.Handle("GET /{$}", page(cloud, url, received))
	own.Handle("GET /fake/live", received.live())
	(&door{cloud: cloud}).register(own)

	mux := http.NewServeMux()
	mux.Handle("/", received.watch(cloud.Handler()))
	mux.Handle("GET /{$}", guard(host, own))
	mux.Handle("/fake/", guard(host, own))
	return mux
}
