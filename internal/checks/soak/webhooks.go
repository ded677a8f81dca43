package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/memfault-go/memfault"
)

const webhookSecret = "soak-webhook-secret" //nolint:gosec // of the fake

// webhookLedger contains the events that must arrive, and those that did.
type webhookLedger struct {
	mu        sync.Mutex
	expected  map[string]int // by event
	received  map[string]int // by event
	succeeded map[string]int // by delivery
	attempts  map[string]int // by delivery that has not succeeded yet
}

func newWebhookLedger() webhookLedger {
	return webhookLedger{expected: map[string]int{}, received: map[string]int{}, succeeded: map[string]int{}, attempts: map[string]int{}}
}

func eventName(kind memfault.WebhookType, issue int64) string { return fmt.Sprint(kind, " ", issue) }

func (w *webhookLedger) expect(event string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected[event]++
}

// receive records an event for which the function of the handler succeeded.
func (w *webhookLedger) receive(delivery, event string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.succeeded[delivery]++
	w.received[event]++
}

// settle compares the received events with the expected ones. givenUp describes the deliveries
// that failed in all attempts of the cloud, if any.
func (w *webhookLedger) settle(l *ledger, givenUp string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if givenUp != "" {
		l.broke(promiseWebhook, 1, "%s", givenUp)
	}
	for event, n := range w.expected {
		l.broke(promiseWebhook, max(n-w.received[event], w.received[event]-n), "%s: %d instead of %d", event, w.received[event], n)
	}
	for event, n := range w.received {
		if w.expected[event] == 0 {
			l.broke(promiseWebhook, n, "%s was not expected", event)
		}
	}
	for delivery, n := range w.succeeded {
		l.broke(promiseWebhook, n-1, "delivery %s succeeded %d times", delivery, n)
	}
	l.add("webhooks received", len(w.succeeded))
}

// fails reports whether an attempt of a delivery must fail. It makes a delivery fail at most
// twice, so that one of the four attempts of the cloud succeeds.
func (w *webhookLedger) fails(delivery string, random *rand.Rand) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.attempts[delivery] >= 2 || random.IntN(10) > 0 {
		return false
	}
	w.attempts[delivery]++
	return true
}

// receiveWebhooks starts a server that receives webhooks and fails at random. Either the function
// of the handler returns an error, or the response is lost.
func (s *soak) receiveWebhooks(ctx context.Context) (*http.Server, error) {
	if err := s.allow(ctx, []int64{1}, []int64{1}); err != nil {
		return nil, err
	}
	random := s.random("webhooks", 0) // guarded by the lock of the ledger
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{webhookSecret}}, func(_ context.Context, event *memfault.WebhookEvent) error {
		var body struct {
			Issue struct {
				ID int64 `json:"id"`
			} `json:"issue"`
		}
		if err := event.Decode(&body); err != nil {
			return err
		}
		if s.webhooks.fails(event.Delivery, random) {
			s.ledger.failed("webhooks received")
			return errors.New("simulated failure")
		}
		s.webhooks.receive(event.Delivery, eventName(event.Type, body.Issue.ID))
		return nil
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not block
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), // the simulated failures
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handler.ServeHTTP(w, r)
			if s.webhooks.fails(r.Header.Get("Memfault-Delivery"), random) {
				s.ledger.failed("webhooks received")
				panic(http.ErrAbortHandler)
			}
		}),
	}
	go func() { _ = server.Serve(listener) }() // ends when the server is closed
	query := url.Values{"url": {"http://" + listener.Addr().String()}, "secret": {webhookSecret}}
	return server, s.control(ctx, http.MethodPost, "/soak/webhook?"+query.Encode(), nil, nil)
}

// resolveIssue resolves an issue and opens it again. Both changes cause an event.
func (s *soak) resolveIssue(ctx context.Context, _ *rand.Rand, n int) {
	var all []memfault.Issue
	if !s.repeat(ctx, "lists of issues read", func() (err error) {
		all, err = s.client.Issues.List(s.project, memfault.IssueListOptions{ListOptions: memfault.ListOptions{Sort: memfault.SortFirstSeen}}).Collect(ctx)
		return err
	}) || len(all) != issues {
		return
	}
	id := all[n%issues].ID
	s.setStatus(ctx, id, memfault.IssueStatusResolved, memfault.WebhookTypeIssueResolved)
	s.setStatus(ctx, id, memfault.IssueStatusOpen, memfault.WebhookTypeIssueReopened)
}

func (s *soak) setStatus(ctx context.Context, id int64, status memfault.IssueStatus, kind memfault.WebhookType) {
	s.webhooks.expect(eventName(kind, id))
	s.repeat(ctx, "issues changed", func() error {
		_, err := s.client.Issues.Update(ctx, s.project, id, memfault.IssueUpdate{Status: status})
		return err
	})
}
