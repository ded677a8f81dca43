// Command chunkjournal shows what a relay that is killed loses: nothing, if it keeps a
// journal until the chunk sender calls done.
//
// It starts itself as a relay, which writes each chunk to a journal before it sends it, and
// kills that process with SIGKILL at a random moment, again and again. Each new relay sends
// the chunks of the journal that are not marked as accepted, and then new ones. In the end
// every chunk in the journal must have arrived at the fake cloud, and no chunk after a later
// one of its device.
//
//	go run ./internal/chunkjournal
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/arrivals"
	"github.com/memfault-go/memfault/memfaulttest"
)

func main() {
	kills := flag.Int("kills", 25, "how often the relay is killed")
	url := flag.String("relay", "", "be the relay for the cloud at this URL")
	path := flag.String("journal", "", "journal of the relay")
	drain := flag.Bool("drain", false, "relay only what the journal contains")
	flag.Parse()
	var err error
	if *url != "" {
		err = relay(context.Background(), *url, *path, *drain)
	} else {
		err = run(context.Background(), *kills)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chunkjournal:", err)
		os.Exit(1)
	}
}

// run kills relays, and checks what arrived.
func run(ctx context.Context, kills int) error {
	dir, err := os.MkdirTemp("", "chunkjournal")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a directory for temporary files
	journal := filepath.Join(dir, "journal")
	cloud, err := memfaulttest.Start()
	if err != nil {
		return err
	}
	defer cloud.Close()
	cloud.Fail(memfaulttest.Fault{Drop: true, Every: 50})
	cloud.Fail(memfaulttest.Fault{DropResponse: true, Every: 50})
	cloud.Fail(memfaulttest.Fault{Status: 503, Every: 50})
	cloud.Fail(memfaulttest.Fault{Delay: 5 * time.Millisecond})
	for range kills {
		if err := runRelay(ctx, cloud.URL, journal, 100*time.Millisecond+rand.N(400*time.Millisecond)); err != nil { //nolint:gosec // any moment will do
			return err
		}
	}
	if err := runRelay(ctx, cloud.URL, journal, 0); err != nil {
		return err
	}
	return check(cloud, journal, kills)
}

// runRelay runs a relay until it has drained the journal, or is killed after a while.
func runRelay(ctx context.Context, url, journal string, life time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.CommandContext(ctx, self, "-relay", url, "-journal", journal, fmt.Sprintf("-drain=%v", life == 0)) //nolint:gosec // the same program
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		return err
	}
	if life == 0 {
		return child.Wait()
	}
	killer := time.AfterFunc(life, func() { _ = child.Process.Kill() })
	defer killer.Stop()
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		return errors.New("the relay ended before it was killed")
	}
	return nil
}

// check compares the journal with the chunks that the cloud accepted.
func check(cloud *memfaulttest.Server, path string, kills int) error {
	entries, err := readJournal(path)
	if err != nil {
		return err
	}
	chunks, undrained, sum := 0, 0, arrivals.Count{}
	for _, serial := range serials() {
		var numbers []int
		for _, chunk := range cloud.Chunks(serial) {
			numbers = append(numbers, chunkNumber(serial, string(chunk)))
		}
		entry := entries[serial]
		chunks += entry.queued
		sum = sum.Add(arrivals.Compare(entry.queued, nil, numbers))
		if entry.accepted != entry.queued {
			undrained++
		}
	}
	fmt.Printf("%d kills, %d chunks in the journal of %d devices, %d arrived, %d of them repeated\n", kills, chunks, len(serials()), sum.Arrived, sum.Repeated())
	fmt.Printf("%d missing, %d out of order, %d devices not drained\n", sum.Missing, sum.Misordered, undrained)
	if sum.Missing+sum.Misordered+undrained > 0 || chunks == 0 {
		return errors.New("chunks were lost or misordered")
	}
	return nil
}

// entry is what the journal contains about a device.
type entry struct {
	queued   int // chunks 0 to queued-1 were received
	accepted int // of them, so many are accepted, the first ones
}

// readJournal reads the journal. It ignores a line that was cut off when the relay was
// killed: the chunk was not sent, or its acceptance is not known.
func readJournal(path string) (map[string]*entry, error) {
	entries := map[string]*entry{}
	for _, serial := range serials() {
		entries[serial] = &entry{}
	}
	file, err := os.Open(path) //nolint:gosec // the journal of this program
	if errors.Is(err, os.ErrNotExist) {
		return entries, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var kind, serial string
		var sequence int
		if n, _ := fmt.Sscanf(lines.Text(), "%s %s %d.", &kind, &serial, &sequence); n != 3 || !strings.HasSuffix(lines.Text(), ".") {
			continue
		}
		e, count := entries[serial], (*int)(nil)
		switch kind {
		case received:
			count = &e.queued
		case accepted:
			count = &e.accepted
		default:
			return nil, fmt.Errorf("unexpected line %q", lines.Text())
		}
		if sequence != *count {
			return nil, fmt.Errorf("line %q comes after %d", lines.Text(), *count-1)
		}
		*count++
	}
	return entries, lines.Err()
}
