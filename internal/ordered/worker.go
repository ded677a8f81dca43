package ordered

import "time"

// abort cancels the requests in flight and reports the pending items. Devices with a
// request in flight are left to its worker, so that their items are reported in order.
func (s *Sender) abort(cause error) {
	s.mu.Lock()
	if s.abortErr == nil {
		s.abortErr = cause
	}
	report := s.config.NotSent(s.abortErr)
	var pending []pendingItem
	for _, q := range s.queues {
		if !q.inFlight {
			pending = append(pending, q.takeAll()...)
		}
	}
	s.ready = nil
	s.lost += len(pending)
	s.mu.Unlock()
	s.cancel(cause)
	s.complete(pending, report)
}

// enqueue schedules the next batch of a queue. s.mu must be held.
func (s *Sender) enqueue(q *queue) {
	q.scheduled = true
	s.ready = append(s.ready, q)
	if s.workers < s.config.Concurrency {
		s.workers++
		go s.work()
	}
}

// work sends batches while there are any to send.
func (s *Sender) work() {
	for {
		s.mu.Lock()
		if len(s.ready) == 0 {
			s.workers--
			s.mu.Unlock()
			return
		}
		q := s.ready[0]
		s.ready = s.ready[1:]
		q.inFlight = true
		batch := q.next(s.config.BatchSize)
		s.mu.Unlock()

		s.finish(q, batch, s.config.Send(s.ctx, q.device, contents(batch)))
	}
}

// finish decides what happens to a batch, and schedules the next one of its queue.
func (s *Sender) finish(q *queue, batch []pendingItem, outcome Outcome) {
	s.mu.Lock()
	err := outcome.Err
	switch {
	case outcome.Kind == Accepted:
		err = nil
	case s.abortErr != nil:
		s.lost += len(batch)
		err = s.config.NotSent(s.abortErr)
	case outcome.Kind == TooMuch && len(batch) > 1:
		q.retryBatches = append(q.retryBatches, batch[len(batch)/2:], batch[:len(batch)/2])
		batch = nil
	case outcome.Kind == Temporary && q.failures+1 < s.config.MaxAttempts:
		s.retryLater(q, batch, outcome.RetryAfter)
		s.mu.Unlock()
		return
	}
	q.failures = 0
	s.mu.Unlock()
	s.complete(batch, err)
	s.requeue(q)
}

// requeue schedules a queue again after one of its batches was sent.
func (s *Sender) requeue(q *queue) {
	s.mu.Lock()
	q.inFlight = false
	var pending []pendingItem
	var report error
	if s.abortErr != nil {
		pending, report = q.takeAll(), s.config.NotSent(s.abortErr)
		s.lost += len(pending)
	}
	if q.isEmpty() {
		q.scheduled = false
		delete(s.queues, q.device)
	} else {
		s.enqueue(q)
	}
	s.mu.Unlock()
	s.complete(pending, report)
}

// retryLater schedules the same batch again after a wait. s.mu must be held.
func (s *Sender) retryLater(q *queue, batch []pendingItem, wait time.Duration) {
	q.inFlight = false
	q.retryBatches = append(q.retryBatches, batch)
	q.failures++
	if wait <= 0 {
		wait = s.config.Backoff(q.failures - 1)
	}
	q.retryTimer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.abortErr == nil {
			s.enqueue(q)
		}
	})
}

// complete frees the room of items and calls their done functions.
func (s *Sender) complete(items []pendingItem, err error) {
	if len(items) == 0 {
		return
	}
	var size int64
	for _, item := range items {
		size += int64(len(item.content))
	}
	s.mu.Lock()
	s.free(size)
	s.mu.Unlock()
	for _, item := range items {
		if item.done != nil {
			item.done(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range items {
		item.epoch.open--
	}
	clear(items) // the array behind a queue lives longer
	s.endEpochs()
}

// free frees room and wakes the Sends that wait for it. s.mu must be held.
func (s *Sender) free(size int64) {
	s.bytes -= size
	close(s.freed)
	s.freed = make(chan struct{})
}
