//go:build linux

// Command ledger shows that a fleet of relays loses no chunk and keeps the order of each
// device, whatever happens to its parts. It starts three relays and a cluster of three NATS
// servers, as processes of their own, and devices that publish by MQTT and HTTP. While a fake
// Memfault fails a part of the requests, and all of some devices, it kills relays and a NATS
// server, cuts them off from the network, fills a disk and empties it, takes the cloud away,
// rejects the project key, and has a wrong address. In the end it compares the chunks that were
// confirmed to the devices with the chunks that arrived.
//
//	go run ./cmd/ledger -for 60s
//	go run ./cmd/ledger -for 60s -single     # one relay with its embedded store
//
// Each process has its own network namespace, and a small disk in memory. Where the system
// permits neither, the processes share a network and a disk: instead of cutting one off, the
// ledger stops it, and no disk is full.
//
// The following command measures the throughput of one relay:
//
//	go run ./cmd/ledger -single -disturb=false -faults 0 -devices 256 -interval 1ms -for 30s
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// config contains the values of the flags.
type config struct {
	Duration   time.Duration
	Devices    int
	Interval   time.Duration // between the chunks of a device
	Faults     float64
	Outage     time.Duration
	Refusal    time.Duration
	Wrong      time.Duration
	Sick       float64
	Disturb    bool
	Partitions int
	Lease      time.Duration
	Drain      time.Duration // how long the last chunks may take to arrive
	Single     bool
	Fsync      time.Duration // of the store of a single relay
	Verbose    bool
}

func main() {
	if isChild() {
		exit(child())
	}
	var c config
	flag.DurationVar(&c.Duration, "for", time.Minute, "how long the devices publish")
	flag.IntVar(&c.Devices, "devices", 2000, "number of devices; every tenth uses HTTP")
	flag.DurationVar(&c.Interval, "interval", 8*time.Second, "average time between the chunks of a device")
	flag.Float64Var(&c.Faults, "faults", 0.24, "share of the uploads that fail")
	flag.DurationVar(&c.Outage, "outage", 0, "duration of the outage of the cloud; a tenth of -for, but at most 60s, by default")
	flag.DurationVar(&c.Refusal, "refusal", 0, "how long the project key is rejected; a twentieth of -for, but at most 10s, by default")
	flag.DurationVar(&c.Wrong, "wrong", 0, "how long the address of the cloud is wrong (404); a twentieth of -for, but at most 10s, by default")
	flag.Float64Var(&c.Sick, "sick", 0.2, "share of the devices whose uploads fail until the devices stop")
	flag.BoolVar(&c.Disturb, "disturb", true, "kill, cut off and stop processes, fill a disk, and disturb the cloud")
	flag.IntVar(&c.Partitions, "partitions", 64, "number of partitions")
	flag.DurationVar(&c.Lease, "lease", 15*time.Second, "lease of a partition")
	flag.DurationVar(&c.Drain, "drain", 5*time.Minute, "how long the last chunks may take to arrive")
	flag.BoolVar(&c.Single, "single", false, "one relay with an embedded store")
	flag.DurationVar(&c.Fsync, "fsync", 0, "of the store of -single; 0 is before each acknowledgement")
	flag.BoolVar(&c.Verbose, "v", false, "print the logs of the relays")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(runIsolated(ctx, c, os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (c *config) setDefaults() {
	if c.Faults == 0 { // only the throughput matters
		c.Sick = 0
	}
	for _, each := range []struct {
		span *time.Duration
		by   time.Duration
		most time.Duration
	}{{&c.Outage, 10, time.Minute}, {&c.Refusal, 20, 10 * time.Second}, {&c.Wrong, 20, 10 * time.Second}} {
		if *each.span == 0 {
			*each.span = min(c.Duration/each.by, each.most)
		}
	}
}
