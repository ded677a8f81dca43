package chunkqueue

import (
	"encoding/binary"
	"hash/crc32"
)

// The kinds of records.
const (
	kindChunk    = 'c'
	kindRejected = 'r'
	kindTotals   = 't'
)

// record is a value in the file. It describes itself and has checksums, so that it can be found in
// a file whose structure is lost.
type record struct {
	kind   byte
	seq    uint64 // of the Add, in this file
	added  int64  // Unix time in nanoseconds, for people only
	serial string
	text   string // the error of a rejected chunk
	data   []byte
}

const (
	recordMagic = "MFq\x01"
	// magic, checksum of the header, checksum of the rest, kind, seq, added, three lengths
	headerSize = 4 + 4 + 4 + 1 + 8 + 8 + 2 + 2 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns the value that decode reads.
func (r *record) encode() []byte {
	buffer := make([]byte, 0, headerSize+len(r.serial)+len(r.text)+len(r.data))
	buffer = append(buffer, recordMagic+"\x00\x00\x00\x00\x00\x00\x00\x00"...)
	buffer = append(buffer, r.kind)
	buffer = binary.LittleEndian.AppendUint64(buffer, r.seq)
	buffer = binary.LittleEndian.AppendUint64(buffer, uint64(r.added))
	buffer = binary.LittleEndian.AppendUint16(buffer, uint16(len(r.serial)))
	buffer = binary.LittleEndian.AppendUint16(buffer, uint16(len(r.text)))
	buffer = binary.LittleEndian.AppendUint32(buffer, uint32(len(r.data)))
	buffer = append(append(append(buffer, r.serial...), r.text...), r.data...)
	binary.LittleEndian.PutUint32(buffer[8:], crc32.Checksum(buffer[headerSize:], castagnoli))
	binary.LittleEndian.PutUint32(buffer[4:], crc32.Checksum(buffer[8:headerSize], castagnoli))
	return buffer
}

// decodeHeader reads the header of a record, and the length of the whole record.
func decodeHeader(b []byte) (r record, size int, ok bool) {
	if len(b) < headerSize || string(b[:4]) != recordMagic ||
		binary.LittleEndian.Uint32(b[4:]) != crc32.Checksum(b[8:headerSize], castagnoli) {
		return record{}, 0, false
	}
	r = record{kind: b[12], seq: binary.LittleEndian.Uint64(b[13:]), added: int64(binary.LittleEndian.Uint64(b[21:]))}
	data := binary.LittleEndian.Uint32(b[33:])
	if data > MaxChunk {
		return record{}, 0, false
	}
	return r, headerSize + int(binary.LittleEndian.Uint16(b[29:])) + int(binary.LittleEndian.Uint16(b[31:])) + int(data), true
}

// decode reads a record that is the start of b. Its data refers to b.
func decode(b []byte) (r record, ok bool) {
	r, size, ok := decodeHeader(b)
	if !ok || len(b) < size || binary.LittleEndian.Uint32(b[8:]) != crc32.Checksum(b[headerSize:size], castagnoli) {
		return record{}, false
	}
	serial := headerSize + int(binary.LittleEndian.Uint16(b[29:]))
	text := serial + int(binary.LittleEndian.Uint16(b[31:]))
	r.serial, r.text, r.data = string(b[headerSize:serial]), string(b[serial:text]), b[text:size]
	return r, true
}

// cost is what a record counts for against the bounds: its size in the file.
func (r *record) cost() int64 {
	const element = 16 // of a page of bbolt
	return int64(element + len(chunkKey(r.serial, r.seq)) + headerSize + len(r.serial) + len(r.text) + len(r.data))
}

// chunkKey returns the key of a chunk: those of a device are together, in their order.
func chunkKey(serial string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(devicePrefix(serial), seq)
}

// devicePrefix begins the keys of the chunks of a device, and of no other.
func devicePrefix(serial string) []byte {
	key := make([]byte, 0, 2+len(serial)+8)
	return append(binary.BigEndian.AppendUint16(key, uint16(len(serial))), serial...)
}

// parseKey is the opposite of chunkKey.
func parseKey(key []byte) (serial string, seq uint64, ok bool) {
	if len(key) < 10 || int(binary.BigEndian.Uint16(key)) != len(key)-10 {
		return "", 0, false
	}
	serial = string(key[2 : len(key)-8])
	return serial, keySeq(key), checkSerial(serial) == nil
}

// keySeq returns the sequence number at the end of a key.
func keySeq(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// totals are the counts of the whole queue. They are a record of the file, written in each
// transaction: what the file contains is compared with them when it is opened.
type totals struct {
	tx         uint64 // the transaction of bbolt that wrote them
	next       uint64 // the seq of the next Add
	floor      uint64 // no queued chunk has a lower seq
	queued     tally
	kept       tally // of the rejected chunks in the file
	delivered  uint64
	rejected   uint64
	dropped    uint64
	recoveries uint64
}

// tally counts the chunks of one kind.
type tally struct {
	chunks uint64
	sum    uint64 // of the seqs, modulo 2^64
	bytes  uint64
}

func (t *tally) add(r *record) {
	t.chunks++
	t.sum += r.seq
	t.bytes += uint64(r.cost())
}

// remove is the opposite of add.
func (t *tally) remove(seq uint64, cost int64) {
	t.chunks--
	t.sum -= seq
	t.bytes -= uint64(cost)
}

func (t *totals) fields() []*uint64 {
	return []*uint64{
		&t.tx, &t.next, &t.floor, &t.queued.chunks, &t.queued.sum, &t.queued.bytes, &t.kept.chunks, &t.kept.sum, &t.kept.bytes,
		&t.delivered, &t.rejected, &t.dropped, &t.recoveries,
	}
}

func (t *totals) encode() []byte {
	var data []byte
	for _, field := range t.fields() {
		data = binary.LittleEndian.AppendUint64(data, *field)
	}
	r := record{kind: kindTotals, seq: t.next, data: data}
	return r.encode()
}

func (t *totals) decode(r record) bool {
	fields := t.fields()
	if r.kind != kindTotals || len(r.data) != 8*len(fields) {
		return false
	}
	for i, field := range fields {
		*field = binary.LittleEndian.Uint64(r.data[8*i:])
	}
	return true
}
