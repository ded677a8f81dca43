package ordered

// pendingItem is an item that is neither accepted nor reported.
type pendingItem struct {
	content []byte
	done    func(error)
	epoch   *epoch
}

func contents(items []pendingItem) [][]byte {
	all := make([][]byte, len(items))
	for i, item := range items {
		all[i] = item.content
	}
	return all
}

// queue contains the items of one device, in order.
type queue struct {
	device       string
	retryBatches [][]pendingItem // batches to be sent as they are, the next one last
	pending      []pendingItem   // the items after them
	scheduled    bool            // in Sender.ready, in flight, or waiting for a retry
	inFlight     bool
	failures     int // consecutive, of the first batch
	retryTimer   interface{ Stop() bool }
}

func (q *queue) isEmpty() bool { return len(q.retryBatches) == 0 && len(q.pending) == 0 }

// next removes the first batch.
func (q *queue) next(size int) []pendingItem {
	if last := len(q.retryBatches) - 1; last >= 0 {
		batch := q.retryBatches[last]
		q.retryBatches = q.retryBatches[:last]
		return batch
	}
	n := min(size, len(q.pending))
	batch := q.pending[:n:n]
	q.pending = q.pending[n:]
	return batch
}

// takeAll removes all items that are not in flight, in order.
func (q *queue) takeAll() []pendingItem {
	if q.retryTimer != nil {
		q.retryTimer.Stop()
	}
	var all []pendingItem
	for !q.isEmpty() {
		all = append(all, q.next(len(q.pending))...)
	}
	return all
}

// epoch is the items that were queued between two calls of Flush.
type epoch struct {
	open    int           // items that are neither accepted nor reported
	settled chan struct{} // closed when neither this epoch nor an earlier one has any
}

func newEpoch() *epoch { return &epoch{settled: make(chan struct{})} }

// seal ends the current epoch and returns it. s.mu must be held.
func (s *Sender) seal() *epoch {
	sealed := s.epochs[len(s.epochs)-1]
	s.epochs = append(s.epochs, newEpoch())
	s.endEpochs()
	return sealed
}

// endEpochs closes the first epochs if they have no open items. s.mu must be held.
func (s *Sender) endEpochs() {
	for len(s.epochs) > 1 && s.epochs[0].open == 0 {
		close(s.epochs[0].settled)
		s.epochs = s.epochs[1:]
	}
}
