package chunkqueue

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

var (
	kills   = flag.Int("kills", 6, "how often TestKill kills the gateway")
	devices = flag.Int("devices", 40, "the number of devices of TestKill")
)

const childPath = "CHUNKQUEUE_TEST_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		child(path)
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// child is a gateway that is killed: it adds chunks of its devices, delivers them, and prints the
// chunks for which Add returned nil.
func child(path string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	q, err := Open(path, Options{})
	fail(err)
	if r := q.Recovery(); r != nil {
		fail(r.Err)
	}
	client, err := memfault.NewClient(memfault.ProjectKey(os.Getenv("KEY")), memfault.WithBaseURL(os.Getenv("URL")),
		memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Millisecond, MaxWait: 5 * time.Millisecond}))
	fail(err)
	devices, err := strconv.Atoi(os.Getenv("DEVICES"))
	fail(err)
	start, err := strconv.Atoi(os.Getenv("START"))
	fail(err)
	go func() { fail(q.Run(context.Background(), client.Chunks)) }()
	var print sync.Mutex
	for d := range devices {
		go func() {
			for n := start; ; n++ {
				fail(q.Add(context.Background(), fmt.Sprintf("DEVICE%d", d), single(n)))
				print.Lock()
				fmt.Println("added", d, n)
				print.Unlock()
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			}
		}()
	}
	select {}
}

// A gateway is killed again and again, at random, while the cloud fails a quarter of the requests.
// Every chunk that Add acknowledged arrives, and the chunks of a device arrive in order.
func TestKill(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Share: 0.12, Status: 503})
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Share: 0.12, DropResponse: true})
	path := filepath.Join(t.TempDir(), "chunks.db")
	ledger := map[int][]int{} // by device
	highest := -1
	for range *kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childPath+"="+path, "KEY="+cloud.ProjectKey(), "URL="+cloud.URL,
			"DEVICES="+strconv.Itoa(*devices), "START="+strconv.Itoa(highest+1))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := 0
		until := *devices + rand.IntN(*devices*10)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			var d, n int
			if _, err := fmt.Sscanf(scanner.Text(), "added %d %d", &d, &n); err != nil {
				if strings.HasPrefix(scanner.Text(), "error") {
					t.Error(scanner.Text())
				}
				continue // the last line can be cut
			}
			ledger[d] = append(ledger[d], n)
			highest = max(highest, n)
			if lines++; lines == until {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		_ = cmd.Wait() // killed
		highest += 2   // an Add can be on the disk without having been acknowledged
	}
	cloud.Heal()
	q := openAt(t, path, Options{})
	require.Nil(t, q.Recovery())
	left := q.Stats().Chunks
	drain(t, q, service(t, cloud))
	acknowledged := 0
	for d, want := range ledger {
		arrived := map[int]bool{}
		last := -1
		for _, c := range cloud.Chunks(fmt.Sprintf("DEVICE%d", d)) {
			var n int
			_, err := fmt.Sscanf(string(c[1:]), "chunk %d", &n)
			require.NoError(t, err)
			if !arrived[n] {
				assert.Greater(t, n, last, "the order of what arrives first")
				last = n
			}
			arrived[n] = true
		}
		for _, n := range want {
			assert.True(t, arrived[n], "device %d: chunk %d was acknowledged and did not arrive", d, n)
		}
		acknowledged += len(want)
	}
	t.Logf("%d chunks of %d devices were acknowledged, %d were queued at the end, %d were delivered",
		acknowledged, len(slices.Collect(maps.Keys(ledger))), left, q.Stats().Delivered)
}
