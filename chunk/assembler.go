package chunk

import "encoding/binary"

// defaultMaxMessage is the largest message if Assembler.MaxMessage is not set.
const defaultMaxMessage = 16 << 20

// The first byte of a chunk.
const (
	flagContinuation = 0x80
	flagMore         = 0x40 // more chunks of the message follow
	maskConfig       = 0x38
	maskChannel      = 0x07

	configCRCAfter = 0x08 // the CRC follows the message; otherwise it is in the first chunk
)

const crcSize = 2

// Assembler puts the chunks of a device together. The chunks must be added in the order in
// which the device sent them. The zero value is ready for use. An Assembler is not safe for
// concurrent use by multiple goroutines.
//
// An Assembler needs memory for the part of a message that arrived, not for the length that its
// first chunk announces.
type Assembler struct {
	// MaxMessage is the largest size of a message in bytes, before and after its
	// decompression. 0 means 16 MiB. It must not be changed between calls of Add.
	MaxMessage int

	chunks int // given to Add

	// The message that is incomplete. Until more of it arrived, it can have two layouts.
	first   int // the number of its first chunk; 0 if there is none
	buffer  []byte
	layouts [2]layout
	count   int // of layouts

	tail tail
}

// layout describes where a message is in the data of its chunks.
type layout struct {
	skip     int // bytes before the message
	size     int // of the message
	crcAfter bool
	crc      uint16 // if it is before the message
}

// end returns the length of the data.
func (l layout) end() int {
	if l.crcAfter {
		return l.skip + l.size + crcSize
	}
	return l.skip + l.size
}

// intact reports whether the CRC of the message in data is right.
func (l layout) intact(data []byte) bool {
	crc := l.crc
	if l.crcAfter {
		crc = binary.LittleEndian.Uint16(data[l.skip+l.size:])
	}
	return crc16(data[l.skip:l.skip+l.size]) == crc
}

// tail is what is known of a message that was completed or lost, so that another chunk of it
// can be recognized.
type tail struct {
	known          bool
	lost           bool
	ended          bool // its last chunk was seen
	first          int  // as in DamageError
	kind           MessageType
	size           int
	last, next     int // the range of its last chunk
	gapFrom, gapTo int // what is missing before
}

// part is a chunk without its header.
type part struct {
	continuation, more, crcAfter bool

	offset int // of a continuation
	data   []byte
}

// Add adds the next chunk of the device. If it completes a message, Add returns the message.
// Otherwise the message is nil. Add does not retain data.
//
// If a message was damaged, Add returns a [*DamageError]. The message is lost; its other chunks
// are skipped without an error, and the next message is read as usual. A message and an error
// can both be returned: data completes a message, and shows that the message before is
// unfinished. [Damages] returns all damage of an error.
func (a *Assembler) Add(data []byte) (*Message, error) {
	a.chunks++
	p, ok := parse(data)
	if !ok {
		return nil, &DamageError{Kind: DamageHeader, Chunk: a.chunks, Hint: hint(data)}
	}
	var m *Message
	var unfinished, damage *DamageError
	if p.continuation {
		m, damage = a.next(p)
	} else {
		unfinished = a.unfinished()
		m, damage = a.begin(p)
	}
	if damage != nil && damage.Hint == "" {
		damage.Hint = hint(data)
	}
	return m, join(unfinished, damage)
}

// Pending returns how many bytes of an incomplete message have arrived, and its announced
// length. Both are 0 if no message is incomplete.
func (a *Assembler) Pending() (received, size int) {
	if a.first == 0 {
		return 0, 0
	}
	l := a.layouts[0]
	return min(len(a.buffer)-l.skip, l.size), l.size
}

// Flush ends the sequence of chunks. If a message is incomplete, Flush drops it and returns a
// [*DamageError] of the kind [DamageUnfinished]. The Assembler can be used again.
func (a *Assembler) Flush() error { return join(a.unfinished()) }

func (a *Assembler) unfinished() *DamageError {
	var damage *DamageError
	if a.first != 0 {
		received, size := a.Pending()
		damage = a.lose(DamageUnfinished, received, size)
	}
	a.tail = tail{}
	return damage
}

// parse reads the header of a chunk.
func parse(data []byte) (part, bool) {
	if len(data) == 0 || data[0]&maskChannel != 0 {
		return part{}, false
	}
	config := data[0] & maskConfig
	p := part{
		continuation: data[0]&flagContinuation != 0,
		more:         data[0]&flagMore != 0,
		crcAfter:     config == configCRCAfter,
		data:         data[1:],
	}
	if !p.continuation {
		return p, config == 0 || config == configCRCAfter
	}
	offset, n := binary.Uvarint(p.data)
	if config != 0 || n <= 0 || offset > maxOffset {
		return part{}, false
	}
	p.offset, p.data = int(offset), p.data[n:]
	return p, true
}

// maxOffset keeps sums of offsets and lengths within int, also if it has 32 bits.
const maxOffset = 1 << 29

func (a *Assembler) limit() int {
	if a.MaxMessage > 0 {
		return min(a.MaxMessage, maxOffset)
	}
	return defaultMaxMessage
}

// begin reads the first chunk of a message.
func (a *Assembler) begin(p part) (*Message, *DamageError) {
	a.first, a.buffer, a.count = a.chunks, p.data, 0
	if !p.more {
		l := layout{crcAfter: p.crcAfter, size: len(p.data) - crcSize}
		if !p.crcAfter && l.size >= 0 {
			l.skip, l.crc = crcSize, binary.LittleEndian.Uint16(p.data)
		}
		a.layouts[0], a.count = l, 1
		switch {
		case l.size < 1:
			return nil, a.lose(DamageCut, max(l.size, 0), 1)
		case l.size > a.limit():
			return nil, a.lose(DamageLength, a.limit(), l.size)
		}
		a.tail.next = len(p.data)
		return a.complete(true)
	}
	a.open(p)
	if a.count == 0 {
		return nil, a.lose(DamageCut, 0, 0) // within the length
	}
	if damage := a.check(); damage != nil {
		return nil, damage
	}
	a.buffer = append(make([]byte, 0, min(a.layouts[0].end(), max(firstBuffer, len(p.data)))), p.data...)
	return nil, nil
}

// firstBuffer is the size of the first buffer of a message of several chunks.
const firstBuffer = 2048

// open reads the length of a message of several chunks. If the CRC is in the first chunk, it is
// not known whether it is before or after the length; the other chunks show which is right.
func (a *Assembler) open(p part) {
	add := func(l layout, size uint64, n int) {
		if n > 0 {
			l.size = int(min(size, maxOffset))
			a.layouts[a.count] = l
			a.count++
		}
	}
	size, n := binary.Uvarint(p.data)
	if p.crcAfter {
		add(layout{skip: n, crcAfter: true}, size, n)
		return
	}
	if n > 0 && len(p.data) >= n+crcSize {
		add(layout{skip: n + crcSize, crc: binary.LittleEndian.Uint16(p.data[n:])}, size, n)
	}
	if len(p.data) >= crcSize {
		size, n = binary.Uvarint(p.data[crcSize:])
		add(layout{skip: crcSize + n, crc: binary.LittleEndian.Uint16(p.data)}, size, n)
	}
}

// keep drops the layouts that do not fit. If none fits, it keeps them for the report of the
// damage, and returns false.
func (a *Assembler) keep(fits func(layout) bool) bool {
	kept, n := a.layouts, 0
	for _, l := range a.layouts[:a.count] {
		if fits(l) {
			kept[n] = l
			n++
		}
	}
	if n > 0 {
		a.layouts, a.count = kept, n
	}
	return n > 0
}

// check drops the layouts that are too long, or that the data before the last chunk exceeds. It
// returns damage if none is left.
func (a *Assembler) check() *DamageError {
	if a.keep(func(l layout) bool { return l.size >= 1 && l.size <= a.limit() && len(a.buffer) <= l.end() }) {
		return nil
	}
	l := a.layouts[0]
	return a.lose(DamageLength, min(l.size, a.limit()), max(len(a.buffer)-l.skip, l.size))
}

// next reads a chunk that continues a message.
func (a *Assembler) next(p part) (*Message, *DamageError) {
	if a.first == 0 {
		return nil, a.stray(p)
	}
	end := p.offset + len(p.data)
	if !a.keep(func(l layout) bool { return len(a.buffer)-l.skip == p.offset }) {
		expected := len(a.buffer) - a.layouts[0].skip
		if p.offset > expected {
			damage := a.lose(DamageGap, expected, p.offset)
			a.tail.gapFrom, a.tail.gapTo = expected, p.offset
			a.tail.last, a.tail.next, a.tail.ended = p.offset, end, !p.more
			return nil, damage
		}
		damage := a.lose(DamageOverlap, p.offset, min(end, expected))
		a.tail.last, a.tail.next = p.offset, end
		return nil, damage
	}
	a.tail.last, a.tail.next = p.offset, end
	a.grow(len(p.data))
	a.buffer = append(a.buffer, p.data...)
	if !p.more {
		return a.complete(false)
	}
	return nil, a.check()
}

// grow makes room for n bytes. It doubles the buffer, but at most to the announced length.
func (a *Assembler) grow(n int) {
	size, room := len(a.buffer), cap(a.buffer)
	if n > room-size {
		size = max(size+n, min(2*room, a.layouts[0].end()))
		a.buffer = append(make([]byte, 0, size), a.buffer...)
	}
}

// stray reads a chunk that continues no message. It returns nil if the chunk belongs to a message
// that was lost.
func (a *Assembler) stray(p part) *DamageError {
	end := p.offset + len(p.data)
	t := &a.tail
	switch {
	case !t.known:
	case p.offset == t.last && end == t.next && p.more != t.ended: // the last chunk again
		if t.lost {
			return nil
		}
		return &DamageError{
			Kind: DamageOverlap, Chunk: a.chunks, FirstChunk: t.first, Type: t.kind, Size: t.size,
			From: min(p.offset, t.size), To: min(end, t.size),
		}
	case !t.lost:
	case p.offset == t.next, p.offset > t.next && !t.ended:
		t.last, t.next, t.ended = p.offset, end, !p.more
		return nil
	case p.offset >= t.gapFrom && end <= t.gapTo && (p.more || !t.ended): // it is late
		t.gapFrom, t.ended = end, t.ended || !p.more
		return nil
	}
	a.tail = tail{known: true, lost: true, last: p.offset, next: end, ended: !p.more}
	return &DamageError{Kind: DamageNoStart, Chunk: a.chunks, From: p.offset, To: end}
}

// complete checks a message whose last chunk was read. If shared is set, the buffer belongs to
// the caller.
func (a *Assembler) complete(shared bool) (*Message, *DamageError) {
	a.tail.ended = true
	if !a.keep(func(l layout) bool { return len(a.buffer) >= l.end() }) {
		l := a.layouts[0]
		return nil, a.lose(DamageCut, min(len(a.buffer)-l.skip, l.size), l.size)
	}
	if !a.keep(func(l layout) bool { return l.intact(a.buffer) }) {
		return nil, a.lose(DamageCRC, 0, a.layouts[0].size)
	}
	l := a.layouts[0]
	m, problem := newMessage(a.buffer[l.skip:l.skip+l.size], shared, a.limit())
	if problem != nil {
		damage := a.lose(DamageContent, problem.from, problem.to)
		damage.Hint = problem.text
		return nil, damage
	}
	a.settle(m.Type, l.size)
	return m, nil
}

// lose drops the incomplete message.
func (a *Assembler) lose(kind DamageKind, from, to int) *DamageError {
	damage := &DamageError{Kind: kind, Chunk: a.chunks, FirstChunk: a.first, From: from, To: to}
	if l := a.layouts[0]; a.count > 0 {
		damage.Size = max(l.size, 0)
		if len(a.buffer) > l.skip && l.size > 0 {
			damage.Type = MessageType(a.buffer[l.skip] & maskType)
		}
	}
	a.settle(damage.Type, damage.Size)
	a.tail.lost = true
	return damage
}

// settle ends the incomplete message.
func (a *Assembler) settle(kind MessageType, size int) {
	a.tail.known, a.tail.first, a.tail.kind, a.tail.size = true, a.first, kind, size
	a.first, a.buffer = 0, nil
}
