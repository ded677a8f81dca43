//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/checks/arrivals"
	"github.com/memfault-go/memfault/memfaulttest"
)

// usage is what a relay used at a moment.
type usage struct {
	at         time.Duration
	goroutines float64
	memory     float64 // bytes, resident
	heap       float64 // bytes in use
	cpu        float64 // seconds since the relay started
}

// sample reads the usage of the relays until ctx ends.
func sample(ctx context.Context, relays []*process, interval time.Duration) <-chan [][]usage {
	result := make(chan [][]usage, 1)
	began := time.Now()
	go func() {
		all := make([][]usage, len(relays))
		for {
			select {
			case <-ctx.Done():
				result <- all
				return
			case <-time.After(interval):
			}
			for i, relay := range relays {
				request, cancel := context.WithTimeout(ctx, 5*time.Second)
				body, err := relay.get(request, "/metrics")
				cancel()
				if err != nil {
					continue // it is dead at the moment
				}
				values := parseMetrics(body)
				all[i] = append(all[i], usage{
					time.Since(began), values["go_goroutines"], values["process_resident_memory_bytes"],
					values["go_memstats_heap_inuse_bytes"], values["process_cpu_seconds_total"],
				})
			}
		}
	}()
	return result
}

func parseMetrics(text []byte) map[string]float64 {
	values := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = number
		}
	}
	return values
}

// totals are the sums of the ledger.
type totals struct {
	stored, sends int
	slowest       time.Duration
	arrivals.Count
}

// count compares the chunks that were confirmed to the devices with the chunks that arrived.
func count(devices []*device, cloud *memfaulttest.Server) (totals, error) {
	var t totals
	for _, d := range devices {
		stored := int(d.stored.Load())
		t.stored += stored
		t.sends += int(d.sends.Load())
		t.slowest = max(t.slowest, time.Duration(d.slow.Load())*time.Millisecond)
		var numbers []int
		for _, chunk := range cloud.Chunks(d.serial) {
			n, err := number(chunk)
			if err != nil {
				return t, err
			}
			numbers = append(numbers, n)
		}
		t.Count = t.Add(arrivals.Compare(stored, nil, numbers))
	}
	return t, nil
}

// report prints the ledger.
func report(out io.Writer, c config, devices []*device, cloud *memfaulttest.Server, samples [][]usage) error {
	t, err := count(devices, cloud)
	if err != nil {
		return err
	}
	violations, requests := cloud.Violations(), cloud.RequestCount("chunks.upload")
	line := func(what string, value any) { fmt.Fprintf(out, "  %-52s %v\n", what, value) }
	fmt.Fprintf(out, "\nLedger of %d devices, %d partitions and %v\n", c.Devices, c.Partitions, c.Duration)
	line("chunks confirmed to a device", t.stored)
	line("attempts of devices to send them", t.sends)
	line("longest time until a confirmation", t.slowest)
	line("of them missing in the cloud", t.Missing)
	line("first arrivals out of order", t.Misordered)
	line("arrivals in the cloud", t.Arrived)
	line("of them repeated", t.Repeated())
	line("chunks that arrived without an acknowledgement", t.Beyond)
	line("requests to the cloud", requests)
	line("concurrent requests for one device (the cloud's view)", countOf(violations, "concurrent"))
	line("overtaken by a repeated chunk (the cloud's view)", countOf(violations, "out of order"))
	line("chunks stored per second", fmt.Sprintf("%.0f", float64(t.stored)/c.Duration.Seconds()))
	for i, usages := range samples {
		reportUsage(out, i, usages)
	}
	switch {
	case t.Missing > 0:
		return errors.New("chunks are missing")
	case t.Misordered > 0:
		return errors.New("chunks arrived out of order")
	case t.stored == 0:
		return errors.New("nothing was stored")
	}
	return nil
}

// reportUsage prints the usage of a relay since it was started last.
func reportUsage(out io.Writer, relay int, usages []usage) {
	for i := len(usages) - 1; i > 0; i-- {
		if usages[i].cpu < usages[i-1].cpu { // it was started again
			usages = usages[i:]
			break
		}
	}
	if len(usages) < 3 {
		return
	}
	third := len(usages) / 3
	early, late := usages[third], usages[len(usages)-1]
	fmt.Fprintf(out, "  relay %d, %3.0f s to %3.0f s: goroutines %4.0f, %4.0f; heap in use %3.0f MB, %3.0f MB; resident %3.0f MB, %3.0f MB; %.2f cores\n",
		relay+1, early.at.Seconds(), late.at.Seconds(), early.goroutines, late.goroutines,
		early.heap/1e6, late.heap/1e6, early.memory/1e6, late.memory/1e6,
		(late.cpu-early.cpu)/(late.at-early.at).Seconds())
}
