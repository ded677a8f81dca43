package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
)

// webhookLog remembers the last deliveries, for the page.
type webhookLog struct {
	mu    sync.Mutex
	state webhookState
}

type webhookState struct {
	Last     memfault.WebhookType
	LastAt   time.Time
	Received int
	Rejected int // for example because of a wrong signature
	RejectAt time.Time
	RejectAs int // the status of the last rejection
}

func (l *webhookLog) update(change func(*webhookState)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.state)
}

func (l *webhookLog) copy() webhookState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// newWebhookHandler returns a handler that reads the parts again that an event can change. It
// does not use the fields of the event, because they are not documented.
func (s *Server) newWebhookHandler() http.Handler {
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: s.WebhookSecrets}, func(_ context.Context, event *memfault.WebhookEvent) error {
		s.webhooks.update(func(state *webhookState) {
			state.Last, state.LastAt = event.Type, s.Now()
			state.Received++
		})
		s.hub.publish("sources")
		if event.Project.Slug == "" || event.Project.Slug == s.Project.Project {
			s.Reader.Refresh(affected(event.Type)...)
		}
		return nil
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(recorder, r)
		if recorder.status < 300 {
			return
		}
		s.Log.Warn("webhook rejected", "status", recorder.status)
		s.webhooks.update(func(state *webhookState) {
			state.Rejected++
			state.RejectAt, state.RejectAs = s.Now(), recorder.status
		})
		s.hub.publish("sources")
	})
}

// affected returns the parts that an event can change.
func affected(event memfault.WebhookType) []string {
	switch event {
	case memfault.WebhookTypeTestNotificationDispatched, memfault.WebhookTypeIssueCommentCreated:
		return nil
	case memfault.WebhookTypeDeviceThresholdAlertSummary, memfault.WebhookTypeDeviceThresholdAlertIncidentStarted,
		memfault.WebhookTypeDeviceThresholdAlertIncidentEnded, memfault.WebhookTypeFleetThresholdAlertTriggered:
		return []string{reader.Devices}
	default: // issues, and types that are unknown
		return []string{reader.Issues, reader.Devices}
	}
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController access to the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
