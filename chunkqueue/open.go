package chunkqueue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

var (
	chunksBucket   = []byte("chunks")   // chunkKey → record
	rejectedBucket = []byte("rejected") // seq → record
	skipsBucket    = []byte("skips")    // serial of a device whose last message was dropped → 1
	totalsBucket   = []byte("totals")   // totalsKey → record
	lostBucket     = []byte("lost")     // chunkKey of a chunk that is lost → its size; only during a recovery
	totalsKey      = []byte("totals")
)

// Recovery describes what Open did with a file that was damaged, or of another program.
type Recovery struct {
	Err    error  // what was wrong
	Aside  string // where the file is now
	Chunks int    // that were found in it, and are queued again
	// Lost is by device what was queued and cannot be read, and what Memfault could not use without
	// it: the other chunks of the same messages.
	Lost []Drop
	// Unreadable counts the chunks that were queued in parts of the file that are gone, or whose
	// structure is lost, so that their devices are unknown. Many can be among Chunks, which are found
	// wherever they are in the file; those that are not are lost. It is -1 if it is not known how
	// many were queued.
	Unreadable int
}

// openFile opens and locks the file, creates it if it does not exist, and recovers what is in it
// if it is damaged. It sets the devices, the totals and the database of the queue.
func (q *Queue) openFile() error {
	file, err := os.OpenFile(q.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return q.rebuild(nil, nil)
	}
	if err != nil {
		return err
	}
	if err := lock(file); err != nil {
		_ = file.Close()
		return err
	}
	same, err := isAt(file, q.path)
	if err != nil || !same {
		_ = file.Close()
		return errors.Join(err, ErrInUse) // another process is just recovering it
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", q.path)
	}
	if err == nil {
		err = q.load(file, info.Size())
	}
	if errors.Is(err, errDamaged) {
		err = q.rebuild(file, err)
		return errors.Join(err, file.Close())
	}
	if err == nil {
		q.db, err = openBolt(file)
	}
	if err != nil {
		_ = file.Close()
	}
	return err
}

// isAt reports whether the file is that at path.
func isAt(file *os.File, path string) (bool, error) {
	here, err := file.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(here, there), err
}

// openBolt opens the database in a file that is locked. It closes the file if it fails.
func openBolt(file *os.File) (*bbolt.DB, error) {
	return bbolt.Open(file.Name(), 0o600, &bbolt.Options{
		Timeout:        time.Second,
		NoFreelistSync: true, // fewer bytes written; Open reads the whole file anyway
		FreelistType:   bbolt.FreelistMapType,
		OpenFile:       func(string, int, os.FileMode) (*os.File, error) { return file, nil },
	})
}

// load reads the whole file, and sets the devices and the totals. It fails with errDamaged if the
// file is not an intact queue.
func (q *Queue) load(file io.ReaderAt, size int64) error {
	q.devices = map[string]*device{}
	q.totals = totals{}
	var stored totals
	var found bool
	tx, err := walkBolt(file, size, func(bucket string, key, value []byte) error {
		if bucket == string(skipsBucket) {
			q.device(string(key)).skip = true
			return nil
		}
		r, ok := decode(value)
		if !ok {
			return damaged("the record %q", key)
		}
		switch {
		case bucket == string(totalsBucket) && string(key) == string(totalsKey) && stored.decode(r):
			found = true
		case bucket == string(chunksBucket) && r.kind == kindChunk && string(key) == string(chunkKey(r.serial, r.seq)):
			q.device(r.serial).add(&r)
			q.totals.queued.add(&r)
		case bucket == string(rejectedBucket) && r.kind == kindRejected && len(key) == 8 && keySeq(key) == r.seq:
			q.totals.kept.add(&r)
		default:
			return damaged("the record %q in %q", key, bucket)
		}
		return nil
	})
	if err != nil {
		return err
	}
	read := stored
	read.queued, read.kept = q.totals.queued, q.totals.kept
	switch {
	case !found || read != stored:
		return damaged("%d chunks instead of %d", read.queued.chunks, stored.queued.chunks)
	case stored.tx != tx: // a disk without working syncs: pages are of an older transaction
		return damaged("the transaction %d instead of %d", stored.tx, tx)
	}
	q.totals = stored
	for _, d := range q.devices {
		d.public = d.counts
	}
	return nil
}

// rebuild creates a new file, with the records that are in the damaged one, and moves that aside.
// The damaged file is at the path until the new one has replaced it, which is one step.
func (q *Queue) rebuild(old *os.File, cause error) error {
	path := q.path + ".new"
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	fail := func(err error) error {
		if q.db == nil {
			_ = file.Close()
		} else {
			_ = q.db.Close()
		}
		q.db = nil
		return err
	}
	if err := lock(file); err != nil {
		return fail(err)
	}
	if same, err := isAt(file, path); err != nil || !same {
		return fail(errors.Join(err, ErrInUse)) // another process has created the queue
	}
	if old == nil {
		if _, err := os.Stat(q.path); err == nil {
			return fail(ErrInUse)
		}
	}
	if err := file.Truncate(0); err != nil {
		return fail(err)
	}
	if q.db, err = openBolt(file); err != nil {
		q.db = nil
		return err
	}
	q.db.NoSync = true // until all is there
	q.devices, q.totals = map[string]*device{}, totals{}
	q.recovery = &Recovery{Err: cause}
	if err = q.salvage(old); err == nil {
		err = q.db.Sync()
	}
	if err != nil {
		_ = os.Remove(path)
		return fail(err)
	}
	q.db.NoSync = false
	if old == nil {
		q.recovery = nil
	} else if q.recovery.Aside, err = moveAside(q.path, old); err != nil {
		_ = os.Remove(path)
		return fail(err)
	}
	if err := errors.Join(os.Rename(path, q.path), syncDir(q.path)); err != nil {
		return fail(err)
	}
	for _, d := range q.devices {
		d.public = d.counts
	}
	return nil
}

// moveAside gives the file at path a second name, or copies it if the file system has no links.
func moveAside(path string, file *os.File) (string, error) {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.damaged-%d", path, n)
		err := os.Link(path, aside)
		if err == nil {
			return aside, nil
		}
		if errors.Is(err, os.ErrExist) {
			continue
		}
		to, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = io.Copy(to, io.NewSectionReader(file, 0, 1<<62))
		if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
			_ = os.Remove(aside)
		}
		return aside, err
	}
}

// syncDir makes the names in the directory of path durable.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = dir.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrInvalid) {
		err = nil
	}
	return errors.Join(err, dir.Close())
}

// salvage copies the records of a damaged file into the new database, wherever they are in it.
// Among them can be chunks that were delivered since: those are sent again.
func (q *Queue) salvage(old *os.File) error {
	err := q.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{chunksBucket, rejectedBucket, skipsBucket, totalsBucket, lostBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && old != nil {
		err = q.restore(old)
	}
	if err != nil {
		return err
	}
	return q.db.Update(q.count)
}

// restore writes the records that are found, and sets the totals that are no counts of them.
func (q *Queue) restore(old *os.File) error {
	t := &q.totals
	err := scanRecords(old, func(r record) error {
		var stored totals
		if stored.decode(r) && stored.tx >= t.tx {
			*t = stored
		}
		return nil
	})
	if err != nil {
		return err
	}
	size, puts := 0, []put(nil)
	flush := func() error {
		err := q.db.Update(func(tx *bbolt.Tx) error {
			for _, p := range puts {
				if string(p.bucket) == string(lostBucket) && tx.Bucket(chunksBucket).Get(p.key) != nil {
					continue // a copy of it was found
				}
				if err := tx.Bucket(p.bucket).Put(p.key, p.value); err != nil {
					return err
				}
			}
			return nil
		})
		size, puts = 0, puts[:0]
		return err
	}
	write := func(bucket, key, value []byte) error {
		puts = append(puts, put{bucket, key, value})
		if size += len(value); size < 4<<20 && len(puts) < 4096 {
			return nil
		}
		return flush()
	}
	floor := t.floor
	err = scanRecords(old, func(r record) error {
		if r.kind == kindTotals || r.kind == kindChunk && r.seq < floor || checkSerial(r.serial) != nil || r.seq >= 1<<63 {
			return nil
		}
		t.next = max(t.next, r.seq+1)
		if r.kind == kindRejected {
			return write(rejectedBucket, seqKey(r.seq), r.encode())
		}
		return write(chunksBucket, chunkKey(r.serial, r.seq), r.encode())
	})
	if err = errors.Join(err, flush()); err != nil {
		return err
	}
	info, err := old.Stat()
	if err != nil {
		return err
	}
	readable := 0 // queued chunks whose place in the database could be read
	queued := -1
	newest, err := walkDamaged(old, info.Size(), func(bucket string, key, value []byte) error {
		r, ok := decode(value)
		switch bucket {
		case string(skipsBucket):
			if checkSerial(string(key)) == nil {
				return write(skipsBucket, bytes.Clone(key), []byte{1})
			}
		case string(totalsBucket):
			var stored totals
			if ok && stored.decode(r) && stored.tx == t.tx {
				queued = int(stored.queued.chunks)
			}
		case string(chunksBucket):
			serial, seq, valid := parseKey(key)
			if !valid || seq < floor {
				return nil
			}
			readable++
			if ok && string(key) == string(chunkKey(r.serial, r.seq)) {
				return nil
			}
			length := max(len(value)-headerSize-len(serial), 0)
			return write(lostBucket, bytes.Clone(key), binary.LittleEndian.AppendUint64(nil, uint64(length)))
		}
		return nil
	})
	if err = errors.Join(err, flush()); err != nil {
		return err
	}
	q.recovery.Unreadable = -1
	if newest && queued >= 0 {
		q.recovery.Unreadable = max(queued-readable, 0)
	}
	t.queued, t.kept = tally{}, tally{}
	t.recoveries++
	return nil
}

// put is a value for the new database.
type put struct{ bucket, key, value []byte }

// count sets the devices and the totals from the records of the new database.
func (q *Queue) count(tx *bbolt.Tx) error {
	chunks, rejected := tx.Bucket(chunksBucket), tx.Bucket(rejectedBucket)
	err := rejected.ForEach(func(_, value []byte) error {
		r, _ := decode(value)
		q.totals.kept.add(&r)
		return chunks.Delete(chunkKey(r.serial, r.seq)) // the chunk from before it was rejected
	})
	if err != nil {
		return err
	}
	if err := q.dropBroken(tx); err != nil {
		return err
	}
	err = chunks.ForEach(func(_, value []byte) error {
		r, _ := decode(value)
		q.device(r.serial).add(&r)
		q.totals.queued.add(&r)
		return nil
	})
	if err != nil {
		return err
	}
	err = tx.Bucket(skipsBucket).ForEach(func(key, _ []byte) error {
		q.device(string(key)).skip = true
		return nil
	})
	if err != nil {
		return err
	}
	if err := tx.DeleteBucket(lostBucket); err != nil {
		return err
	}
	q.recovery.Chunks = int(q.totals.queued.chunks)
	q.totals.next = max(q.totals.next, 1)
	q.totals.tx, q.totals.floor = uint64(tx.ID()), q.lowest()
	return tx.Bucket(totalsBucket).Put(totalsKey, q.totals.encode())
}

// scanRecords finds the records in a file of any content. It calls found for each, with data of
// its own.
func scanRecords(file io.ReaderAt, found func(record) error) error {
	const block = 1 << 20
	buffer := make([]byte, block+headerSize)
	for at := int64(0); ; {
		n, err := file.ReadAt(buffer, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		next := at + block
		for i := 0; i < min(n, block); {
			skip := indexMagic(buffer[i:n])
			if skip < 0 {
				break
			}
			i += skip
			_, size, ok := decodeHeader(buffer[i:n])
			if !ok {
				i++
				continue
			}
			value := make([]byte, size)
			err := readFull(file, value, at+int64(i))
			if err != nil && !errors.Is(err, errDamaged) {
				return err
			}
			r, ok := decode(value)
			if err != nil || !ok {
				i += headerSize
				continue
			}
			if err := found(r); err != nil {
				return err
			}
			if i += size; i >= block {
				next = at + int64(i)
			}
		}
		if n < len(buffer) {
			return nil
		}
		at = next
	}
}
