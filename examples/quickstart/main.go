// Command quickstart prints a summary of a fleet: the software versions of its devices, the
// number of devices that were not seen for a day, and the reasons of the latest reboots.
//
// By default it starts a fake cloud with a small fleet in its own process. There, a device also
// boots, crashes and uploads chunks, and the program reads the issue of the crash. If
// MEMFAULT_ORG_TOKEN, MEMFAULT_ORG and MEMFAULT_PROJECT are set, it reads from the real
// cloud. It changes nothing there.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	if os.Getenv("MEMFAULT_ORG_TOKEN") != "" {
		return readRealCloud(ctx, out)
	}
	cloud, err := memfaulttest.Start()
	if err != nil {
		return err
	}
	defer cloud.Close()
	cloud.SeedFleet(250)
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), cloud.Options()...)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A fake cloud runs in this process. No request leaves this machine.\n\n")
	if err := summarize(ctx, out, client, cloud.Project()); err != nil {
		return err
	}
	if err := tryChanges(ctx, out, client, cloud.Project()); err != nil {
		return err
	}
	if err := crash(ctx, out, client, cloud.Project(), cloud.ProjectKey()); err != nil {
		return err
	}
	fmt.Fprint(out, next)
	return nil
}

// next is what a user can try after the fake.
const next = `
Next:
  your own fleet   set MEMFAULT_ORG_TOKEN, MEMFAULT_ORG and MEMFAULT_PROJECT, and run this again; it only reads
  the whole fake   go run ./examples/fakecloud, and open http://127.0.0.1:8080
  a log of yours   go run ./examples/chunks device.log
  a release        (cd examples/ci-release && go run . -fake status -cohort beta)
  your own code    start from examples/quickstart/main.go
`

func readRealCloud(ctx context.Context, out io.Writer) error {
	client, project, err := memfault.NewClientFromEnv(memfault.WithUserAgent("memfault-go-quickstart"))
	if err != nil {
		return err
	}
	return summarize(ctx, out, client, project)
}

// tryChanges moves a device to another cohort, and requests an unknown device.
func tryChanges(ctx context.Context, out io.Writer, client *memfault.Client, project memfault.ProjectRef) error {
	const serial = "SINK-0003"
	before, err := client.Devices.Get(ctx, project, serial)
	if err != nil {
		return err
	}
	after, err := client.Devices.Update(ctx, project, serial, memfault.DeviceUpdate{Cohort: memfault.Set("beta")})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nMoved %s from cohort %s to %s.\n", serial, before.Cohort.Slug, after.Cohort.Slug)

	_, err = client.Devices.Get(ctx, project, "NO-SUCH-SERIAL")
	var apiError *memfault.Error
	if !errors.Is(err, memfault.ErrNotFound) || !errors.As(err, &apiError) {
		return fmt.Errorf("unexpected error for an unknown serial: %w", err)
	}
	fmt.Fprintf(out, "\nAn unknown serial returns a typed error:\n  errors.Is(err, memfault.ErrNotFound) is true\n  operation %s, status %d, type %s, code %d\n  %s\n",
		apiError.Operation, apiError.StatusCode, apiError.Type, apiError.Code, apiError.Message)
	return nil
}
