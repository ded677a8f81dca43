package ordered

// epoch is the items that were queued between two calls of Flush.
type epoch struct {
	id      uint64
	open    int           // items whose done function has not returned
	settled chan struct{} // set by seal; closed when neither this epoch nor an earlier one is open
	next    *epoch
}

// epochs contains the epochs that are open, in order. There are never more of them than
// open items, however often Flush is called.
type epochs struct {
	first, last *epoch
	count       uint64
}

// current returns the epoch that collects new items.
func (e *epochs) current() *epoch {
	if e.last != nil && e.last.settled == nil {
		return e.last
	}
	e.count++
	added := &epoch{id: e.count}
	if e.last == nil {
		e.first = added
	} else {
		e.last.next = added
	}
	e.last = added
	return added
}

// seal ends the current epoch. It returns the last epoch, and nil if nothing is open.
func (e *epochs) seal() *epoch {
	if e.last != nil && e.last.settled == nil {
		e.last.settled = make(chan struct{})
	}
	return e.last
}

// settle counts an item of an epoch as done.
func (e *epochs) settle(of *epoch) {
	of.open--
	for e.first != nil && e.first.open == 0 {
		if e.first.settled != nil {
			close(e.first.settled)
		}
		if e.first = e.first.next; e.first == nil {
			e.last = nil
		}
	}
}
