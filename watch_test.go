package memfault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// watched reads up to n items of a watch, which may end with the context's deadline. It returns
// the items and the cursor of the last one, after a JSON round trip.
func watched[T any](t *testing.T, limit time.Duration, n int, start memfault.WatchCursor, watch func(context.Context) iter.Seq2[memfault.WatchItem[T], error]) ([]T, memfault.WatchCursor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var items []T
	cursor := start
	for item, err := range watch(ctx) {
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, memfault.ErrNoAnswer)
			break
		}
		items, cursor = append(items, item.Item), item.Cursor()
		if len(items) == n {
			break
		}
	}
	stored, err := json.Marshal(map[string]any{"cursor": cursor})
	require.NoError(t, err)
	var loaded struct{ Cursor memfault.WatchCursor }
	require.NoError(t, json.Unmarshal(stored, &loaded))
	return items, loaded.Cursor
}

const anyNumber = -1

func traceIDs(traces []memfault.Trace) []int64 {
	var ids []int64
	for _, trace := range traces {
		ids = append(ids, trace.ID)
	}
	return ids
}

func TestTracesWatch_StartsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		old := cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Captured: time.Now().Add(-time.Minute)})
		adding := make(chan []int64, 1)
		go func() {
			var ids []int64
			for _, captured := range []time.Duration{0, -23 * time.Hour, 0, time.Hour} {
				time.Sleep(20 * time.Minute)
				ids = append(ids, cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Captured: time.Now().Add(captured)})...)
			}
			adding <- ids
		}()
		watch := func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Trace], error] {
			return client.Traces.Watch(ctx, sink, memfault.WatchOptions{})
		}
		got, _ := watched(t, 2*time.Hour, anyNumber, "", watch)
		added := <-adding
		assert.Equal(t, added, traceIDs(got))

		all := func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Trace], error] {
			return client.Traces.Watch(ctx, sink, memfault.WatchOptions{Start: memfault.WatchBeginning})
		}
		got, _ = watched(t, time.Hour, anyNumber, "", all)
		assert.Equal(t, append(old, added...), traceIDs(got))
	})
}

// Each item's cursor yields the next item first, over several pages and with equal times.
func TestWatch_RestartAtEachItem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		start := time.Now()
		for i := range 105 {
			at := start.Add(time.Duration(i/5) * time.Minute)
			cloud.SetClock(func() time.Time { return at })
			cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Captured: at.Add(-time.Duration(i%3) * time.Hour)})
			if i >= 25 {
				continue
			}
			cloud.AddIssues(memfaulttest.Issue{Title: fmt.Sprint(i)})
			cloud.AddReboots("A", memfaulttest.Reboot{Reason: memfault.RebootReason(i % 5), Time: at})
		}
		requireRestarts(t, 105, func(t memfault.Trace) string { return fmt.Sprint(t.ID) }, func(ctx context.Context, options memfault.WatchOptions) iter.Seq2[memfault.WatchItem[memfault.Trace], error] {
			return client.Traces.Watch(ctx, sink, options)
		})
		requireRestarts(t, 25, func(i memfault.Issue) string { return fmt.Sprint(i.ID) }, func(ctx context.Context, options memfault.WatchOptions) iter.Seq2[memfault.WatchItem[memfault.Issue], error] {
			return client.Issues.Watch(ctx, sink, options)
		})
		requireRestarts(t, 25, func(r memfault.Reboot) string { return fmt.Sprint(r.Time, r.Reason) }, func(ctx context.Context, options memfault.WatchOptions) iter.Seq2[memfault.WatchItem[memfault.Reboot], error] {
			return client.Devices.WatchReboots(ctx, sink, "A", options)
		})
	})
}

func requireRestarts[T any](t *testing.T, n int, name func(T) string, watch func(context.Context, memfault.WatchOptions) iter.Seq2[memfault.WatchItem[T], error]) {
	names := func(items []T) (names []string) {
		for _, item := range items {
			names = append(names, name(item))
		}
		return names
	}
	from := func(cursor memfault.WatchCursor) func(context.Context) iter.Seq2[memfault.WatchItem[T], error] {
		return func(ctx context.Context) iter.Seq2[memfault.WatchItem[T], error] {
			return watch(ctx, memfault.WatchOptions{Start: cursor})
		}
	}
	all, _ := watched(t, time.Hour, anyNumber, "", from(memfault.WatchBeginning))
	require.Len(t, all, n)
	cursor := memfault.WatchBeginning
	for i := range all {
		var next []T
		next, cursor = watched(t, time.Hour, 1, cursor, from(cursor))
		require.Equal(t, names(all[i:i+1]), names(next), i)
		if i%40 == 7 {
			rest, _ := watched(t, time.Hour, anyNumber, cursor, from(cursor))
			require.Equal(t, names(all[i+1:]), names(rest))
		}
		assert.LessOrEqual(t, len(cursor), 30_000)
	}
	rest, _ := watched(t, time.Hour, anyNumber, cursor, from(cursor))
	require.Empty(t, rest)
}

// Whatever arrives, fails and is restarted, each item is yielded exactly once.
func TestWatch_EachItemExactlyOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			cloud, client := newCloudInBubble(t)
			r := rand.New(rand.NewPCG(seed, 1))
			want, got := map[int64]int{}, map[int64]int{}
			arrive := func() {
				late := time.Duration(r.IntN(24*60)) * time.Minute
				for range r.IntN(30) + 1 {
					want[cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Captured: time.Now().Add(-late)})[0]] = 1
				}
			}
			cursor := memfault.WatchBeginning
			for range 25 {
				switch r.IntN(4) {
				case 0:
					arrive()
				case 1:
					cloud.Fail([]memfaulttest.Fault{
						{Status: 503, Times: r.IntN(20)},
						{Drop: true, Times: 3},
						{CutBodyAfter: 50, Times: r.IntN(9) + 1},
						{Status: 429, RetryAfter: "20", Times: 7},
						{Status: 500, Skip: r.IntN(2), Times: 1},
						{Before: arrive, Times: 1, Skip: r.IntN(3)},
					}[r.IntN(6)])
				case 2:
					time.Sleep(time.Duration(r.IntN(300)) * time.Minute)
				}
				var items []memfault.Trace
				items, cursor = watched(t, 10*time.Minute, r.IntN(60)+1, cursor, func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Trace], error] {
					return client.Traces.Watch(ctx, sink, memfault.WatchOptions{Start: cursor, Lookback: 48 * time.Hour})
				})
				for _, id := range traceIDs(items) {
					got[id]++
				}
			}
			cloud.Heal()
			items, _ := watched(t, time.Hour, anyNumber, cursor, func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Trace], error] {
				return client.Traces.Watch(ctx, sink, memfault.WatchOptions{Start: cursor, Lookback: 48 * time.Hour})
			})
			for _, id := range traceIDs(items) {
				got[id]++
			}
			require.Equal(t, want, got, "seed %d", seed)
		})
	}
}

func TestWatch_FailedPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 1}))
		start := time.Now()
		cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Captured: start})
		cloud.Fail(memfaulttest.Fault{Status: 500, Times: 1})
		cloud.Fail(memfaulttest.Fault{CutBodyAfter: 10, Times: 1})
		cloud.Fail(memfaulttest.Fault{Status: 503, RetryAfter: "600", Times: 1})
		cloud.Fail(memfaulttest.Fault{Status: 429, Times: 1})
		var failures []string
		options := memfault.WatchOptions{Start: memfault.WatchBeginning, OnError: func(err error) { failures = append(failures, err.Error()) }}
		got, _ := watched(t, time.Hour, 1, "", func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Trace], error] {
			return client.Traces.Watch(ctx, sink, options)
		})
		require.Len(t, got, 1)
		require.Len(t, failures, 4)
		assert.Contains(t, failures[0], "500")
		assert.Equal(t, (15+30+600+120)*time.Second, time.Since(start))
	})
}

func TestWatch_FinalErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for status, kind := range map[int]error{
			400: memfault.ErrBadRequest, 401: memfault.ErrUnauthorized, 403: memfault.ErrForbidden, 404: memfault.ErrNotFound,
		} {
			cloud, client := newCloudInBubble(t)
			cloud.Fail(memfaulttest.Fault{Operation: "issues.list", Status: status})
			errs := 0
			for _, err := range client.Issues.Watch(t.Context(), sink, memfault.WatchOptions{OnError: func(error) { t.Error("a final error is not retried") }}) {
				require.ErrorIs(t, err, kind)
				errs++
			}
			assert.Equal(t, 1, errs)
		}
	})
}

func TestWatch_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Captured: time.Now()})
	_, cursor := watched(t, time.Minute, 1, "", func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Trace], error] {
		return client.Traces.Watch(ctx, sink, memfault.WatchOptions{Start: memfault.WatchBeginning})
	})
	fail := func(options memfault.WatchOptions) error {
		for _, err := range client.Traces.Watch(t.Context(), sink, options) {
			return err
		}
		return nil
	}
	for text, options := range map[string]memfault.WatchOptions{
		"must not be negative":                          {Lookback: -1},
		"MinInterval 2s is greater than MaxInterval 1s": {MinInterval: 2 * time.Second, MaxInterval: time.Second},
		"invalid cursor: corrupt or truncated":          {Start: cursor[:len(cursor)-2]},
	} {
		err := fail(options)
		require.ErrorContains(t, err, "memfault: Traces.Watch: ")
		require.ErrorContains(t, err, text)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
	require.ErrorIs(t, fail(memfault.WatchOptions{Start: memfault.WatchCursor(strings.ToUpper(string(cursor)))}), memfault.ErrInvalidArgument)
	for _, err := range client.Issues.Watch(t.Context(), sink, memfault.WatchOptions{Start: cursor}) {
		require.ErrorContains(t, err, "invalid cursor: of another list")
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
	for _, err := range client.Devices.WatchReboots(t.Context(), sink, "", memfault.WatchOptions{}) {
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
	byKey := client.WithAuth(memfault.ProjectKey(projectKey))
	for _, err := range byKey.Issues.Watch(t.Context(), sink, memfault.WatchOptions{}) {
		require.ErrorIs(t, err, memfault.ErrWrongCredential)
	}
	for _, err := range client.Issues.Watch(nil, sink, memfault.WatchOptions{}) { //nolint:staticcheck // a nil context must not panic
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
	assert.Len(t, cloud.Requests(""), 1)
	assert.Equal(t, memfault.WatchNow, memfault.WatchItem[int]{}.Cursor())
}

// An issue is yielded when it is created, not when its status or its traces change.
func TestIssuesWatch_NewIssuesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		old := cloud.AddIssues(memfaulttest.Issue{Title: "old"})[0]
		var added []int64
		time.AfterFunc(10*time.Minute, func() {
			cloud.AddTraces(memfaulttest.Trace{Issue: old, DeviceSerial: "A", Captured: time.Now()})
			added = cloud.AddIssues(memfaulttest.Issue{Title: "new"}, memfaulttest.Issue{Title: "same time"})
			cloud.AddTraces(memfaulttest.Trace{Issue: added[0], DeviceSerial: "A", Captured: time.Now().Add(-20 * time.Hour)})
		})
		time.AfterFunc(time.Hour, func() {
			_, err := client.Issues.Update(context.WithoutCancel(t.Context()), sink, added[0], memfault.IssueUpdate{Status: memfault.IssueStatusResolved})
			if err != nil {
				t.Error(err)
			}
			cloud.AddTraces(memfaulttest.Trace{Issue: added[1], DeviceSerial: "B", Captured: time.Now()})
		})
		var polls []memfault.WatchCursor
		options := memfault.WatchOptions{OnPoll: func(cursor memfault.WatchCursor) { polls = append(polls, cursor) }}
		got, _ := watched(t, 5*time.Hour, anyNumber, "", func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Issue], error] {
			return client.Issues.Watch(ctx, sink, options)
		})
		require.Len(t, got, 2)
		found := []int64{got[0].ID, got[1].ID}
		assert.Equal(t, added, found)

		options.Start = polls[0] // of the first poll, which found nothing
		got, _ = watched(t, time.Hour, anyNumber, "", func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Issue], error] {
			return client.Issues.Watch(ctx, sink, options)
		})
		assert.Len(t, got, 2)
		got, _ = watched(t, time.Hour, anyNumber, "", func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Issue], error] {
			return client.Issues.Watch(ctx, sink, memfault.WatchOptions{Start: polls[len(polls)-1]})
		})
		assert.Empty(t, got)
	})
}

func TestDevicesWatchReboots_UnknownDeviceAndLateReboots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		start := time.Now()
		reboot := func(after time.Duration, reason memfault.RebootReason, at time.Time) {
			time.AfterFunc(after, func() { cloud.AddReboots("A", memfaulttest.Reboot{Reason: reason, Time: at}) })
		}
		reboot(10*time.Minute, 1, start.Add(8*time.Minute))
		reboot(20*time.Minute, 2, start.Add(time.Minute))                     // reported late
		reboot(30*time.Minute, 3, start.Add(time.Minute))                     // at the same time
		reboot(40*time.Minute, 3, start.Add(time.Minute))                     // the same reboot
		time.AfterFunc(45*time.Minute, func() { cloud.Report("A", "2.0.0") }) // changes their version
		unknown := 0
		options := memfault.WatchOptions{Start: memfault.WatchBeginning, OnError: func(err error) {
			assert.ErrorIs(t, err, memfault.ErrNotFound)
			unknown++
		}}
		got, _ := watched(t, 2*time.Hour, anyNumber, "", func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Reboot], error] {
			return client.Devices.WatchReboots(ctx, sink, "A", options)
		})
		var reasons []memfault.RebootReason
		for _, r := range got {
			reasons = append(reasons, r.Reason)
		}
		assert.Equal(t, []memfault.RebootReason{1, 2, 3}, reasons)
		assert.Positive(t, unknown)
	})
}

// If items are removed while the pages are read, others move to pages that were read before.
func TestWatch_ListShrinksWhilePaging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		var titles []string
		for i := range 150 {
			titles = append(titles, fmt.Sprint(i))
		}
		ids := []int64{}
		for _, title := range titles {
			ids = append(ids, cloud.AddIssues(memfaulttest.Issue{Title: title})...)
		}
		cloud.Fail(memfaulttest.Fault{Operation: "issues.list", Skip: 1, Times: 1, Before: func() {
			err := client.Issues.Delete(context.WithoutCancel(t.Context()), sink, ids[3])
			assert.NoError(t, err)
		}})
		var failures []error
		options := memfault.WatchOptions{Start: memfault.WatchBeginning, OnError: func(err error) { failures = append(failures, err) }}
		got, _ := watched(t, time.Minute, anyNumber, "", func(ctx context.Context) iter.Seq2[memfault.WatchItem[memfault.Issue], error] {
			return client.Issues.Watch(ctx, sink, options)
		})
		assert.Len(t, got, 149)
		require.Len(t, failures, 1)
		require.ErrorIs(t, failures[0], memfault.ErrUnexpectedResponse)
	})
}

// A job that runs each night reads what is new since the stored cursor.
func TestWatch_Once(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 1}))
		addTrace := func(serial string) { cloud.AddTraces(memfaulttest.Trace{DeviceSerial: serial, Captured: time.Now()}) }
		run := func(start memfault.WatchCursor) (serials []string, next memfault.WatchCursor) {
			options := memfault.WatchOptions{Start: start, Once: true, OnPoll: func(c memfault.WatchCursor) { next = c }}
			for found, err := range client.Traces.Watch(t.Context(), sink, options) {
				require.NoError(t, err)
				serials = append(serials, found.Item.Device.DeviceSerial)
				next = found.Cursor()
			}
			return serials, next
		}
		addTrace("before")
		got, cursor := run(memfault.WatchNow)
		assert.Empty(t, got)
		require.NotEqual(t, memfault.WatchNow, cursor)
		for night := range 3 {
			time.Sleep(24 * time.Hour)
			addTrace(fmt.Sprint("night ", night))
			cloud.Fail(memfaulttest.Fault{Status: http.StatusServiceUnavailable, Times: 2})
			began := time.Now()
			got, cursor = run(cursor)
			assert.Equal(t, []string{fmt.Sprint("night ", night)}, got)
			assert.Less(t, time.Since(began), 5*time.Minute)
		}
		got, _ = run(cursor)
		assert.Empty(t, got, "nothing new")
	})
}

func TestWatch_BreakStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Captured: time.Now()}, memfaulttest.Trace{DeviceSerial: "A", Captured: time.Now()})
		var response memfault.Response
		for _, err := range client.Traces.Watch(t.Context(), sink, memfault.WatchOptions{Start: memfault.WatchBeginning}, memfault.WithResponse(&response)) {
			require.NoError(t, err)
			break
		}
		assert.Equal(t, http.StatusOK, response.StatusCode)
		time.Sleep(time.Hour) // in a bubble
		assert.Len(t, cloud.Requests("traces.list"), 1)

		why := errors.New("the shift is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(why) })
		start := time.Now()
		for _, err := range client.Traces.Watch(ctx, sink, memfault.WatchOptions{}) {
			require.ErrorIs(t, err, why)
			require.ErrorIs(t, err, context.Canceled)
		}
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

func ExampleIssuesService_Watch_acrossRestarts() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)
	cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog at main"}, memfaulttest.Issue{Title: "Assert at pump_start"})

	stored := memfault.WatchBeginning // a program reads it from its database
	for range 2 {                     // the program is restarted
		options := memfault.WatchOptions{Start: stored, OnError: func(err error) { log.Print(err) }}
		for found, err := range client.Issues.Watch(context.Background(), cloud.Project(), options) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println("new issue:", found.Item.Title)
			stored = found.Cursor()
			break
		}
	}
	// Output:
	// new issue: Watchdog at main
	// new issue: Assert at pump_start
}

func ExampleTracesService_Watch_newCrashes() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	options := memfault.WatchOptions{
		MinInterval: 10 * time.Millisecond,
		OnPoll: func(memfault.WatchCursor) { // a device crashes after the first poll
			if len(cloud.Requests("traces.list")) == 1 {
				cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "ABCD1234", Reason: "Watchdog", Captured: time.Now()})
			}
		},
	}
	for found, err := range client.Traces.Watch(context.Background(), cloud.Project(), options) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(found.Item.Device.DeviceSerial, found.Item.Reason)
		break
	}
	// Output:
	// ABCD1234 Watchdog
}

func ExampleDevicesService_WatchReboots_oneDevice() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)
	cloud.AddReboots("ABCD1234", memfaulttest.Reboot{Reason: memfault.RebootReasonFirmwareUpdate, Time: time.Now()})

	options := memfault.WatchOptions{Start: memfault.WatchBeginning}
	for found, err := range client.Devices.WatchReboots(context.Background(), cloud.Project(), "ABCD1234", options) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("rebooted for an update:", found.Item.Reason == memfault.RebootReasonFirmwareUpdate)
		break
	}
	// Output:
	// rebooted for an update: true
}

// A watch of a long list must not read it again and again.
func TestWatch_RequestsOfLongList(t *testing.T) {
	t.Parallel()
	for _, issues := range []int{10_000, 30_000, 60_000} {
		t.Run(fmt.Sprint(issues), func(t *testing.T) {
			requests := 0
			start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
			client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				requests++
				page, err := strconv.Atoi(req.URL.Query().Get("page"))
				require.NoError(t, err)
				var items []string
				for i := issues - (page-1)*100; i > max(issues-page*100, 0); i-- { // the newest first
					items = append(items, fmt.Sprintf(`{"id":%d,"first_seen":%q}`, i, start.Add(time.Duration(i)*time.Minute).Format(time.RFC3339)))
				}
				return newResponse(200, fmt.Sprintf(`{"data":[%s],"paging":{"page":%d,"page_count":%d,"total_count":%d}}`,
					strings.Join(items, ","), page, issues/100, issues))
			})}))
			found := int64(0)
			for item, err := range client.Issues.Watch(t.Context(), sink, memfault.WatchOptions{Start: memfault.WatchBeginning}) {
				require.NoError(t, err)
				found++
				require.Equal(t, found, item.Item.ID)
				if found == int64(issues) {
					break
				}
			}
			t.Logf("%d issues: %d requests", issues, requests)
			assert.LessOrEqual(t, requests, issues/100+3)
		})
	}
}

// A job that runs each night reads everything that is new since the cursor of the last night.
func ExampleWatchOptions_once() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)
	cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog at main"})

	stored := memfault.WatchBeginning // the job reads it from a file
	for night := range 2 {
		options := memfault.WatchOptions{Start: stored, Once: true, OnPoll: func(cursor memfault.WatchCursor) { stored = cursor }}
		for found, err := range client.Issues.Watch(context.Background(), cloud.Project(), options) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println("night", night, "new issue:", found.Item.Title)
		}
		cloud.AddIssues(memfaulttest.Issue{Title: "Assert at pump_start"})
	}
	// Output:
	// night 0 new issue: Watchdog at main
	// night 1 new issue: Assert at pump_start
}
