package memfaulttest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

const secret = "s3cret"

// inbox is a receiver that keeps the events.
type inbox struct {
	mu     sync.Mutex
	events []memfault.WebhookEvent
}

func (i *inbox) handler() http.Handler {
	return memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{secret}}, func(_ context.Context, event *memfault.WebhookEvent) error {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.events = append(i.events, *event)
		return nil
	})
}

// got returns the types and the issues of the events.
func (i *inbox) got(t *testing.T) (got []string) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, event := range i.events {
		var payload struct{ Issue struct{ ID int64 } }
		require.NoError(t, event.Decode(&payload))
		got = append(got, fmt.Sprint(event.Type, " ", payload.Issue.ID))
	}
	return got
}

// importTrace uploads a trace; all with one reason belong to one issue.
func importTrace(t *testing.T, cloud *memfaulttest.Server, reason string) {
	t.Helper()
	err := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey())).Uploads.ImportTrace(t.Context(), memfault.TraceImport{
		DeviceIdentity: memfault.DeviceIdentity{DeviceSerial: "A", HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "1.0.0"},
		Reason:         reason,
	})
	require.NoError(t, err)
}

func issues(t *testing.T, cloud *memfaulttest.Server) []memfault.Issue {
	t.Helper()
	all, err := cloud.Client(t).Issues.List(cloud.Project(), memfault.IssueListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	slices.SortFunc(all, func(a, b memfault.Issue) int { return int(a.ID - b.ID) })
	return all
}

func TestSubscribeWebhook_Events(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	client, gateway := cloud.Client(t), cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
	var byURL, byHandler inbox
	receiver := httptest.NewServer(byURL.handler())
	t.Cleanup(receiver.Close)
	cloud.SubscribeWebhook(receiver.URL, secret)
	cloud.SubscribeWebhookHandler(byHandler.handler(), secret)

	cloud.AddIssues(memfaulttest.Issue{Title: "there before"})
	importTrace(t, cloud, "Assert")
	importTrace(t, cloud, "Assert") // of the same issue
	content := "CORE, a coredump"
	_, err := gateway.Uploads.Coredump(t.Context(), memfault.ProjectRef{}, &memfault.File{Name: "c", Size: int64(len(content)), Content: strings.NewReader(content)}, memfault.CoredumpOptions{})
	require.NoError(t, err)
	err = gateway.Events.Upload(t.Context(), []memfault.EventCreate{{
		Type: "trace", DeviceSerial: "B", HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "1.0.0",
		EventInfo: map[string]any{"reason": 0x8001, "pc": 0x1234},
	}, {
		Type: "heartbeat", DeviceSerial: "B", HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "1.0.0",
		EventInfo: map[string]any{"metrics": map[string]any{}},
	}})
	require.NoError(t, err)

	all := issues(t, cloud)
	require.Len(t, all, 4)
	fromEvent := all[3]
	assert.Equal(t, "Assert at 0x1234", fromEvent.Title)
	first := all[1].ID
	setStatus := func(status memfault.IssueStatus) {
		_, err := client.Issues.Update(t.Context(), cloud.Project(), first, memfault.IssueUpdate{Status: status})
		require.NoError(t, err)
	}
	setStatus(memfault.IssueStatusResolved)
	setStatus(memfault.IssueStatusResolved) // no change
	setStatus(memfault.IssueStatusOpen)
	setStatus(memfault.IssueStatusMuted)
	setStatus(memfault.IssueStatusResolved)
	importTrace(t, cloud, "Assert")
	cloud.SendTestNotification()
	require.NoError(t, cloud.WaitForWebhooks(t.Context()))

	want := []string{
		fmt.Sprint("issue.created ", first), fmt.Sprint("issue.created ", all[2].ID), fmt.Sprint("issue.created ", fromEvent.ID),
		fmt.Sprint("issue.resolved ", first), fmt.Sprint("issue.reopened ", first), fmt.Sprint("issue.resolved ", first),
		fmt.Sprint("issue.regressed ", first), "test_notification.dispatched 0",
	}
	assert.Equal(t, want, byURL.got(t))
	assert.Equal(t, want, byHandler.got(t))
	project, err := client.Projects.Get(t.Context(), cloud.Project())
	require.NoError(t, err)
	deliveries := map[string]bool{}
	for _, event := range slices.Concat(byURL.events, byHandler.events) {
		deliveries[event.Delivery] = true
		assert.Equal(t, memfault.WebhookProject{ID: project.ID, Slug: "smart-sink"}, event.Project)
	}
	assert.Len(t, deliveries, 2*len(want), "each delivery has an ID of its own")
}

func TestSubscribeWebhook_OtherProjects(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	var events inbox
	cloud.SubscribeWebhookHandler(events.handler(), secret)
	other := cloud.Client(t, memfault.OrganizationToken(cloud.AddOrganization("other")))
	project := memfault.ProjectRef{Organization: "other", Project: "other"}
	content := "CORE, a coredump"
	_, err := other.Uploads.Coredump(t.Context(), project, &memfault.File{Name: "c", Size: int64(len(content)), Content: strings.NewReader(content)}, memfault.CoredumpOptions{})
	require.NoError(t, err)
	require.NoError(t, cloud.WaitForWebhooks(t.Context()))
	assert.Empty(t, events.got(t))
}

func TestSubscribeWebhook_RepeatsAndKeepsOrder(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter){
		"500":             func(w http.ResponseWriter) { w.WriteHeader(500) },
		"redirect":        func(w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(307) },
		"panic":           func(http.ResponseWriter) { panic("no") },
		"abort":           func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"ended goroutine": func(http.ResponseWriter) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := memfaulttest.NewInMemoryServer(t)
				var attempts []string
				start := time.Now()
				cloud.SubscribeWebhookHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					attempts = append(attempts, r.Header.Get("Memfault-Delivery"))
					if n := len(attempts); n <= 3 || n == 5 {
						fail(w)
					}
				}), secret)
				for range 3 {
					cloud.SendTestNotification()
				}
				require.NoError(t, cloud.WaitForWebhooks(t.Context()))
				require.Len(t, attempts, 7)
				assert.Len(t, slices.Compact(attempts), 3, "an attempt has the delivery of the first one")
				assert.Equal(t, 80*time.Millisecond, time.Since(start), "10, 20, 40 and 10 ms")
			})
		})
	}
}

func TestSubscribeWebhook_FailsAfterFourAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		var events inbox
		calls := 0
		cloud.SubscribeWebhookHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls <= 4 {
				http.Error(w, "no", http.StatusServiceUnavailable)
				return
			}
			events.handler().ServeHTTP(w, r)
		}), secret)
		importTrace(t, cloud, "Assert")
		importTrace(t, cloud, "Watchdog")
		err := cloud.WaitForWebhooks(t.Context())
		require.ErrorContains(t, err, "memfaulttest: webhook issue.created (delivery ")
		require.ErrorContains(t, err, "failed after 4 attempts: memfaulttest: the webhook issue.created had the response status 503")
		assert.Equal(t, []string{fmt.Sprint("issue.created ", issues(t, cloud)[1].ID)}, events.got(t), "the next delivery must follow")
		require.NoError(t, cloud.WaitForWebhooks(t.Context()), "an error is returned once")

		cloud.SubscribeWebhook("http://receiver.example", secret)
		cloud.SendTestNotification()
		require.ErrorContains(t, cloud.WaitForWebhooks(t.Context()), "failed after 4 attempts", "there is no network")
	})
}

func TestSubscribeWebhook_WrongSecret(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	var events inbox
	cloud.SubscribeWebhookHandler(events.handler(), "other")
	cloud.SendTestNotification()
	require.ErrorContains(t, cloud.WaitForWebhooks(t.Context()), "status 401")
	assert.Empty(t, events.got(t))
}

func TestSubscribeWebhook_RedirectIsNoSuccess(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/moved", http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(receiver.Close)
	cloud.SubscribeWebhook(receiver.URL, secret)
	cloud.SendTestNotification()
	require.ErrorContains(t, cloud.WaitForWebhooks(t.Context()), "status 307")
}

func TestSubscribeWebhook_ReceiverCallsTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		var got []memfault.WebhookType
		cloud.SubscribeWebhookHandler(memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{secret}}, func(ctx context.Context, event *memfault.WebhookEvent) error {
			got = append(got, event.Type)
			if event.Type != memfault.WebhookTypeIssueCreated {
				return nil
			}
			var payload struct{ Issue struct{ ID int64 } }
			if err := event.Decode(&payload); err != nil {
				return err
			}
			_, err := cloud.Client(t).Issues.Update(ctx, cloud.Project(), payload.Issue.ID, memfault.IssueUpdate{Status: memfault.IssueStatusResolved})
			return err
		}), secret)
		importTrace(t, cloud, "Assert")
		require.NoError(t, cloud.WaitForWebhooks(t.Context()))
		assert.Equal(t, []memfault.WebhookType{"issue.created", "issue.resolved"}, got, "an event that a receiver causes is waited for, too")
	})
}

func TestClose_EndsWebhooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		var canceled, calls int
		release := make(chan struct{})
		cloud.SubscribeWebhookHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			calls++
			<-r.Context().Done()
			canceled++
			<-release // Close must not wait for it
		}), secret)
		cloud.SubscribeWebhookHandler(http.NotFoundHandler(), secret) // waits before its second attempt
		for range 3 {
			cloud.SendTestNotification()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		err := cloud.WaitForWebhooks(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "memfaulttest: 6 webhooks are not delivered yet: context deadline exceeded")

		waited := make(chan error)
		go func() { waited <- cloud.WaitForWebhooks(t.Context()) }()
		synctest.Wait()
		start := time.Now()
		cloud.Close()
		cloud.Close()
		require.ErrorContains(t, <-waited, "6 webhooks were not delivered before the server was closed")
		assert.Zero(t, time.Since(start))
		synctest.Wait()
		assert.Equal(t, 1, canceled)
		cloud.SendTestNotification()
		synctest.Wait()
		assert.Equal(t, 1, calls, "nothing is delivered after Close")
		close(release)
	})
	cloud := memfaulttest.NewServer(t)
	cloud.Close()
	cloud.SubscribeWebhook("http://receiver.example", secret)
	cloud.SendTestNotification()
	require.NoError(t, cloud.WaitForWebhooks(t.Context()))
}

func TestSubscribeWebhook_SlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := memfaulttest.NewInMemoryServer(t)
		var calls atomic.Int32
		cloud.SubscribeWebhookHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if calls.Add(1) == 1 {
				<-r.Context().Done()
			}
		}), secret)
		cloud.SendTestNotification()
		start := time.Now()
		require.NoError(t, cloud.WaitForWebhooks(t.Context()))
		assert.Equal(t, 30*time.Second+10*time.Millisecond, time.Since(start))
	})
}
