package fakecloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	webhookAttempts = 4                     // of each delivery
	webhookWait     = 10 * time.Millisecond // before the second attempt; doubles
	webhookTimeout  = 30 * time.Second      // of an attempt
)

// DeliverFunc makes one attempt to deliver a webhook. It must return when the context ends.
type DeliverFunc func(ctx context.Context, hook Webhook) error

// webhooks is the queue of the deliveries. The zero value is ready to use.
type webhooks struct {
	mu            sync.Mutex
	subscriptions []*subscription
	pending       int           // deliveries in all subscriptions
	idle          chan struct{} // closed when pending becomes 0; nil while it is 0
	failed        []error       // deliveries that have failed since the last wait
	closed        bool
	ctx           context.Context // of all deliveries; made with the first subscription
	cancel        context.CancelFunc
	workers       sync.WaitGroup
}

type subscription struct {
	deliver DeliverFunc
	pending []Webhook
	running bool // whether a goroutine delivers
}

func (w *webhooks) subscribe(deliver DeliverFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == nil {
		w.ctx, w.cancel = context.WithCancel(context.Background())
	}
	w.subscriptions = append(w.subscriptions, &subscription{deliver: deliver})
}

// send adds a delivery for each subscription.
func (w *webhooks) send(kind string, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	for _, s := range w.subscriptions {
		s.pending = append(s.pending, Webhook{Delivery: newUUID(), Type: kind, Body: slices.Clone(body)})
		if w.pending++; w.idle == nil {
			w.idle = make(chan struct{})
		}
		if !s.running {
			s.running = true
			w.workers.Go(func() { w.run(s) })
		}
	}
}

// run delivers until nothing is pending.
func (w *webhooks) run(s *subscription) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(s.pending) > 0 && !w.closed {
		hook, ctx := s.pending[0], w.ctx
		w.mu.Unlock()
		err := w.deliver(ctx, s, hook)
		w.mu.Lock()
		s.pending = s.pending[1:]
		if err != nil {
			w.failed = append(w.failed, err)
		}
		if w.pending--; w.pending == 0 {
			close(w.idle)
			w.idle = nil
		}
	}
	s.running = false
}

// deliver makes all attempts of a delivery.
func (w *webhooks) deliver(ctx context.Context, s *subscription, hook Webhook) error {
	var err error
	for attempt := range webhookAttempts {
		if attempt > 0 {
			timer := time.NewTimer(webhookWait << (attempt - 1))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return ctx.Err()
			}
		}
		if err = attemptDelivery(ctx, s.deliver, hook); err == nil {
			return nil
		}
	}
	return fmt.Errorf("webhook %s (delivery %s) failed after %d attempts: %w", hook.Type, hook.Delivery, webhookAttempts, err)
}

func attemptDelivery(ctx context.Context, deliver DeliverFunc, hook Webhook) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	return deliver(ctx, hook)
}

// WaitForWebhooks waits until every webhook has been delivered or has failed finally. It
// returns an error for those that failed since the last call, or if the context ends or the
// webhooks are closed first.
func (c *Cloud) WaitForWebhooks(ctx context.Context) error { return c.webhooks.wait(ctx) }

func (w *webhooks) wait(ctx context.Context) error {
	for {
		w.mu.Lock()
		idle, closing, pending := w.idle, w.ctx, w.pending
		if idle == nil {
			failed := w.failed
			w.failed = nil
			w.mu.Unlock()
			return errors.Join(failed...)
		}
		w.mu.Unlock()
		select {
		case <-idle:
		case <-closing.Done():
			return fmt.Errorf("%d webhooks were not delivered before the server was closed", pending)
		case <-ctx.Done():
			return fmt.Errorf("%d webhooks are not delivered yet: %w", pending, ctx.Err())
		}
	}
}

// CloseWebhooks stops the deliveries. It cancels those in flight, and drops those that are
// pending or sent later.
func (c *Cloud) CloseWebhooks() { c.webhooks.close() }

func (w *webhooks) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		if w.cancel != nil {
			w.cancel()
		}
	}
	w.mu.Unlock()
	w.workers.Wait()
}
