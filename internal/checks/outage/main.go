// Command outage measures how long the chunks of healthy devices wait in a
// [memfault.ChunkSender] with default options while other devices fail, and how many requests
// an outage of all devices costs. It runs in virtual time (testing/synctest), so that an hour
// takes seconds. It fails if a figure is above its bound.
//
//	go run ./internal/checks/outage
//	go run ./internal/checks/outage -rows '503' -starts
//
// Devices send a chunk a minute, at different moments; a request takes 50 ms. After five minutes,
// the sick devices begin to fail, and do so for an hour. With -starts, they fail from the start of
// the sender, which then knows nothing of any device; the bounds do not apply, because they are
// about a service that accepts the chunks of some devices.
//
// The waits of the chunks of healthy devices (99 % wait at most so long), and the requests that an
// outage of all devices costs, with one queue of ready devices for all, and with the rule in the
// package comment of internal/ordered. Where the sick devices hang, the first ten minutes are not
// measured, or thirty beside 900 of 1,000.
//
//	sick + healthy                             one queue   the rule
//	200 + 1,800, 503                               693ms       50ms
//	200 + 1,800, lost                              25.3s       50ms
//	200 + 1,800, hang for 60 s                   3m47.2s       50ms
//	100 + 100, 503                               5m23.6s       50ms
//	100 + 100, hang for 60 s                       2m32s       50ms
//	900 + 100, 503                              41m11.9s       50ms
//	900 + 100, mixed                            28m18.8s       50ms
//	900 + 100, hang for 60 s                    28m23.8s       50ms
//	990 + 10, 503                               52m39.2s      16.1s
//	40 + 10, a chunk a second, 503               1m11.9s       50ms
//	40 + 10, a chunk a second, 500                 47.6s       50ms
//	1 + 1, 403                                   1m19.7s       8.3s
//	50 + 50, 403                                  58m57s       3.2s
//	50 + 1,950, 403                              1m25.4s      111ms
//
//	all devices fail                           one queue   the rule
//	500, a chunk each 10 s, 503, an hour             958       1132
//	500, a chunk each 10 s, hang, an hour            955        960
//	1,000, 403, an hour                               21        361
//	10,000, 429, ten minutes                      433293        375
//	10,000, 429 Retry-After 60, ten minutes        99925        354
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"testing"
	"testing/synctest"
	"time"
)

func main() {
	testing.Init() // synctest needs a testing.T
	rows := flag.String("rows", "", "measure only rows whose name matches this regular expression")
	starts := flag.Bool("starts", false, "let the devices fail from the start of the sender")
	seed := flag.Uint64("seed", 1, "seed of the order of the devices")
	flag.Parse()
	pattern, err := regexp.Compile(*rows)
	if err != nil {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(2)
	}
	var tests []testing.InternalTest
	for _, table := range tables() {
		tests = append(tests, testing.InternalTest{Name: "header", F: func(*testing.T) { fmt.Printf("\n%s\n", table.header()) }})
		for _, row := range table.rows {
			if *starts && table.all {
				continue
			}
			if pattern.MatchString(row.name) {
				tests = append(tests, testing.InternalTest{Name: row.name, F: func(t *testing.T) {
					row.fleet.seed = *seed
					fmt.Println(table.measure(t, row, *starts))
				}})
			}
		}
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, tests, nil, nil)
}

// table is rows with the same columns.
type table struct {
	all  bool // every device is sick
	rows []row
}

// row is a fleet, and the bounds of its figures.
type row struct {
	name     string
	fleet    *fleet
	wait     time.Duration // bound of p99, or, if all devices are sick, of full
	requests int           // bound; 0 if there is none
}

func tables() []table {
	const hour, minute = time.Hour, time.Minute
	partial := func(name string, sick, healthy int, fault fault, learning, bound time.Duration) row {
		return row{name, &fleet{sick: sick, healthy: healthy, interval: minute, fault: fault, start: begins, length: hour, learning: learning}, bound, 0}
	}
	all := func(name string, devices int, interval time.Duration, fault fault, length, bound time.Duration, requests int) row {
		return row{name, &fleet{sick: devices, interval: interval, fault: fault, start: begins, length: length, tail: 10 * minute}, bound, requests}
	}
	anything := mixed(status(503), status(500), lost, hang)
	return []table{
		{false, []row{
			partial("200 + 1,800, 503", 200, 1800, status(503), 0, 5*time.Second),
			partial("200 + 1,800, 500", 200, 1800, status(500), 0, 5*time.Second),
			partial("200 + 1,800, lost", 200, 1800, lost, 0, 5*time.Second),
			partial("200 + 1,800, hang for 60 s", 200, 1800, hang, 10*minute, 15*time.Second),
			partial("100 + 100, 503", 100, 100, status(503), 0, 5*time.Second),
			partial("100 + 100, hang for 60 s", 100, 100, hang, 10*minute, 15*time.Second),
			partial("900 + 100, 503", 900, 100, status(503), 0, 30*time.Second),
			partial("900 + 100, mixed", 900, 100, anything, 30*minute, 30*time.Second),
			partial("900 + 100, hang for 60 s", 900, 100, hang, 30*minute, 30*time.Second),
			partial("990 + 10, 503", 990, 10, status(503), 0, 60*time.Second),
			partial("990 + 10, lost", 990, 10, lost, 0, 60*time.Second),
			relay("40 + 10, a chunk a second, 503", status(503)),
			relay("40 + 10, a chunk a second, 500", status(500)),
			partial("1 + 1, 403", 1, 1, status(403), 0, 15*time.Second),
			partial("1 + 99, 403", 1, 99, status(403), 0, 15*time.Second),
			partial("50 + 50, 403", 50, 50, status(403), 0, 60*time.Second),
			partial("50 + 1,950, 403", 50, 1950, status(403), 0, 60*time.Second),
		}},
		{true, []row{
			all("500, a chunk each 10 s, 503, an hour", 500, 10*time.Second, status(503), hour, 5*time.Second, 5000),
			all("500, a chunk each 10 s, hang, an hour", 500, 10*time.Second, hang, hour, 5*time.Second, 5000),
			all("1,000, 403, an hour", 1000, minute, status(403), hour, 0, 1200),
			all("10,000, 429, ten minutes", 10_000, minute, status(429), 10*minute, 0, 2000),
			all("10,000, 429 Retry-After 60, ten minutes", 10_000, minute, status(429, "Retry-After", "60"), 10*minute, 0, 2000),
		}},
	}
}

func relay(name string, fault fault) row {
	return row{name, &fleet{sick: 40, healthy: 10, interval: time.Second, fault: fault, start: begins, length: 20 * time.Minute}, 5 * time.Second, 0}
}

func (t *table) header() string {
	if t.all {
		return fmt.Sprintf("%-42s %10s %22s", "all devices fail", "requests", "full speed after")
	}
	return fmt.Sprintf("%-42s %9s %9s %9s %9s %9s %10s %9s", "sick + healthy", "p50", "p99", "longest", "not sent", "silence", "late until", "requests")
}

// measure returns a line of the table. It fails the test if a figure is above its bound.
func (t *table) measure(test *testing.T, r row, starts bool) (line string) {
	test.Helper()
	if starts {
		r.fleet.start = 0
	}
	var got result
	synctest.Test(test, func(test *testing.T) {
		var err error
		if got, err = r.fleet.run(); err != nil {
			test.Fatal(err)
		}
	})
	wait := got.p99
	line = fmt.Sprintf("%-42s %9s %9s %9s %8.1f%% %9s %10s %9d",
		r.name, short(got.p50), short(got.p99), short(got.most), 100*got.late, short(got.silence), short(got.lateAt), got.requests)
	if t.all {
		wait = got.full
		line = fmt.Sprintf("%-42s %10d %22s", r.name, got.requests, short(got.full))
	}
	if r.wait > 0 && wait > r.wait && !starts {
		test.Errorf("%s: %v is more than %v", r.name, wait, r.wait)
	}
	if r.requests > 0 && got.requests > r.requests {
		test.Errorf("%s: %d requests are more than %d", r.name, got.requests, r.requests)
	}
	return line
}

// short returns a duration with as many digits as it is read with.
func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
