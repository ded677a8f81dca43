package memfault

// pendingChunk is a chunk that is neither accepted nor reported.
type pendingChunk struct {
	content []byte
	done    func(error)
	epoch   *chunkEpoch
}

func contents(chunks []pendingChunk) [][]byte {
	all := make([][]byte, len(chunks))
	for i, chunk := range chunks {
		all[i] = chunk.content
	}
	return all
}

// chunkQueue holds the chunks of one device, in their order.
type chunkQueue struct {
	serial   string
	again    [][]pendingChunk // batches to be sent as they are, the next one last
	waiting  []pendingChunk   // behind them
	busy     bool             // lined up, out, or held
	out      bool             // a worker has its batch
	failures int              // of the batch at the front, in a row
	held     interface{ Stop() bool }
}

func (q *chunkQueue) isEmpty() bool { return len(q.again) == 0 && len(q.waiting) == 0 }

// next takes the batch at the front.
func (q *chunkQueue) next(size int) []pendingChunk {
	if last := len(q.again) - 1; last >= 0 {
		batch := q.again[last]
		q.again = q.again[:last]
		return batch
	}
	n := min(size, len(q.waiting))
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// takeAll takes all chunks that are not out, in their order.
func (q *chunkQueue) takeAll() []pendingChunk {
	if q.held != nil {
		q.held.Stop()
	}
	var all []pendingChunk
	for !q.isEmpty() {
		all = append(all, q.next(len(q.waiting))...)
	}
	return all
}

// chunkEpoch is the chunks that were taken between two calls of Flush.
type chunkEpoch struct {
	open    int           // chunks that are neither accepted nor reported
	settled chan struct{} // closed when there are none, nor in an earlier epoch
}

func newChunkEpoch() *chunkEpoch { return &chunkEpoch{settled: make(chan struct{})} }

// seal ends the present epoch, and returns it. The sender is locked.
func (s *ChunkSender) seal() *chunkEpoch {
	sealed := s.epochs[len(s.epochs)-1]
	s.epochs = append(s.epochs, newChunkEpoch())
	s.endEpochs()
	return sealed
}

// endEpochs closes the epochs at the front that have no open chunk. The sender is
// locked.
func (s *ChunkSender) endEpochs() {
	for len(s.epochs) > 1 && s.epochs[0].open == 0 {
		close(s.epochs[0].settled)
		s.epochs = s.epochs[1:]
	}
}
