package chunkqueue

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var subsets = flag.Int("subsets", 6, "how many random parts of a commit TestCommit_PowerLoss tries")

const (
	sector = 512
	page   = 4096
)

// step is a commit of a queue: the file before and after it, and what is queued in them.
type step struct {
	name          string
	before, after []byte
	old, new      map[string]bool
	ever          map[string]bool // was added until then
}

// recordSteps runs a queue, and records some commits of it.
func recordSteps(t *testing.T) (steps []step) {
	path := filepath.Join(t.TempDir(), "chunks.db")
	q := openAt(t, path, Options{Sync: time.Hour, MaxBytesPerDevice: 40_000, MaxRejectedBytes: 3000})
	added := map[string]bool{}
	number := 0
	add := func(serial string, size int) {
		c := append(single(number), bytes.Repeat([]byte{byte(number)}, size)...)
		number++
		added[string(c)] = true
		addAll(t, q, serial, c)
	}
	record := func(name string, change func()) {
		s := step{name: name, old: contents(t, q)}
		var err error
		s.before, err = os.ReadFile(path)
		require.NoError(t, err)
		change()
		require.NoError(t, q.Flush(testContext(t)))
		s.after, err = os.ReadFile(path)
		require.NoError(t, err)
		s.new, s.ever = contents(t, q), maps.Clone(added)
		require.Equal(t, txOf(s.before)+1, txOf(s.after), "%s is one commit", name)
		steps = append(steps, s)
	}
	deliver := func(serial string, n uint64, rejected bool) { // n seqs, of which some are its chunks
		q.mu.Lock()
		defer q.mu.Unlock()
		d := q.devices[serial]
		d.acked = d.public.first + n - 1
		for seq := d.public.first; seq <= d.acked && rejected; seq++ {
			d.reject(seq, "rejected by a test")
		}
		q.noteAck(d)
	}
	all := func(n, size int) func() {
		return func() {
			for i := range n {
				add(fmt.Sprintf("DEVICE%d", i%5), size)
			}
		}
	}
	record("the first chunk", func() { add("DEVICE0", 10) })
	record("many chunks", all(60, 200))
	record("one chunk more", func() { add("DEVICE4", 300) })
	record("a chunk of several pages", func() { add("DEVICE3", 20_000) })
	record("deliveries", func() { deliver("DEVICE1", 20, false); deliver("DEVICE2", 16, false) })
	record("rejections", func() { deliver("DEVICE4", 30, true) })
	record("deliveries and chunks", func() { deliver("DEVICE1", 15, false); all(20, 500)() })
	record("a file that grows", all(40, 900))
	record("the oldest are dropped", func() { add("DEVICE3", 30_000) })
	return steps
}

// txOf returns the number of the last commit of a file.
func txOf(file []byte) uint64 {
	return max(order.Uint64(file[pageHeader+48:]), order.Uint64(file[page+pageHeader+48:]))
}

// write is what a commit writes to one sector.
type write struct {
	at   int
	data []byte
}

// writes returns what the commit writes to pages, and to its meta page.
func (s *step) writes() (pages [][]write, meta []write) {
	for at := 0; at < len(s.after); at += page {
		var p []write
		changed := at >= len(s.before) && !bytes.Equal(s.after[at:at+page], make([]byte, page)) ||
			at < len(s.before) && !bytes.Equal(s.before[at:at+page], s.after[at:at+page])
		if !changed {
			continue
		}
		for i := at; i < at+page; i += sector {
			p = append(p, write{i, s.after[i : i+sector]})
		}
		if at < 2*page {
			meta = append(meta, p...)
		} else {
			pages = append(pages, p)
		}
	}
	return pages, meta
}

// image returns the file as before the commit, with some of its writes. If grown is false, the
// file has its size of before, unless a write is behind it.
func (s *step) image(grown bool, writes ...[]write) []byte {
	image := bytes.Clone(s.before)
	resize := func(size int) {
		if size > len(image) {
			image = append(image, make([]byte, size-len(image))...)
		}
	}
	if grown {
		resize(len(s.after))
	}
	for _, part := range writes {
		for _, w := range part {
			resize(w.at + len(w.data))
			copy(image[w.at:], w.data)
		}
	}
	return image
}

// openImage opens a file, and returns what is queued in it, and whether it was recovered.
func openImage(t *testing.T, image []byte) (map[string]bool, *Recovery) {
	path := filepath.Join(t.TempDir(), "chunks.db")
	require.NoError(t, os.WriteFile(path, image, 0o600))
	q, err := Open(path, Options{})
	require.NoError(t, err)
	found := contents(t, q)
	require.Len(t, found, q.Stats().Chunks)
	require.NoError(t, q.Close())
	require.NoError(t, os.RemoveAll(filepath.Dir(path)))
	return found, q.Recovery()
}

// checkBefore checks that a file is as before the commit, which nobody was told of.
func (s *step) checkBefore(t *testing.T, image []byte, which string) {
	found, recovery := openImage(t, image)
	require.Nil(t, recovery, which)
	require.Equal(t, s.old, found, which)
}

// checkKept checks that a file has all that was queued before the commit and is after it.
func (s *step) checkKept(t *testing.T, image []byte, which string) (recovered bool) {
	found, recovery := openImage(t, image)
	for c := range s.old {
		require.True(t, found[c] || !s.new[c], "%s: %.20q is missing", which, c)
	}
	for c := range found {
		require.True(t, s.ever[c], "a chunk that nobody added: %.20q", c)
	}
	if recovery == nil {
		require.True(t, maps.Equal(found, s.new) || maps.Equal(found, s.old), which)
	}
	return recovery != nil
}

// A commit writes its pages, in their order, syncs them, writes its meta page, and syncs it. If the
// process is killed in between, a part of these writes is in the file, from the first on. If the
// power fails, any of the writes since the last sync are in it, each by sectors.
func TestCommit_PowerLoss(t *testing.T) {
	if os.Getpagesize() != page {
		t.Skip("requires pages of 4096 bytes")
	}
	random := rand.New(rand.NewPCG(5, 6))
	some := func(writes [][]write) (part []write) {
		share := random.Float64()
		for _, p := range writes {
			for _, w := range p {
				if random.Float64() < share {
					part = append(part, w)
				}
			}
		}
		random.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
		return part
	}
	images, recoveries, growing := 0, 0, 0
	for _, s := range recordSteps(t) {
		pages, meta := s.writes()
		require.NotEmpty(t, pages, s.name)
		require.Len(t, meta, page/sector, s.name)
		if len(s.after) > len(s.before) {
			growing++
		}
		for _, grown := range []bool{false, true} {
			if grown && len(s.after) == len(s.before) {
				continue
			}
			for n := range len(pages) + 1 { // killed
				s.checkBefore(t, s.image(grown, pages[:n]...), fmt.Sprintf("%s: %d of %d pages", s.name, n, len(pages)))
				images++
			}
		}
		for n := range *subsets { // power loss before the first sync
			s.checkBefore(t, s.image(n%2 == 0, some(pages)), fmt.Sprintf("%s: subset %d", s.name, n))
			images++
		}
		for n := range *subsets { // before the second one
			found, recovery := openImage(t, s.image(true, append(pages, some([][]write{meta}))...))
			require.Nil(t, recovery)
			require.True(t, maps.Equal(found, s.new) || maps.Equal(found, s.old), "%s: sectors of the meta page %d", s.name, n)
			images++
		}
		found, recovery := openImage(t, s.image(true, append(pages, meta)...))
		require.Nil(t, recovery)
		require.Equal(t, s.new, found, s.name)
		images++
		for n := 0; n < pageHeader+64; n += 1 + 80/(1+*subsets) { // a disk that does not write whole sectors
			torn := write{meta[0].at, meta[0].data[:n]}
			if s.checkKept(t, s.image(true, append(pages, []write{torn})...), fmt.Sprintf("%s: %d bytes of the meta page", s.name, n)) {
				recoveries++
			}
			images++
		}
		for n := range *subsets { // a disk that does not sync
			if s.checkKept(t, s.image(n%2 == 0, some(append(pages, meta))), fmt.Sprintf("%s: unordered subset %d", s.name, n)) {
				recoveries++
			}
			images++
		}
	}
	assert.Positive(t, recoveries)
	assert.Positive(t, growing)
	t.Logf("%d files, of which %d were recovered", images, recoveries)
}
