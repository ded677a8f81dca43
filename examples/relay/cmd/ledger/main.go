// Command ledger shows that a fleet of relays loses no chunk and keeps the order of each
// device, whatever happens to its parts. It starts three relays and a cluster of three NATS
// servers, as processes of their own, and devices that publish by MQTT and HTTP. While a fake
// Memfault fails a part of the requests, and all of some devices, it kills relays and a NATS
// server, takes the cloud away, rejects the project key, and has a wrong address. In the end it compares the chunks that were confirmed to
// the devices with the chunks that arrived.
//
//	go run ./cmd/ledger -for 60s
//
// The following command measures the throughput of one relay:
//
//	go run ./cmd/ledger -single -faults 0 -devices 256 -interval 1ms -for 30s
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// config contains the values of the flags.
type config struct {
	duration   time.Duration
	devices    int
	interval   time.Duration // between the chunks of a device
	faults     float64
	outage     time.Duration
	refusal    time.Duration
	wrong      time.Duration
	sick       float64
	kills      bool
	partitions int
	lease      time.Duration
	drain      time.Duration // how long the last chunks may take to arrive
	single     bool
	fsync      time.Duration // of the store of a single relay
	verbose    bool
}

func main() {
	if isChild() {
		exit(child())
	}
	var c config
	flag.DurationVar(&c.duration, "for", time.Minute, "how long the devices publish")
	flag.IntVar(&c.devices, "devices", 2000, "number of devices; every tenth uses HTTP")
	flag.DurationVar(&c.interval, "interval", 8*time.Second, "average time between the chunks of a device")
	flag.Float64Var(&c.faults, "faults", 0.24, "share of the uploads that fail")
	flag.DurationVar(&c.outage, "outage", 0, "duration of the outage of the cloud; a tenth of -for, but at most 60s, by default")
	flag.DurationVar(&c.refusal, "refusal", 0, "how long the project key is rejected; a twentieth of -for, but at most 10s, by default")
	flag.DurationVar(&c.wrong, "wrong", 0, "how long the address of the cloud is wrong (404); a twentieth of -for, but at most 10s, by default")
	flag.Float64Var(&c.sick, "sick", 0.2, "share of the devices whose uploads fail until the devices stop")
	flag.BoolVar(&c.kills, "kills", true, "kill two relays and a NATS server, and stop a relay for longer than its leases")
	flag.IntVar(&c.partitions, "partitions", 64, "number of partitions")
	flag.DurationVar(&c.lease, "lease", 15*time.Second, "lease of a partition")
	flag.DurationVar(&c.drain, "drain", 5*time.Minute, "how long the last chunks may take to arrive")
	flag.BoolVar(&c.single, "single", false, "one relay with an embedded store, and nothing is killed")
	flag.DurationVar(&c.fsync, "fsync", 0, "of the store of -single; 0 is before each acknowledgement")
	flag.BoolVar(&c.verbose, "v", false, "print the logs of the relays")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, c, os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (c *config) setDefaults() {
	c.kills = c.kills && !c.single
	if c.faults == 0 { // only the throughput matters
		c.sick = 0
		return
	}
	if c.outage == 0 {
		c.outage = min(c.duration/10, time.Minute)
	}
	if c.refusal == 0 {
		c.refusal = min(c.duration/20, 10*time.Second)
	}
	if c.wrong == 0 {
		c.wrong = min(c.duration/20, 10*time.Second)
	}
}
