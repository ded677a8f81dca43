// Package issuemirror mirrors the issues of a project into a tracker. It is a small program of a
// user, whose tests use nothing of this project but its public packages.
package issuemirror

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/memfault-go/memfault"
)

// Tracker is where tickets are kept. Both methods can be called again for the same issue.
type Tracker interface {
	Open(ctx context.Context, issue int64, title string) error
	Close(ctx context.Context, issue int64) error
}

// Handler opens a ticket for each issue that is created, and closes it when it is resolved. secrets
// returns the current secrets of the webhook.
func Handler(client *memfault.Client, project memfault.ProjectRef, tracker Tracker, secrets func() []string) http.Handler {
	return memfault.NewWebhookHandler(memfault.WebhookOptions{
		SecretsFunc: secrets,
		OnError:     func(e *memfault.WebhookEvent, err error) { slog.Error("not mirrored", "type", e.Type, "error", err) },
		OnReject:    func(r *http.Request, err error) { slog.Warn("rejected", "from", r.RemoteAddr, "error", err) },
	}, func(ctx context.Context, event *memfault.WebhookEvent) error {
		var payload struct{ Issue struct{ ID int64 } }
		if err := event.Decode(&payload); err != nil {
			return err
		}
		switch event.Type {
		case memfault.WebhookTypeIssueCreated:
			issue, err := client.Issues.Get(ctx, project, payload.Issue.ID)
			if err != nil {
				return err
			}
			return tracker.Open(ctx, issue.ID, issue.Title)
		case memfault.WebhookTypeIssueResolved:
			return tracker.Close(ctx, payload.Issue.ID)
		}
		return nil
	})
}

// CatchUp opens the tickets of issues whose webhook was lost, since a cursor, and returns the next.
func CatchUp(ctx context.Context, client *memfault.Client, project memfault.ProjectRef, tracker Tracker, last memfault.WatchCursor) (next memfault.WatchCursor, err error) {
	options := memfault.WatchOptions{Start: last, Once: true, OnPoll: func(c memfault.WatchCursor) { next = c }}
	for found, err := range client.Issues.Watch(ctx, project, options) {
		if err == nil {
			err = tracker.Open(ctx, found.Item.ID, found.Item.Title)
		}
		if err != nil {
			return last, err
		}
		last = found.Cursor()
	}
	return next, nil
}
