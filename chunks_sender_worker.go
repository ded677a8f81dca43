package memfault

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// giveUp ends the requests that are out and reports the chunks that wait. Devices with
// a request out are left to its worker, so that their chunks are reported in order.
func (s *ChunkSender) giveUp(why error) {
	s.mu.Lock()
	if s.gaveUp == nil {
		s.gaveUp = why
	}
	report := s.notSent()
	var waiting []pendingChunk
	for _, q := range s.queues {
		if !q.out {
			waiting = append(waiting, q.takeAll()...)
		}
	}
	s.ready = nil
	s.lost += len(waiting)
	s.mu.Unlock()
	s.cancel(why)
	s.settle(waiting, report)
}

// notSent is what chunks are reported with after the sender gave up. It is locked.
func (s *ChunkSender) notSent() error {
	return fmt.Errorf("memfault: the chunk sender was closed before the chunk was accepted: %w", s.gaveUp)
}

// makeReady lines a queue up for its next batch. The sender is locked.
func (s *ChunkSender) makeReady(q *chunkQueue) {
	q.busy = true
	s.ready = append(s.ready, q)
	if s.workers < s.options.Concurrency {
		s.workers++
		go s.work()
	}
}

// work sends batches as long as any may go out.
func (s *ChunkSender) work() {
	for {
		s.mu.Lock()
		if len(s.ready) == 0 {
			s.workers--
			s.mu.Unlock()
			return
		}
		q := s.ready[0]
		s.ready = s.ready[1:]
		q.out = true
		batch := q.next(s.options.BatchSize)
		s.mu.Unlock()

		err := s.service.Upload(s.ctx, q.serial, contents(batch), WithoutRetry())
		s.finish(q, batch, err)
	}
}

// finish decides what becomes of a batch, and lines its queue up again.
func (s *ChunkSender) finish(q *chunkQueue, batch []pendingChunk, err error) {
	var answer *Error
	errors.As(err, &answer)
	s.mu.Lock()
	switch {
	case err == nil:
	case s.gaveUp != nil:
		s.lost += len(batch)
		err = s.notSent()
	case answer != nil && tooMuch(answer.StatusCode) && len(batch) > 1:
		q.again = append(q.again, batch[len(batch)/2:], batch[:len(batch)/2])
		batch = nil
	case q.failures+1 < s.retry.MaxAttempts && passing(err, answer):
		s.hold(q, batch, answer)
		s.mu.Unlock()
		return
	}
	q.failures = 0
	s.mu.Unlock()
	s.settle(batch, err)
	s.lineUp(q)
}

// lineUp ends what a worker does for a queue.
func (s *ChunkSender) lineUp(q *chunkQueue) {
	s.mu.Lock()
	q.out = false
	var waiting []pendingChunk
	var report error
	if s.gaveUp != nil {
		waiting, report = q.takeAll(), s.notSent()
		s.lost += len(waiting)
	}
	if q.isEmpty() {
		q.busy = false
		delete(s.queues, q.serial)
	} else {
		s.makeReady(q)
	}
	s.mu.Unlock()
	s.settle(waiting, report)
}

func tooMuch(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge
}

// passing reports whether a failure is expected to pass.
func passing(err error, answer *Error) bool {
	if answer != nil {
		return answer.StatusCode == http.StatusTooManyRequests || unavailable(answer.StatusCode)
	}
	var lost *noResponseError
	return errors.As(err, &lost) && !isPermanent(err)
}

// hold keeps a queue busy for a while, and then lines it up with the same batch. The
// sender is locked.
func (s *ChunkSender) hold(q *chunkQueue, batch []pendingChunk, answer *Error) {
	q.out = false
	q.again = append(q.again, batch)
	q.failures++
	wait := s.retry.backoff(0, 0, q.failures-1, nil)
	if answer != nil && answer.RetryAfter > 0 {
		wait = answer.RetryAfter
	}
	q.held = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.gaveUp == nil {
			s.makeReady(q)
		}
	})
}

// settle gives the room of chunks back and reports what became of them.
func (s *ChunkSender) settle(chunks []pendingChunk, err error) {
	if len(chunks) == 0 {
		return
	}
	var size int64
	for _, chunk := range chunks {
		size += int64(len(chunk.content))
	}
	s.mu.Lock()
	s.free(size)
	s.mu.Unlock()
	for _, chunk := range chunks {
		if chunk.done != nil {
			chunk.done(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, chunk := range chunks {
		chunk.epoch.open--
	}
	clear(chunks) // the array behind a queue lives longer
	s.endEpochs()
}

// free gives room back and wakes who waits for it. The sender is locked.
func (s *ChunkSender) free(size int64) {
	s.bytes -= size
	close(s.freed)
	s.freed = make(chan struct{})
}
