package memfault_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// newCloudInBubble is like newCloud, in a synctest bubble.
func newCloudInBubble(t testing.TB, opts ...memfault.Option) (*memfaulttest.Server, *memfault.Client) {
	t.Helper()
	cloud := memfaulttest.NewInMemoryServer(t)
	cloud.AcceptDamagedChunks() // as in newCloud
	return cloud, newClient(t, memfault.OrganizationToken(organizationToken), append(cloud.Options(), opts...)...)
}

func TestWaitOptions_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddTask("t", "SUCCESS")
	for _, options := range []memfault.WaitOptions{
		{MinInterval: -1},
		{MaxInterval: -1},
		{MinInterval: 2 * time.Second, MaxInterval: time.Second},
	} {
		_, err := client.Tasks.Wait(t.Context(), "t", options)
		requireUnsent(t, cloud, err, "WaitOptions")
	}
	for _, options := range []memfault.WaitOptions{{}, {MinInterval: time.Hour}, {MaxInterval: time.Millisecond}} {
		_, err := client.Tasks.Wait(t.Context(), "t", options)
		require.NoError(t, err)
	}
}

// waits are the methods that wait, and the operation that each polls.
var waits = map[string]struct {
	operation string
	wait      func(context.Context, *memfault.Client, memfault.WaitOptions) error
}{
	"device": {"devices.retrieve", func(ctx context.Context, client *memfault.Client, options memfault.WaitOptions) error {
		_, err := client.Devices.WaitForVersion(ctx, sink, "A", "2.0.0", options)
		return err
	}},
	"cohort": {"cohorts.list_devices", func(ctx context.Context, client *memfault.Client, options memfault.WaitOptions) error {
		_, err := client.Cohorts.WaitForVersion(ctx, sink, "beta", "2.0.0", 1, options)
		return err
	}},
	"task": {"tasks.get_status", func(ctx context.Context, client *memfault.Client, options memfault.WaitOptions) error {
		_, err := client.Tasks.Wait(ctx, "6b0f", options)
		return err
	}},
}

// A wait of hours survives a minute of 503, lost connections and a Retry-After.
func TestWaits_SurviveTemporaryFailures(t *testing.T) {
	for name, test := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, client := newCloudInBubble(t)
				cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
				cloud.AddDevices(memfaulttest.Device{Serial: "A", Cohort: "beta", SoftwareVersion: "1.0.0"})
				cloud.AddTask("6b0f", "PENDING")
				cloud.Fail(memfaulttest.Fault{Operation: test.operation, Skip: 3, Status: http.StatusServiceUnavailable, Times: 20})
				cloud.Fail(memfaulttest.Fault{Operation: test.operation, Drop: true, Times: 10})
				cloud.Fail(memfaulttest.Fault{Operation: test.operation, Status: http.StatusTooManyRequests, RetryAfter: "600", Times: 1})
				cloud.Fail(memfaulttest.Fault{Operation: test.operation, Status: http.StatusInternalServerError, Times: 1})
				time.AfterFunc(3*time.Hour, func() {
					cloud.Report("A", "2.0.0")
					cloud.AddTask("6b0f", "SUCCESS")
				})
				ctx, cancel := context.WithTimeout(t.Context(), 12*time.Hour)
				defer cancel()
				start, failures, polls := time.Now(), 0, 0
				options := memfault.WaitOptions{
					OnError: func(err error) {
						failures++
						require.ErrorIs(t, err, memfault.ErrTemporary)
					},
					OnPoll: func(counts memfault.VersionCounts) {
						polls++
						assert.Equal(t, 1, counts.Devices)
					},
				}
				require.NoError(t, test.wait(ctx, client, options))
				assert.Less(t, time.Since(start), 3*time.Hour+time.Minute)
				assert.Greater(t, failures, 4)
				assert.Equal(t, test.operation != "tasks.get_status", polls > 300, "%d polls", polls)
			})
		})
	}
}

func TestWaits_RetryAfterIsLeastPause(t *testing.T) {
	for name, test := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, client := newCloudInBubble(t)
				cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
				cloud.AddDevices(memfaulttest.Device{Serial: "A", Cohort: "beta", SoftwareVersion: "2.0.0"})
				cloud.AddTask("6b0f", "SUCCESS")
				cloud.Fail(memfaulttest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "600", Times: 1})
				start := time.Now()
				require.NoError(t, test.wait(t.Context(), client, memfault.WaitOptions{}))
				assert.GreaterOrEqual(t, time.Since(start), 600*time.Second)
				assert.Less(t, time.Since(start), 900*time.Second)
			})
		})
	}
}

// The error of a context that ended contains the last failure, but is not temporary.
func TestWaits_LastErrorStandsInErrorOfContext(t *testing.T) {
	for name, test := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, client := newCloudInBubble(t)
				cloud.AddTask("6b0f", "PENDING")
				cloud.Fail(memfaulttest.Fault{Status: http.StatusServiceUnavailable})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				err := test.wait(ctx, client, memfault.WaitOptions{})
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, memfault.ErrNoAnswer)
				require.ErrorIs(t, err, memfault.ErrUnavailable)
				require.NotErrorIs(t, err, memfault.ErrTemporary)
				require.ErrorContains(t, err, "503 Service Unavailable")
				requireError(t, err, http.StatusServiceUnavailable)
			})
		})
	}
}

func TestCohortsCountVersions(t *testing.T) {
	cloud, client := newCloud(t)
	addBeta(cloud, 3)
	cloud.AddDevices(memfaulttest.Device{Serial: "silent", Cohort: "beta"})
	cloud.Report("D0", "2.0.0")
	counts, err := client.Cohorts.CountVersions(t.Context(), sink, "beta")
	require.NoError(t, err)
	assert.Equal(t, &memfault.VersionCounts{Devices: 4, ByVersion: map[string]int{"1.0.0": 2, "2.0.0": 1, "": 1}}, counts)
	_, err = client.Cohorts.CountVersions(t.Context(), sink, "unknown")
	require.ErrorIs(t, err, memfault.ErrNotFound)
}
