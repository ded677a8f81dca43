package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
)

// rejectionLife is the time for which the page shows a rejected webhook.
const rejectionLife = time.Hour

// webhookLog remembers the last deliveries, for the page.
type webhookLog struct {
	mu    sync.Mutex
	state webhookState
}

type webhookState struct {
	Last     memfault.WebhookType
	LastAt   time.Time
	Received int
	Rejected int // in the last hours, for example because of a wrong signature
	RejectAt time.Time
	RejectAs int // the status of the last rejection
}

func (l *webhookLog) update(change func(*webhookState)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.state)
}

// reject notes a rejection, and reports whether it is the first for a while.
func (l *webhookLog) reject(now time.Time, status int) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.expire(now)
	l.state.Rejected++
	l.state.RejectAt, l.state.RejectAs = now, status
	return l.state.Rejected == 1
}

func (l *webhookLog) copy(now time.Time) webhookState {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.expire(now)
	return l.state
}

func (s *webhookState) expire(now time.Time) {
	if now.Sub(s.RejectAt) > rejectionLife {
		s.Rejected = 0
	}
}

// newWebhookHandler returns a handler that reads the parts again that an event can change. It
// does not use the fields of the event, because they are not documented. What is rejected changes
// no page: anyone can send it.
func (x *Site) newWebhookHandler(log *webhookLog) http.Handler {
	main := x.Servers[0]
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: main.WebhookSecrets}, func(_ context.Context, event *memfault.WebhookEvent) error {
		log.update(func(state *webhookState) {
			state.Last, state.LastAt = event.Type, main.Now()
			state.Received++
		})
		for _, s := range x.Servers {
			s.hub.publish("sources")
			if event.Project.Slug == "" || event.Project.Slug == s.Project.Project {
				s.Reader.Refresh(affected(event.Type)...)
			}
		}
		return nil
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(recorder, r)
		if recorder.status >= 300 && log.reject(main.Now(), recorder.status) {
			main.Log.Warn("webhook rejected; further ones are not logged for a while", "status", recorder.status)
		}
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
		return []string{reader.Issues, reader.Traces, reader.Devices}
	}
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController access to the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
