//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/memfault-go/memfault/memfaulttest"
)

// disturbance happens at a part of the time.
type disturbance struct {
	at  float64
	run func() error
}

// disturb does at fixed parts of the time what should not matter.
func disturb(ctx context.Context, c config, f *fleet, cloud *memfaulttest.Server, logf func(string, ...any)) error {
	d := disturber{c, f, cloud, logf}
	all := d.ofCluster(ctx)
	if c.Single {
		all = d.ofSingle(ctx)
	}
	all = append(all, d.ofCloud()...)
	slices.SortFunc(all, func(a, b disturbance) int { return cmp.Compare(a.at, b.at) })
	began := time.Now()
	var errs []error
	for _, each := range all {
		select {
		case <-ctx.Done():
			return errors.Join(append(errs, ctx.Err())...)
		case <-time.After(time.Until(began.Add(time.Duration(each.at * float64(c.Duration))))):
			errs = append(errs, each.run())
		}
	}
	return errors.Join(errs...)
}

type disturber struct {
	c     config
	f     *fleet
	cloud *memfaulttest.Server
	logf  func(format string, args ...any)
}

func (d disturber) ofCluster(ctx context.Context) []disturbance {
	nodes, relays := d.f.nodes, d.f.relays
	lost := d.c.Lease + 2*time.Second // long enough to lose the leases
	return []disturbance{
		{.08, func() error { return d.restart(relays[0], d.c.Duration/100) }},
		{.28, func() error {
			rejoin, err := d.f.network.cutOffFrom(relays[1], nodes)
			return d.during(lost, "relay-2 does not reach the NATS servers", rejoin, err)
		}},
		{.36, func() error {
			rejoin, err := d.f.network.cutOff(nodes[1])
			return d.during(min(d.c.Duration/15, 30*time.Second), "nats-2 is cut off", rejoin, err)
		}},
		{.46, func() error { return d.restart(nodes[0], d.c.Duration/60) }},
		{.52, func() error {
			// nats-server disables JetStream on the full server until it is restarted.
			return errors.Join(d.fillDisk(ctx, nodes[2]), d.restart(nodes[2], d.c.Duration/100))
		}},
		{.76, func() error { return d.restart(relays[1], d.c.Duration/100) }},
		{.80, func() error {
			rejoin, err := d.f.network.cutOff(relays[0])
			return d.during(lost, "relay-1 is cut off", rejoin, err)
		}},
		{.88, func() error {
			relays[2].signal(syscall.SIGSTOP)
			return d.during(lost, "relay-3 is stopped", func() error { relays[2].signal(syscall.SIGCONT); return nil }, nil)
		}},
	}
}

func (d disturber) ofSingle(ctx context.Context) []disturbance {
	relay := d.f.relays[0]
	var all []disturbance
	for _, at := range []float64{.08, .30, .40, .80, .90} {
		all = append(all, disturbance{at, func() error { return d.restart(relay, d.c.Duration/100) }})
	}
	return append(all, disturbance{.46, func() error { return d.fillDisk(ctx, relay) }})
}

func (d disturber) ofCloud() []disturbance {
	respond := func(status int, span time.Duration, what string) func() error {
		return func() error {
			d.cloud.Heal()
			d.cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Status: status})
			return d.during(span, what, func() error {
				d.cloud.Heal()
				fail(d.cloud, d.c)
				return nil
			}, nil)
		}
	}
	return []disturbance{
		{.16, respond(503, d.c.Outage, "the cloud is away")},
		{.62, respond(403, d.c.Refusal, "the project key is rejected")},
		{.69, respond(404, d.c.Wrong, "the address of the cloud is wrong")},
	}
}

// during waits while something is the case, and ends it.
func (d disturber) during(span time.Duration, what string, end func() error, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	d.logf("%s for %v", what, span.Round(time.Second/10))
	time.Sleep(span)
	d.logf("it is over: %s", what)
	return end()
}

func (d disturber) restart(p *process, after time.Duration) error {
	p.kill()
	d.logf("kill -9 of %s", p.name)
	time.Sleep(after)
	d.logf("%s starts again", p.name)
	return p.start()
}

// fillDisk fills the disk of a process, and empties it.
func (d disturber) fillDisk(ctx context.Context, p *process) error {
	if d.f.network == nil {
		return nil // the disk is not its own
	}
	empty, err := fill(p.dir)
	return d.during(min(d.c.Duration/15, 30*time.Second), "the disk of "+p.name+" is full", func() error {
		d.logf("relay-1 says: %s", d.storeState(ctx))
		return empty()
	}, err)
}

// storeState returns what a relay says of its store.
func (d disturber) storeState(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	body, err := d.f.relays[0].get(ctx, "/metrics")
	if err != nil {
		return err.Error()
	}
	var said []string
	for line := range strings.Lines(string(body)) {
		for _, name := range []string{"relay_store_up ", "relay_store_replicas_current ", "relay_chunks_refused_total{"} {
			if strings.HasPrefix(line, name) {
				said = append(said, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(said, ", ")
}
