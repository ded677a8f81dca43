// Command soak uses all parts of the package concurrently for a while, against a fake Memfault
// that fails at random, and prints a ledger. It fails if anything is lost or out of order, or if
// the resources that it uses grow.
//
// Readers get devices, list them with several pages in flight, and read a list that is paged by
// cursor. Uploaders send symbols, payloads and MAR files, and downloaders compare what they get.
// A chunk sender serves 200 devices, writers change devices, cohorts and issues, and a webhook
// handler receives the events of the issues. Meanwhile the organization token and the project
// key are replaced several times. The fake runs in another process, so that its memory does not
// count. The program requires Linux.
//
//	go run ./internal/checks/soak -for 60s
//
// The program prints its seed. With -seed, it produces the same faults again, except for what
// depends on the order in which goroutines run.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"
)

func main() {
	duration := flag.Duration("for", time.Minute, "how long to run")
	seed := flag.Uint64("seed", 0, "seed of everything random; 0 chooses one")
	faults := flag.Float64("faults", 0.1, "share of the requests that fail")
	serving := flag.Bool("serve", false, "run as the fake Memfault until standard input ends")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *seed == 0 {
		*seed = rand.Uint64() //nolint:gosec // any seed will do
	}
	var err error
	if *serving {
		err = serve(*seed, *faults)
	} else {
		err = run(ctx, *duration, *seed, *faults, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak: FAILED:", err)
		os.Exit(1) //nolint:gocritic // stop only restores the handling of signals
	}
}
