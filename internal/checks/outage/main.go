// Command outage measures how long the chunks of healthy devices wait in a
// [memfault.ChunkSender] with default options while other devices fail, and how many requests
// an outage of all devices costs. It runs in virtual time (testing/synctest), so that an hour
// takes seconds. It fails if a figure is above its bound.
//
//	go run ./internal/checks/outage
//	go run ./internal/checks/outage -rows '503' -starts
//
// Devices send a chunk after each interval, at different moments; a request takes 50 ms. After
// five minutes, the sick devices begin to fail, and do so for an hour. With -starts, they fail
// from the start of the sender, which then knows nothing of any device.
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
		tests = append(tests, testing.InternalTest{Name: "header", F: func(*testing.T) { fmt.Print("\n", table.header()) }})
		for _, row := range table.rows {
			if *starts && table.all {
				continue
			}
			if pattern.MatchString(row.name) {
				tests = append(tests, testing.InternalTest{Name: row.name, F: func(t *testing.T) {
					row.fleet.seed = *seed
					table.print(t, row, *starts)
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
		return fmt.Sprintf("%-42s %10s %22s\n", "all devices fail", "requests", "full speed after")
	}
	return fmt.Sprintf("%-42s %9s %9s %9s %9s %9s %9s %9s\n", "sick + healthy", "p50", "p99", "longest", "not sent", "silence", "late until", "requests")
}

func (t *table) print(test *testing.T, r row, starts bool) {
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
	if t.all {
		wait = got.full
		fmt.Printf("%-42s %10d %22s\n", r.name, got.requests, short(got.full))
	} else {
		fmt.Printf("%-42s %9s %9s %9s %8.1f%% %9s %10s %9d\n", r.name, short(got.p50), short(got.p99), short(got.most), 100*got.late, short(got.silence), short(got.lateAt), got.requests)
	}
	if r.wait > 0 && wait > r.wait {
		test.Errorf("%s: %v is more than %v", r.name, wait, r.wait)
	}
	if r.requests > 0 && got.requests > r.requests {
		test.Errorf("%s: %d requests are more than %d", r.name, got.requests, r.requests)
	}
}

// short returns a duration with as many digits as it is read with.
func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
