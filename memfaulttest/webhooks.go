package memfaulttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/memfault-go/memfault"
)

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
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range memfault.SignWebhook(secret, body) {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/json")
	if event.Delivery == "" {
		event.Delivery = rand.Text()
	}
	request.Header.Set("Memfault-Delivery", event.Delivery)
	client := s.HTTPClient()
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	if _, err = io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("memfaulttest: the webhook %s was answered with status %d", event.Type, response.StatusCode)
	}
	return nil
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
	return json.Marshal(body)
}
