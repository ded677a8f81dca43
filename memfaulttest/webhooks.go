package memfaulttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud"
)

// SubscribeWebhook makes the server deliver the events of the project to url, signed with the
// secret, until it is closed:
//
//   - issue.created, if an uploaded coredump, an imported trace or an event of the type trace
//     creates an issue;
//   - issue.regressed, if one of them belongs to a resolved issue, which opens again;
//   - issue.resolved and issue.reopened, if a request changes the status of an issue;
//   - test_notification.dispatched, by [Server.SendTestNotification].
//
// The Add methods, such as [Server.AddIssues], cause no events. For an event of another type,
// use [Server.SendWebhook].
//
// The deliveries are asynchronous and in order; see [Server.WaitForWebhooks]. If a response is
// not from 200 to 299, or there is none, the server repeats the delivery with the same
// Memfault-Delivery, after waits of a few milliseconds. After four attempts, the delivery has
// failed.
//
// UNCERTAIN(webhook-fields): which fields the events of Memfault have. Those of issues have an
// issue with its ID here, and no other field besides the type and the project.
// UNCERTAIN(webhook-repeats): how often Memfault repeats a delivery, and what it counts as
// reopened and regressed.
//
// A server of [NewInMemoryServer] cannot connect to other addresses; use
// [Server.SubscribeWebhookHandler].
//
// Memfault: https://docs.memfault.com/docs/platform/webhooks
func (s *Server) SubscribeWebhook(url, secret string) {
	s.cloud.SubscribeWebhook(func(ctx context.Context, hook fakecloud.Webhook) error {
		return s.postWebhook(ctx, url, secret, hook)
	})
}

// SubscribeWebhookHandler is like [Server.SubscribeWebhook], but calls a handler, in a goroutine
// of its own, without a connection. The path of the request is /. It also works in a bubble of
// testing/synctest. A handler that panics, or ends its goroutine, has not responded.
func (s *Server) SubscribeWebhookHandler(handler http.Handler, secret string) {
	s.cloud.SubscribeWebhook(func(ctx context.Context, hook fakecloud.Webhook) error {
		request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(hook.Body))
		request.Header = webhookHeader(secret, hook)
		return callHandler(handler, request, hook)
	})
}

// SendTestNotification delivers test_notification.dispatched to all subscriptions, as the button
// in the settings of a webhook does.
func (s *Server) SendTestNotification() { s.cloud.SendTestNotification() }

// WaitForWebhooks waits until every event of a subscription has been delivered or has failed,
// also the events that the receivers cause meanwhile. It returns an error for the deliveries
// that have failed since the last call, or if ctx ends or the server is closed first. A receiver
// must not call it.
func (s *Server) WaitForWebhooks(ctx context.Context) error {
	if err := s.cloud.WaitForWebhooks(ctx); err != nil {
		return fmt.Errorf("memfaulttest: %w", err)
	}
	return nil
}

// SendWebhook delivers a webhook to url, as Memfault does, signed with the secret. It returns
// an error unless the response has a status from 200 to 299. Memfault repeats such a
// delivery, with the same value of Delivery; a test does so by calling SendWebhook again.
//
// If event.Delivery is empty, it is chosen at random. If event.Payload is empty, it has only
// the fields that every webhook has. If event.Project is the zero value, it is the project
// of the server.
//
// Memfault: https://docs.memfault.com/docs/platform/webhooks
func (s *Server) SendWebhook(ctx context.Context, url, secret string, event memfault.WebhookEvent) error {
	body, err := s.webhookBody(event)
	if err != nil {
		return err
	}
	if event.Delivery == "" {
		event.Delivery = rand.Text()
	}
	return s.postWebhook(ctx, url, secret, fakecloud.Webhook{Delivery: event.Delivery, Type: string(event.Type), Body: body})
}

func (s *Server) postWebhook(ctx context.Context, url, secret string, hook fakecloud.Webhook) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(hook.Body))
	if err != nil {
		return err
	}
	request.Header = webhookHeader(secret, hook)
	client := s.HTTPClient()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	if _, err = io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	return checkWebhookStatus(response.StatusCode, hook)
}

func webhookHeader(secret string, hook fakecloud.Webhook) http.Header {
	header := memfault.SignWebhook(secret, hook.Body)
	header.Set("Memfault-Delivery", hook.Delivery)
	return header
}

func checkWebhookStatus(status int, hook fakecloud.Webhook) error {
	if status < 200 || status > 299 {
		return fmt.Errorf("memfaulttest: the webhook %s had the response status %d", hook.Type, status)
	}
	return nil
}

// callHandler returns when the context of the request ends, even if the handler does not.
func callHandler(handler http.Handler, request *http.Request, hook fakecloud.Webhook) error {
	recorder, done := httptest.NewRecorder(), make(chan error, 1)
	go func() {
		err := errors.New("the handler ended its goroutine")
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("the handler panicked: %v", v)
			}
			done <- err
		}()
		handler.ServeHTTP(recorder, request)
		err = checkWebhookStatus(recorder.Code, hook)
	}()
	select {
	case err := <-done:
		return err
	case <-request.Context().Done():
		return request.Context().Err()
	}
}

// webhookBody returns the body of a webhook.
func (s *Server) webhookBody(event memfault.WebhookEvent) ([]byte, error) {
	body := map[string]any{}
	if len(event.Payload) > 0 {
		if err := json.Unmarshal(event.Payload, &body); err != nil {
			return nil, fmt.Errorf("memfaulttest: the payload of a webhook must be a JSON object: %w", err)
		}
	}
	if event.Type != "" {
		body["type"] = event.Type
	}
	if event.Project == (memfault.WebhookProject{}) {
		event.Project.ID, event.Project.Slug = s.cloud.ProjectID(), s.Project().Project
	}
	if _, ok := body["project"]; !ok {
		body["project"] = map[string]any{"id": event.Project.ID, "slug": event.Project.Slug}
	}
	return fakecloud.JSON(body)
}
