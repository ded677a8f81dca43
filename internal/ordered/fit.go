package ordered

// fit is what is known about the largest request of a device. It exists from the first batch
// that was too much until batches of full size are accepted again.
//
// A batch that is too much either is too large or contains an item that is at fault. Both
// are handled by smaller batches: if all items of the batch are accepted that way, its size
// is remembered as too large. If one item is alone at fault, nothing is learned about sizes,
// and batches grow again from one item.
type fit struct {
	items, bytes measure

	suspects int64 // so many of the first items were part of a batch that was too much
	sure     bool  // that batch was rejected, and not only lost
}

// The accepted batches of full size after which a larger one is tried again, if the size
// that is too large is known. It doubles whenever the larger one is too much.
const (
	unsurePatience = 2
	surePatience   = 16
	mostPatience   = 1 << 10
)

// measure is what is known about the items, or the bytes, of a request.
type measure struct {
	limit    int64 // of the next batch; 0 is unlimited
	fits     int64 // the most that was accepted
	tooMuch  int64 // the least that was too large; 0 if unknown
	rejected int64 // the least that was too much, for a reason that is not known yet
	full     int64 // accepted batches since the limit changed that it kept from being larger
	patience int64 // of them before the limit grows
}

// reject counts a batch that was too much.
func (f *fit) reject(items, bytes int64, sure bool) {
	f.suspects, f.sure = items, sure
	f.items.reject(items)
	f.bytes.reject(bytes)
}

func (m *measure) reject(size int64) {
	if m.fits >= size {
		m.fits = 0 // it does not fit any more, or an item is at fault
	}
	m.limit = max(size/2, m.fits, 1)
	m.rejected, m.full = size, 0
}

// isolate counts an item that is at fault alone.
func (f *fit) isolate() {
	f.suspects = 0
	f.items.rejected, f.bytes.rejected = 0, 0
	f.items.limit, f.bytes.limit = 1, 0
	if f.bytes.tooMuch > 0 {
		f.bytes.limit = f.bytes.fits
	}
}

// accept counts an accepted batch. itemsFull and bytesFull report whether a limit of fit
// kept it from being larger.
func (f *fit) accept(items, bytes int64, itemsFull, bytesFull bool) {
	f.items.accept(items)
	f.bytes.accept(bytes)
	if f.suspects -= items; f.suspects > 0 {
		return
	}
	f.items.conclude(f.sure)
	f.bytes.conclude(f.sure)
	if itemsFull {
		f.items.grow()
	}
	if bytesFull {
		f.bytes.grow()
	}
}

func (m *measure) accept(size int64) {
	m.fits = max(m.fits, size)
	if m.tooMuch > 0 && size >= m.tooMuch {
		m.tooMuch, m.patience = 0, 1 // conditions have changed
	}
}

// conclude remembers that the rejected size was too large, because all of its items were
// accepted in smaller batches.
func (m *measure) conclude(sure bool) {
	if m.rejected == 0 {
		return
	}
	if m.tooMuch == 0 || m.rejected < m.tooMuch {
		m.tooMuch, m.patience = m.rejected, unsurePatience
		if sure {
			m.patience = surePatience
		}
	}
	m.rejected = 0
}

// grow raises the limit after an accepted batch of that size.
func (m *measure) grow() {
	m.full++
	switch gap := m.tooMuch - m.limit; {
	case m.tooMuch == 0:
		m.limit *= 2
	case gap > 1 && gap > m.limit/8:
		m.limit += gap / 2
	case m.full >= m.patience:
		m.limit *= 2
		m.patience = min(2*m.patience, mostPatience)
	default:
		return
	}
	m.full = 0
}

// isOver reports whether the limits allow batches of full size.
func (f *fit) isOver(items, bytes int64) bool {
	return f.suspects <= 0 && f.items.allows(items) && f.bytes.allows(bytes)
}

func (m *measure) allows(size int64) bool { return m.limit == 0 || m.limit >= size }

// isAbove reports whether a request is larger than what is known to fit.
func (f *fit) isAbove(bytes int64) bool { return f != nil && f.bytes.fits > 0 && bytes > f.bytes.fits }
