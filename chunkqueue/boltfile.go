package chunkqueue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// errDamaged is the error of a file that is not an intact queue.
var errDamaged = errors.New("the file is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errDamaged}, args...)...)
}

// bbolt trusts its file: a page with a wrong length or reference makes it panic, in part on
// goroutines of its own, or read beyond the file. So walkBolt reads the file before bbolt does. It
// checks the structure of every page that bbolt can reach. The format is that of bbolt, version 2.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader  = 16
	branchFlag  = 1
	leafFlag    = 2
	metaFlag    = 4
	elementSize = 16
	bucketFlag  = 1

	maxDepth    = 32
	maxPageSize = 1 << 16
	maxPage     = 2*MaxChunk + 1<<20 // of a leaf with its overflow
)

var order = binary.NativeEndian

// boltMeta is a meta page of a bbolt file.
type boltMeta struct {
	pageSize int
	root     uint64
	pages    uint64 // the number of pages in use, free ones included
	txid     uint64
}

// boltFile is a bbolt file that is being checked.
type boltFile struct {
	file     io.ReaderAt
	meta     boltMeta
	tolerant bool
	seen     []uint64 // a bit for each page
	visit    func(bucket string, key, value []byte) error
}

// walkBolt checks the structure of a bbolt file, and calls visit for each key outside of nested
// buckets in them. key and value are valid during the call. It fails with errDamaged, or with an
// error of the file or of visit. tx is the number of the transaction that the file has.
func walkBolt(file io.ReaderAt, size int64, visit func(bucket string, key, value []byte) error) (tx uint64, err error) {
	first, err := readMeta(file, 0)
	if err != nil {
		return 0, err
	}
	second, err := readMeta(file, int64(first.pageSize))
	if err != nil {
		return 0, err
	}
	if first.pageSize != second.pageSize {
		return 0, damaged("the page sizes %d and %d", first.pageSize, second.pageSize)
	}
	meta := first
	if second.txid > first.txid {
		meta = second
	}
	// The difference is 1, unless a transaction failed while it wrote its meta page.
	if meta.pages < 4 || meta.pages > uint64(size)/uint64(meta.pageSize) {
		return 0, damaged("it has %d bytes, and needs %d pages", size, meta.pages)
	}
	f := &boltFile{file: file, meta: meta, visit: visit}
	return meta.txid, f.walk()
}

// walkDamaged is walkBolt for a damaged file: it leaves out what is damaged. It visits nothing if
// both meta pages are. newest reports that no meta page is damaged, so that there was no later
// commit than that which it visits.
func walkDamaged(file io.ReaderAt, size int64, visit func(bucket string, key, value []byte) error) (newest bool, err error) {
	var meta boltMeta
	valid := 0
	starts := []int64{0}
	for pageSize := int64(1024); pageSize <= maxPageSize; pageSize *= 2 {
		starts = append(starts, pageSize)
	}
	for _, start := range starts {
		m, err := readMeta(file, start)
		switch {
		case err == nil && (start == 0 || start == int64(m.pageSize)):
			valid++
			if m.txid >= meta.txid {
				meta = m
			}
		case err != nil && !errors.Is(err, errDamaged):
			return false, err
		}
	}
	if valid == 0 {
		return false, nil
	}
	meta.pages = min(meta.pages, uint64(size)/uint64(meta.pageSize))
	f := &boltFile{file: file, meta: meta, tolerant: true, visit: visit}
	if err := f.walk(); !f.passes(err) {
		return false, err
	}
	return valid == 2, nil
}

// passes reports whether the walk goes on after err.
func (f *boltFile) passes(err error) bool {
	return err == nil || f.tolerant && errors.Is(err, errDamaged)
}

func (f *boltFile) walk() error {
	f.seen = make([]uint64, f.meta.pages/64+1)
	tree := tree{f: f, leaf: func(flags uint32, key, value []byte) error {
		if flags != bucketFlag {
			return damaged("key %q outside of the buckets", key)
		}
		return f.bucket(string(key), value)
	}}
	return tree.page(f.meta.root, 0, nil)
}

// readMeta reads a meta page.
func readMeta(file io.ReaderAt, at int64) (boltMeta, error) {
	b := make([]byte, pageHeader+64)
	if err := readFull(file, b, at); err != nil {
		return boltMeta{}, err
	}
	if order.Uint16(b[8:]) != metaFlag {
		return boltMeta{}, damaged("no meta page at %d", at)
	}
	b = b[pageHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56])
	if order.Uint32(b) != boltMagic || order.Uint32(b[4:]) != boltVersion || order.Uint64(b[56:]) != sum.Sum64() {
		return boltMeta{}, damaged("the meta page at %d", at)
	}
	m := boltMeta{
		pageSize: int(order.Uint32(b[8:])), root: order.Uint64(b[16:]),
		pages: order.Uint64(b[40:]), txid: order.Uint64(b[48:]),
	}
	if m.pageSize < 1024 || m.pageSize > maxPageSize || m.pageSize&(m.pageSize-1) != 0 {
		return boltMeta{}, damaged("the page size %d", m.pageSize)
	}
	if order.Uint64(b[32:]) != ^uint64(0) {
		return boltMeta{}, damaged("another program wrote it") // the queue writes no free list
	}
	return m, nil
}

// readFull reads len(b) bytes. A file that ends before is damaged.
func readFull(file io.ReaderAt, b []byte, at int64) error {
	n, err := file.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return damaged("it ends at %d", at+int64(n))
	default:
		return err
	}
}

// bucket walks the bucket whose value in its parent is given.
func (f *boltFile) bucket(name string, value []byte) error {
	tree := tree{f: f, leaf: func(flags uint32, key, value []byte) error {
		if flags != 0 {
			return damaged("the bucket %q in %q", key, name)
		}
		return f.visit(name, key, value)
	}}
	if len(value) < 16 {
		return damaged("the bucket %q", name)
	}
	if root := order.Uint64(value); root != 0 {
		return tree.page(root, 0, nil)
	}
	if len(value) < 16+pageHeader {
		return damaged("the bucket %q", name)
	}
	if order.Uint16(value[16+8:]) != leafFlag {
		return damaged("the bucket %q", name)
	}
	return tree.elements(value[16:], 0, 0, nil)
}

// tree is a tree of pages. leaf is called for each element.
type tree struct {
	f    *boltFile
	leaf func(flags uint32, key, value []byte) error
	last []byte // the key before
	any  bool   // a key was seen
}

// page walks a page and those below it. No key of them may be less than lowest.
func (t *tree) page(id uint64, depth int, lowest []byte) error {
	f := t.f
	if id < 2 || id >= f.meta.pages || depth > maxDepth {
		return damaged("reference to page %d", id)
	}
	size := f.meta.pageSize
	at := int64(id) * int64(size)
	header := make([]byte, pageHeader)
	if err := readFull(f.file, header, at); err != nil {
		return err
	}
	overflow := uint64(order.Uint32(header[12:]))
	length := (overflow + 1) * uint64(size)
	if order.Uint64(header) != id || id+overflow >= f.meta.pages || length > maxPage {
		return damaged("page %d", id)
	}
	for p := id; p <= id+overflow; p++ {
		if f.seen[p/64]&(1<<(p%64)) != 0 {
			return damaged("page %d is used twice", p)
		}
		f.seen[p/64] |= 1 << (p % 64)
	}
	b := make([]byte, length)
	if err := readFull(f.file, b, at); err != nil {
		return err
	}
	return t.elements(b, id, depth, lowest)
}

// elements walks the elements of a page.
func (t *tree) elements(b []byte, id uint64, depth int, lowest []byte) error {
	flags, count := order.Uint16(b[8:]), int(order.Uint16(b[10:]))
	if flags != branchFlag && flags != leafFlag || count == 0 && (flags == branchFlag || depth > 0) ||
		pageHeader+count*elementSize > len(b) {
		return damaged("the header of page %d", id)
	}
	for i := range count {
		if err := t.element(b, i, id, depth, lowest); !t.f.passes(err) {
			return err
		}
	}
	return nil
}

// element walks one element of a page.
func (t *tree) element(b []byte, i int, id uint64, depth int, lowest []byte) error {
	start := pageHeader + i*elementSize
	e := b[start : start+elementSize]
	var key, value []byte
	var inside bool
	branch := order.Uint16(b[8:]) == branchFlag
	if branch {
		key, inside = cut(b, start, order.Uint32(e), order.Uint32(e[4:]))
	} else {
		key, inside = cut(b, start, order.Uint32(e[4:]), order.Uint32(e[8:]))
		if inside {
			value, inside = cut(b, start, order.Uint32(e[4:])+order.Uint32(e[8:]), order.Uint32(e[12:]))
		}
	}
	if !inside || len(key) == 0 || bytes.Compare(key, lowest) < 0 || t.any && bytes.Compare(key, t.last) <= 0 {
		return damaged("element %d of page %d", i, id)
	}
	if branch {
		return t.page(order.Uint64(e[8:]), depth+1, key)
	}
	t.last, t.any = append(t.last[:0], key...), true
	return t.leaf(order.Uint32(e), key, value)
}

// cut returns n bytes of a page, at pos behind start.
func cut(b []byte, start int, pos, n uint32) ([]byte, bool) {
	from, to := uint64(start)+uint64(pos), uint64(start)+uint64(pos)+uint64(n)
	if to > uint64(len(b)) {
		return nil, false
	}
	return b[from:to], true
}
