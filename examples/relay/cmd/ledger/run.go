package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/memfault-go/memfault/memfaulttest"
)

// run runs the ledger and prints it. It returns an error if a promise was broken.
func run(ctx context.Context, c config, out io.Writer) error {
	c.setDefaults()
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a directory for temporary files
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
	f, err := startFleet(ctx, c, cloud.URL, cloud.ProjectKey(), dir)
	if f != nil {
		defer f.kill()
	}
	if err != nil {
		return err
	}
	logf("%d NATS servers and %d relays are ready", len(f.nodes), len(f.relays))
	fail(cloud, c)
	devices := newDevices(c.devices, f.relays)
	publishing, stop := context.WithTimeout(ctx, c.duration)
	defer stop()
	samples := sample(publishing, f.relays, c.duration/20)
	published := publishAll(ctx, publishing, devices, c.interval)
	logf("%d devices publish a chunk each %v; %.0f %% of the uploads fail, and all of %.0f %% of the devices", c.devices, c.interval, 100*c.faults, 100*c.sick)
	scheduled := make(chan error, 1)
	go func() { scheduled <- disturb(publishing, c, f, cloud, logf) }()
	published.Wait()
	err = <-scheduled
	if ctx.Err() != nil {
		return ctx.Err()
	}
	logf("the devices have stopped")
	c.sick = 0
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
	share := c.faults
	for n := range int(c.sick * float64(c.devices)) {
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

// disturb does at fixed parts of the time what should not matter.
func disturb(ctx context.Context, c config, f *fleet, cloud *memfaulttest.Server, logf func(string, ...any)) error {
	began := time.Now()
	at := func(share float64) bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Until(began.Add(time.Duration(share * float64(c.duration))))):
			return true
		}
	}
	restart := func(p *process, name string, after time.Duration) error {
		p.kill()
		logf("kill -9 of %s", name)
		time.Sleep(after)
		logf("%s starts again", name)
		return p.start()
	}
	respond := func(status int, span time.Duration) {
		cloud.Heal()
		cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Status: status})
		time.Sleep(span)
		cloud.Heal()
		fail(cloud, c)
	}
	var errs []error
	if c.kills && at(.1) {
		errs = append(errs, restart(f.relays[0], "relay 1", c.duration/100))
	}
	if c.outage > 0 && at(.25) {
		logf("the cloud is away for %v", c.outage)
		respond(503, c.outage)
		logf("the cloud is back")
	}
	if c.kills && at(.45) {
		errs = append(errs, restart(f.nodes[0], "NATS server 1", c.duration/60))
	}
	if c.refusal > 0 && at(.6) {
		logf("the project key is rejected for %v", c.refusal)
		respond(403, c.refusal)
		logf("the project key is valid again")
	}
	if c.wrong > 0 && at(.68) {
		logf("the address of the cloud is wrong for %v", c.wrong)
		respond(404, c.wrong)
		logf("the address is right again")
	}
	if c.kills && at(.75) {
		errs = append(errs, restart(f.relays[1], "relay 2", c.duration/100))
	}
	if c.kills && at(.85) {
		pause := c.lease + 2*time.Second
		logf("relay 3 is stopped for %v, longer than its leases", pause)
		f.relays[2].signal(syscall.SIGSTOP)
		time.Sleep(pause)
		f.relays[2].signal(syscall.SIGCONT)
		logf("relay 3 continues")
	}
	return errors.Join(errs...)
}

// drain waits until all acknowledged chunks have arrived, but not longer than c.drain.
func drain(ctx context.Context, c config, devices []*device, cloud *memfaulttest.Server) time.Duration {
	began := time.Now()
	for ctx.Err() == nil && time.Since(began) < c.drain {
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
