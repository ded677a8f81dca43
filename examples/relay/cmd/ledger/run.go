//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/memfault-go/memfault/memfaulttest"
)

// run runs the ledger, with the disks in dir, and prints it. It returns an error if a promise was broken.
func run(ctx context.Context, c config, n *network, dir string, out io.Writer) error {
	c.setDefaults()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cloud, err := memfaulttest.Start()
	if err != nil {
		return err
	}
	cloud.AcceptDamagedChunks() // the chunks are numbered texts
	defer cloud.Close()
	began := time.Now()
	logf := func(format string, args ...any) {
		fmt.Fprintf(out, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	url, err := n.reachable(ctx, cloud.URL)
	if err != nil {
		return err
	}
	f, err := startFleet(ctx, c, n, url, cloud.ProjectKey(), dir)
	if f != nil {
		defer f.kill()
	}
	if err != nil {
		return err
	}
	logf("%d NATS servers and %d relays are ready", len(f.nodes), len(f.relays))
	fail(cloud, c)
	devices := newDevices(c.Devices, f.relays)
	publishing, stop := context.WithCancel(ctx)
	defer stop()
	from := time.Now()
	samples := sample(publishing, f.relays, c.Duration/20)
	published := publishAll(ctx, publishing, devices, c.Interval)
	logf("%d devices publish a chunk each %v; %.0f %% of the uploads fail, and all of %.0f %% of the devices", c.Devices, c.Interval, 100*c.Faults, 100*c.Sick)
	if c.Disturb { // longer than the duration, on a slow machine
		err = disturb(ctx, c, f, cloud, logf)
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(from.Add(c.Duration))):
	}
	stop()
	published.Wait()
	c.Duration = time.Since(from).Round(time.Second)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	logf("the devices have stopped")
	c.Sick = 0
	cloud.Heal()
	fail(cloud, c)
	took := drain(ctx, c, devices, cloud)
	logf("the last chunk arrived after %v", took.Round(time.Second/10))
	var stopErrors []error
	for i, relay := range f.relays {
		if err := relay.stop(); err != nil {
			stopErrors = append(stopErrors, fmt.Errorf("relay %d: %w", i+1, err))
		}
	}
	logf("the relays have shut down")
	return errors.Join(err, errors.Join(stopErrors...), report(out, c, devices, cloud, <-samples))
}

// fail makes a share of the uploads fail, in each way with the same probability, and all
// uploads of the devices that are sick.
func fail(cloud *memfaulttest.Server, c config) {
	share := c.Faults
	for n := range int(c.Sick * float64(c.Devices)) {
		cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Device: serialOf(n), Status: 503})
	}
	if share == 0 { // the share 0 of a fault is all
		return
	}
	each := share / 4
	for i, fault := range []memfaulttest.Fault{
		{Status: 503}, {Status: 429, RetryAfter: "1"}, {Drop: true}, {DropResponse: true},
	} {
		fault.Operation, fault.Seed = "chunks.upload", uint64(i+1)
		fault.Share = each / (1 - float64(i)*each) // of the requests that the faults before leave over
		cloud.Fail(fault)
	}
}

// drain waits until all acknowledged chunks have arrived, but not longer than c.Drain.
func drain(ctx context.Context, c config, devices []*device, cloud *memfaulttest.Server) time.Duration {
	began := time.Now()
	for ctx.Err() == nil && time.Since(began) < c.Drain {
		missing := false
		for _, d := range devices {
			if n := int(d.stored.Load()); n > 0 && !contains(cloud.Chunks(d.serial), d.text(n-1)) {
				missing = true
				break
			}
		}
		if !missing {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	return time.Since(began)
}

func contains(chunks [][]byte, text string) bool {
	for i := len(chunks) - 1; i >= 0; i-- {
		if string(chunks[i]) == text {
			return true
		}
	}
	return false
}

// countOf counts the violations with a text.
func countOf(violations []string, text string) int {
	n := 0
	for _, violation := range violations {
		if strings.Contains(violation, text) {
			n++
		}
	}
	return n
}
