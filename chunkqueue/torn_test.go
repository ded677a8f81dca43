package chunkqueue

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

// writeQueue writes a queue with chunks of several sizes, of which none was delivered, and returns
// its file.
func writeQueue(t testing.TB, chunks int) (file []byte, added map[string][]byte) {
	path := filepath.Join(t.TempDir(), "chunks.db")
	q, err := Open(path, Options{Sync: 1})
	require.NoError(t, err)
	added = map[string][]byte{}
	for i := range chunks {
		c := append(single(i), bytes.Repeat([]byte{byte(i)}, i%7*300)...)
		added[string(c)] = c
		addAll(t, q, fmt.Sprintf("DEVICE%d", i%5), c)
		if i%20 == 0 {
			require.NoError(t, q.Flush(testContext(t)))
		}
	}
	require.NoError(t, q.Close())
	file, err = os.ReadFile(path)
	require.NoError(t, err)
	return file, added
}

// contents returns the queued chunks by their content.
func contents(t testing.TB, q *Queue) map[string]bool {
	found := map[string]bool{}
	q.mu.Lock()
	devices := make([]*device, 0, len(q.devices))
	for _, d := range q.devices {
		devices = append(devices, d)
	}
	q.mu.Unlock()
	for _, d := range devices {
		handed := d.handed
		for {
			records, err := q.read(d)
			require.NoError(t, err)
			if len(records) == 0 {
				break
			}
			for _, r := range records {
				found[string(r.data)] = true
			}
		}
		d.handed = handed
	}
	return found
}

// reopen writes the content to a file and opens it. What is found is what was added, and the file
// is moved aside byte for byte if anything is missing.
func reopen(t testing.TB, content []byte, added map[string][]byte) (found int, recovery *Recovery) {
	dir := t.TempDir()
	path := filepath.Join(dir, "chunks.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	q, err := Open(path, Options{})
	require.NoError(t, err)
	for c := range contents(t, q) {
		_, ok := added[c]
		require.True(t, ok, "a chunk that nobody added: %.40q", c)
		found++
	}
	recovery = q.Recovery()
	if recovery != nil {
		require.ErrorIs(t, recovery.Err, errDamaged)
		assert.Equal(t, found, recovery.Chunks)
		aside, err := os.ReadFile(recovery.Aside)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, aside), "the file that was moved aside has changed")
		lost := 0
		for _, l := range recovery.Lost {
			lost += l.Chunks
		}
		require.Equal(t, int64(lost), q.Stats().Dropped)
		if recovery.Unreadable >= 0 {
			require.LessOrEqual(t, len(added)-found, lost+recovery.Unreadable, "lost, and neither named nor counted")
		}
	} else {
		require.Len(t, added, found, "chunks are missing, and nobody is told")
	}
	require.NoError(t, q.Add(testContext(t), "NEW", single(1)))
	require.NoError(t, q.Close())
	q, err = Open(path, Options{})
	require.NoError(t, err)
	require.Nil(t, q.Recovery(), "what was recovered is intact")
	require.Equal(t, found+1, q.Stats().Chunks)
	require.NoError(t, q.Close())
	return found, recovery
}

func TestOpen_CutFile(t *testing.T) {
	file, added := writeQueue(t, 150)
	last := 0
	for _, cut := range []int{1, 100, 4095, 4096, 4097, 8192, 10_000, len(file) / 4, len(file) / 2, len(file) * 3 / 4} {
		found, _ := reopen(t, file[:cut], added)
		assert.GreaterOrEqual(t, found, last, "a longer part has no less")
		last = found
	}
	found, recovery := reopen(t, file, added)
	assert.Len(t, added, found)
	assert.Nil(t, recovery)
	assert.Positive(t, last)
}

// A flipped byte costs at most the chunks whose records it is in, wherever it is. With a longer
// file of old pages behind, others are found there.
func TestOpen_FlippedBytes(t *testing.T) {
	file, added := writeQueue(t, 150)
	random := rand.New(rand.NewPCG(3, 4))
	places := []int{0, 8, 16, 24, 40, 4096 + 16, 4096 + 64}
	for range 15 {
		places = append(places, random.IntN(len(file)))
	}
	recovered := 0
	for _, place := range places {
		torn := bytes.Clone(file)
		torn[place] ^= 1 << random.IntN(8)
		found, recovery := reopen(t, torn, added)
		require.GreaterOrEqual(t, found, len(added)-1, "byte %d", place)
		if recovery != nil {
			recovered++
		}
	}
	assert.Positive(t, recovered)
}

// What is lost is named if its place in the database can be read, with the other chunks of its
// message, and the end that is added later.
func TestOpen_NamesWhatIsLost(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // a message of these tests begins before it
	path := filepath.Join(t.TempDir(), "chunks.db")
	q, err := Open(path, Options{Sync: time.Hour})
	require.NoError(t, err)
	long := message(4, 5)
	addAll(t, q, "A", single(1), single(2), single(3))
	addAll(t, q, "B", message(1, 3)...)
	addAll(t, q, "B", message(2, 3)...)
	addAll(t, q, "B", message(3, 3)...)
	addAll(t, q, "C", long[:3]...)
	require.NoError(t, q.Close()) // one commit: there is one copy of each chunk
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, lost := range [][]byte{single(2), message(2, 3)[1], long[2]} {
		require.Equal(t, 1, bytes.Count(file, lost))
		file[bytes.Index(file, lost)+3] ^= 1
	}
	require.NoError(t, os.WriteFile(path, file, 0o600))

	q = openAt(t, path, Options{})
	recovery := q.Recovery()
	require.NotNil(t, recovery)
	size := func(chunks ...[]byte) int64 { return int64(len(bytes.Join(chunks, nil))) }
	assert.Equal(t, []Drop{{"A", 1, size(single(2))}, {"B", 3, size(message(2, 3)...)}, {"C", 3, size(long[:3]...)}}, recovery.Lost)
	assert.Zero(t, recovery.Unreadable)
	assert.Equal(t, 8, recovery.Chunks)
	addAll(t, q, "C", long[3:]...)
	addAll(t, q, "C", single(5))
	drain(t, q, service(t, cloud))
	assert.Equal(t, [][]byte{single(1), single(3)}, cloud.Chunks("A"))
	assert.Equal(t, append(message(1, 3), message(3, 3)...), cloud.Chunks("B"))
	assert.Equal(t, [][]byte{single(5)}, cloud.Chunks("C"))
	assert.Equal(t, int64(9), q.Stats().Dropped)
}

// A part of a message is gone with its place in the database: the gap shows it.
func TestOpen_DropsMessagesWithAGap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chunks.db")
	q, err := Open(path, Options{Sync: time.Hour})
	require.NoError(t, err)
	whole := func(n int) (chunks [][]byte) { // with the offsets of a real message
		for i := range 3 {
			header := [][]byte{{0x48, 0xac, 0x02}, {0xc0, 100}, {0x80, 0xc8, 0x01}}[i]
			chunks = append(chunks, append(header, bytes.Repeat([]byte{byte(n)}, 100)...))
		}
		return chunks
	}
	addAll(t, q, "A", whole(1)...)
	addAll(t, q, "A", whole(2)[0], whole(2)[2]) // as if the middle were gone
	addAll(t, q, "A", whole(3)...)
	addAll(t, q, "B", whole(4)[1:]...) // its beginning was delivered
	require.NoError(t, q.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	file[16] ^= 1 // of a meta page
	require.NoError(t, os.WriteFile(path, file, 0o600))
	q = openAt(t, path, Options{})
	require.NotNil(t, q.Recovery())
	assert.Equal(t, []Drop{{"A", 2, 206}}, q.Recovery().Lost)
	found := contents(t, q)
	assert.Len(t, found, 8)
	assert.False(t, found[string(whole(2)[0])])
	assert.True(t, found[string(whole(4)[2])])
}

func TestOpen_FilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes of files")
	}
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Device: "BAD", Status: 422, Body: cloud.ProjectKey()})
	path := filepath.Join(t.TempDir(), "chunks.db")
	q, err := Open(path, Options{})
	require.NoError(t, err)
	addAll(t, q, "A", single(1))
	addAll(t, q, "BAD", single(2))
	drain(t, q, service(t, cloud))
	require.Equal(t, 1, q.Stats().KeptRejected)
	require.NoError(t, q.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(file), cloud.ProjectKey())
	file[8] ^= 0xff
	require.NoError(t, os.WriteFile(path, file, 0o600))
	q = openAt(t, path, Options{})
	for _, name := range []string{path, q.Recovery().Aside} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode(), name)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 2)
}

// The newest meta page is damaged: bbolt alone would take the state before the last commit.
func TestOpen_LastCommitWithoutItsMetaPage(t *testing.T) {
	file, added := writeQueue(t, 50)
	for page := range 2 {
		torn := bytes.Clone(file)
		clear(torn[page*os.Getpagesize() : page*os.Getpagesize()+512])
		found, recovery := reopen(t, torn, added)
		require.NotNil(t, recovery)
		assert.Len(t, added, found)
	}
}

func TestOpen_ForeignFile(t *testing.T) {
	for _, content := range []string{"a", "SQLite format 3\x00" + strings.Repeat("x", 9000), strings.Repeat("\x00", 40_000)} {
		found, recovery := reopen(t, []byte(content), nil)
		assert.Zero(t, found)
		require.NotNil(t, recovery)
	}
	_, recovery := reopen(t, nil, nil)
	assert.NotNil(t, recovery, "an empty file is none of a queue: it never exists at the path")
}

// What was delivered before the damage is sent again at most; the totals remain.
func TestOpen_RecoversWhatIsLeftInOrder(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the chunks of these tests are no messages
	path := filepath.Join(t.TempDir(), "chunks.db")
	q, err := Open(path, Options{})
	require.NoError(t, err)
	for i := range 30 {
		addAll(t, q, "A", single(i))
	}
	drain(t, q, service(t, cloud))
	for i := 30; i < 60; i++ {
		addAll(t, q, "A", single(i))
	}
	require.NoError(t, q.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	file[8] ^= 0xff
	require.NoError(t, os.WriteFile(path, file, 0o600))
	q = openAt(t, path, Options{})
	require.NotNil(t, q.Recovery())
	assert.Equal(t, int64(30), q.Stats().Delivered)
	assert.Equal(t, int64(1), q.Stats().Recoveries)
	assert.Equal(t, 30, q.Stats().Chunks, "those below the floor were delivered")
	drain(t, q, service(t, cloud))
	var want [][]byte
	for i := range 60 {
		want = append(want, single(i))
	}
	assert.Equal(t, want, cloud.Chunks("A"))
}

// FuzzOpen_TornFile overwrites, cuts and flips parts of a file.
func FuzzOpen_TornFile(f *testing.F) {
	file, added := writeQueue(f, 60)
	f.Add(uint32(8), uint32(len(file)), []byte{1})
	f.Add(uint32(4096*3+20), uint32(20_000), []byte{0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, at, size uint32, change []byte) {
		torn := bytes.Clone(file[:int(size)%(len(file)+1)])
		if len(torn) > 0 {
			start := int(at) % len(torn)
			for i := 0; i < len(change) && start+i < len(torn); i++ {
				torn[start+i] ^= change[i]
			}
		}
		reopen(t, torn, added)
	})
}
