package chunkqueue

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

var (
	kills   = flag.Int("kills", 9, "how often TestLedger kills the gateway")
	devices = flag.Int("devices", 50, "the number of devices of TestLedger")
)

const childPath = "CHUNKQUEUE_TEST_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		fmt.Println("error", child(path))
		os.Exit(1)
	}
	if path := os.Getenv(stepsPath); path != "" {
		if err := steps(path); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// ledgerChunk returns the chunk n of a round of a device.
func ledgerChunk(device, round, n int) []byte {
	c := fmt.Appendf([]byte{0x08}, "device %d chunk %d %d ", device, round, n)
	return append(c, make([]byte, n%4*150)...)
}

// child is a gateway that is killed: it adds chunks of its devices, delivers them, and prints the
// chunks for which Add returned nil. It returns only if something fails.
func child(path string) error {
	env := map[string]int{}
	for _, name := range []string{"DEVICES", "ROUND", "LIMIT"} {
		value, err := strconv.Atoi(os.Getenv(name))
		if err != nil {
			return err
		}
		env[name] = value
	}
	if env["LIMIT"] > 0 { // of files, as if the disk were full
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: uint64(env["LIMIT"]), Max: uint64(env["LIMIT"])}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
	}
	q, err := Open(path, Options{})
	if err != nil {
		return err
	}
	if r := q.Recovery(); r != nil {
		return r.Err
	}
	client, err := memfault.NewClient(memfault.ProjectKey(os.Getenv("KEY")), memfault.WithBaseURL(os.Getenv("URL")),
		memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Millisecond, MaxWait: 5 * time.Millisecond}))
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() { failed <- q.Run(context.Background(), client.Chunks) }()
	var print sync.Mutex
	for d := range env["DEVICES"] {
		go func() {
			for n := 0; ; {
				err := q.Add(context.Background(), fmt.Sprintf("DEVICE%d", d), ledgerChunk(d, env["ROUND"], n))
				print.Lock()
				if err == nil {
					fmt.Println("added", d, n)
				} else {
					fmt.Println("full")
				}
				print.Unlock()
				switch {
				case err == nil:
					n++
				case strings.Contains(err.Error(), ErrDiskFull.Error()):
					time.Sleep(time.Duration(50+rand.IntN(100)) * time.Millisecond)
				default:
					failed <- err
				}
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			}
		}()
	}
	return <-failed
}

// ledger is what a gateway has acknowledged, by device.
type ledger struct {
	cloud   *memfaulttest.Server
	path    string
	added   map[int][]string
	fulls   int             // rounds with a full disk
	lost    map[string]bool // by damage
	named   int             // of the lost
	counted int
	unknown int // lost without a count
	damages int // files that were recovered
}

// failQuarter makes 24 % of the requests fail, half of them after the chunks have arrived.
func (l *ledger) failQuarter() {
	l.cloud.Heal()
	l.cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Share: 0.12, Seed: rand.Uint64(), Status: 503})
	l.cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Share: 0.12 / 0.88, Seed: rand.Uint64(), DropResponse: true})
}

// round runs a gateway until it has acknowledged some chunks, and kills it. If full is true, the
// file cannot grow while the cloud does not answer, until that was noticed.
func (l *ledger) round(t *testing.T, round int, full bool) {
	limit := int64(0)
	l.failQuarter()
	if full {
		limit = 512 << 10
		if info, err := os.Stat(l.path); err == nil {
			limit = max(limit, info.Size())
		}
		l.cloud.Fail(memfaulttest.BadGateway())
		l.fulls++
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+l.path, "KEY="+l.cloud.ProjectKey(), "URL="+l.cloud.URL,
		fmt.Sprint("DEVICES=", *devices), fmt.Sprint("ROUND=", round), fmt.Sprint("LIMIT=", limit))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines, until := 0, *devices+rand.IntN(*devices*10)
	noticed := !full
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		line := scanner.Text()
		var d, n int
		switch {
		case strings.HasPrefix(line, "error"):
			t.Fatal(line)
		case line == "full" && !noticed:
			noticed, lines = true, 0
			l.failQuarter()
		case strings.HasPrefix(line, "added"):
			if _, err := fmt.Sscanf(line, "added %d %d", &d, &n); err != nil {
				continue // the last line can be cut
			}
			l.added[d] = append(l.added[d], string(ledgerChunk(d, round, n)))
			if lines++; lines == 1 {
				_, err := Open(l.path, Options{})
				require.ErrorIs(t, err, ErrInUse, "another process has it open")
			}
			if lines == until && noticed {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		if full && !noticed {
			lines = 0
		}
	}
	require.True(t, noticed, "the disk was not full")
}

// damage cuts the file, or flips bits of some bytes, and opens it. It notes what is lost.
func (l *ledger) damage(t *testing.T, cut bool) {
	file, err := os.ReadFile(l.path)
	require.NoError(t, err)
	used := 0
	for _, start := range []int64{0, int64(os.Getpagesize())} {
		meta, err := readMeta(bytes.NewReader(file), start)
		require.NoError(t, err)
		used = max(used, int(meta.pages)*meta.pageSize)
	}
	queued := map[string]string{} // to their serials
	_, err = walkBolt(bytes.NewReader(file), int64(len(file)), func(bucket string, _, value []byte) error {
		if r, ok := decode(value); ok && bucket == string(chunksBucket) {
			queued[string(r.data)] = r.serial
		}
		return nil
	})
	require.NoError(t, err)
	if cut {
		file = file[:rand.IntN(used)]
	} else {
		for range 1 + rand.IntN(3) {
			file[rand.IntN(used)] ^= 1 << rand.IntN(8)
		}
	}
	require.NoError(t, os.WriteFile(l.path, file, 0o600))
	q, err := Open(l.path, Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, q.Close()) }()
	lost := map[string]int{}
	for c := range contents(t, q) {
		delete(queued, c)
	}
	for c, serial := range queued {
		lost[serial]++
		l.lost[c] = true
	}
	recovery := q.Recovery()
	if recovery == nil {
		require.Empty(t, queued, "lost in silence")
		return
	}
	l.damages++
	require.NoError(t, os.Remove(recovery.Aside))
	unnamed := 0
	for _, name := range recovery.Lost {
		l.named += min(lost[name.Serial], name.Chunks)
		lost[name.Serial] = max(lost[name.Serial]-name.Chunks, 0)
	}
	for _, n := range lost {
		unnamed += n
	}
	if recovery.Unreadable < 0 {
		l.unknown += unnamed
		return
	}
	l.counted += unnamed
	require.LessOrEqual(t, unnamed, recovery.Unreadable, "lost, and neither named nor counted")
}

// A gateway is killed again and again while the cloud fails 24 % of the requests, the disk fills
// and empties, the file is cut, and bytes of it flip. Every chunk that Add acknowledged arrives, or
// is named or counted by a Recovery, and the chunks of a device arrive in order.
func TestLedger(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	l := &ledger{cloud: cloud, path: filepath.Join(t.TempDir(), "chunks.db"), added: map[int][]string{}, lost: map[string]bool{}}
	for round := range *kills {
		l.round(t, round, round%8 == 5)
		if round%4 == 3 {
			l.damage(t, round%8 == 3)
		}
	}
	cloud.Heal()
	q := openAt(t, l.path, Options{})
	require.Nil(t, q.Recovery())
	left := q.Stats().Chunks
	drain(t, q, service(t, cloud))
	acknowledged, missing, disordered, repeated := 0, 0, 0, 0
	for d, added := range l.added {
		arrived := map[string]bool{}
		var first []string
		for _, c := range cloud.Chunks(fmt.Sprintf("DEVICE%d", d)) {
			if arrived[string(c)] {
				repeated++
				continue
			}
			arrived[string(c)] = true
			first = append(first, string(c))
		}
		last := [2]int{-1, -1}
		for _, c := range first {
			var of int
			var at [2]int
			_, err := fmt.Sscanf(c[1:], "device %d chunk %d %d", &of, &at[0], &at[1])
			require.NoError(t, err)
			require.Equal(t, d, of)
			if slices.Compare(at[:], last[:]) < 0 {
				disordered++
				t.Errorf("device %d: %v arrived first after %v", d, at, last)
			}
			last = at
		}
		for _, c := range added {
			if !arrived[c] && !l.lost[c] {
				missing++
				t.Errorf("acknowledged, and did not arrive: %q", c)
			}
		}
		acknowledged += len(added)
	}
	require.Positive(t, acknowledged)
	t.Logf("%d kills, %d devices: %d chunks were acknowledged, %d missing, %d out of order, %d arrived again, %d were queued at the end",
		*kills, len(l.added), acknowledged, missing, disordered, repeated, left)
	t.Logf("the disk was full in %d rounds; %d damaged files were recovered: %d chunks lost, of them %d named, %d counted, %d without a count",
		l.fulls, l.damages, len(l.lost), l.named, l.counted, l.unknown)
	assert.Len(t, l.lost, l.named+l.counted+l.unknown)
}
