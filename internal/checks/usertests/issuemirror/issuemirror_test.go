package issuemirror_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/usertests/issuemirror"
	"github.com/memfault-go/memfault/memfaulttest"
)

// tracker fails the first calls.
type tracker struct {
	mu      sync.Mutex
	failing int
	open    map[int64]string
}

func (k *tracker) Open(_ context.Context, issue int64, title string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failing > 0 {
		k.failing--
		return errors.New("the tracker is down")
	}
	if k.open == nil {
		k.open = map[int64]string{}
	}
	k.open[issue] = title
	return nil
}

func (k *tracker) Close(_ context.Context, issue int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, issue)
	return nil
}

func (k *tracker) all() map[int64]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.open)
}

func TestHandler_FollowsIssues(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	tickets := &tracker{failing: 1}
	cloud.SubscribeWebhookHandler(issuemirror.Handler(cloud.Client(t), cloud.Project(), tickets, func() []string { return []string{"old", "secret"} }), "secret")
	device := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
	require.NoError(t, device.Uploads.ImportTrace(t.Context(), memfault.TraceImport{
		DeviceIdentity: memfault.DeviceIdentity{DeviceSerial: "A", HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "1.0.0"},
		Reason:         "Assert at pump_start", CapturedDate: memfault.NewTimestamp(time.Now()),
	}))
	require.NoError(t, cloud.WaitForWebhooks(t.Context()))
	opened := tickets.all()
	require.Len(t, opened, 1, "the delivery is repeated")
	for id, title := range opened {
		assert.Equal(t, "Assert at pump_start", title)
		_, err := cloud.Client(t).Issues.Update(t.Context(), cloud.Project(), id, memfault.IssueUpdate{Status: memfault.IssueStatusResolved})
		require.NoError(t, err)
	}
	require.NoError(t, cloud.WaitForWebhooks(t.Context()))
	assert.Empty(t, tickets.all())
}

func TestCatchUp(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	tickets := &tracker{}
	cloud.AddIssues(memfaulttest.Issue{Title: "one"}, memfaulttest.Issue{Title: "two"})
	next, err := issuemirror.CatchUp(t.Context(), cloud.Client(t), cloud.Project(), tickets, memfault.WatchBeginning)
	require.NoError(t, err)
	assert.Len(t, tickets.all(), 2)
	cloud.AddIssues(memfaulttest.Issue{Title: "three"})
	tickets.failing = 1
	again, err := issuemirror.CatchUp(t.Context(), cloud.Client(t), cloud.Project(), tickets, next)
	require.Error(t, err)
	_, err = issuemirror.CatchUp(t.Context(), cloud.Client(t), cloud.Project(), tickets, again)
	require.NoError(t, err)
	assert.Len(t, tickets.all(), 3)
}
