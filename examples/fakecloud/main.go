// Command fakecloud serves a fake Memfault with a small fleet on loopback, and prints its
// credentials and example requests. It serves all hosts of Memfault at one address.
//
//	go run ./examples/fakecloud -addr 127.0.0.1:8080
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on; with port 0, a free port is chosen")
	devices := flag.Int("devices", 250, "number of devices in the fleet")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, *addr, *devices); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, addr string, devices int) error {
	cloud := fakecloud.New()
	cloud.SeedFleet(devices)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	help("http://" + listener.Addr().String())
	server := &http.Server{Handler: cloud.Handler(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func help(url string) {
	project := url + "/api/v0/organizations/" + fakecloud.Organization + "/projects/" + fakecloud.Project
	fmt.Printf(`A fake Memfault is listening at %[1]s. Press Ctrl-C to stop it.

  organization, project  %[3]s, %[4]s
  organization token     %[5]s
  email                  %[6]s
  password               %[7]s
  user API key           %[8]s
  project key            %[9]s

Try it:

  curl -H 'Authorization: Bearer %[5]s' '%[2]s/devices?per_page=2'
  curl -u '%[6]s:%[8]s' '%[1]s/auth/me'
  curl -u ':%[5]s' -X PATCH -H 'Content-Type: application/json' -d '{"cohort":"beta"}' '%[2]s/devices/SINK-0001'
  curl -u ':%[5]s' '%[2]s/devices/SINK-0001/reboots'
  curl -H 'Memfault-Project-Key: %[9]s' -H 'Content-Type: application/octet-stream' -d 'a chunk' '%[1]s/api/v0/chunks/SINK-0001'

In a Go program:

  client, err := memfault.NewClient(memfault.OrganizationToken("%[5]s"), memfault.WithBaseURL("%[1]s"))

`, url, project, fakecloud.Organization, fakecloud.Project, fakecloud.OrgToken,
		fakecloud.Email, fakecloud.Password, fakecloud.APIKey, fakecloud.ProjectKey)
}
