package memfault_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestIssuesList_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddDevices(memfaulttest.Device{Serial: "B", Cohort: "beta"})
	ids := []int64{
		cloud.AddIssues(memfaulttest.Issue{Title: "Assert at pump_start", Signature: "aa"})[0],
		cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog at main", Signature: "bb", Status: "muted"})[0],
		cloud.AddIssues(memfaulttest.Issue{Title: "Hard Fault at pump_stop", Signature: "cc", Status: "resolved"})[0],
	}
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	cloud.AddTraces(
		memfaulttest.Trace{Issue: ids[0], DeviceSerial: "A", Captured: hour(0)},
		memfaulttest.Trace{Issue: ids[0], DeviceSerial: "B", Captured: hour(9)},
		memfaulttest.Trace{Issue: ids[1], DeviceSerial: "A", Captured: hour(1)},
		memfaulttest.Trace{Issue: ids[1], DeviceSerial: "A", Captured: hour(2)},
		memfaulttest.Trace{Issue: ids[1], DeviceSerial: "A", Captured: hour(3)},
		memfaulttest.Trace{Issue: ids[2], DeviceSerial: "C", Captured: hour(4)},
	)
	at := func(n int) memfault.Timestamp { return memfault.NewTimestamp(hour(n)) }
	sorted := func(key string) memfault.IssueListOptions {
		return memfault.IssueListOptions{ListOptions: memfault.ListOptions{Sort: key}}
	}
	for name, c := range map[string]struct {
		options memfault.IssueListOptions
		want    []int64
	}{
		"all":              {memfault.IssueListOptions{}, ids},
		"status":           {memfault.IssueListOptions{Status: []memfault.IssueStatus{memfault.IssueStatusMuted, memfault.IssueStatusResolved}}, ids[1:]},
		"title":            {memfault.IssueListOptions{Title: "*at pump*"}, []int64{ids[0], ids[2]}},
		"title, whole":     {memfault.IssueListOptions{Title: "Watchdog"}, nil},
		"last seen since":  {memfault.IssueListOptions{LastSeenSince: at(4)}, []int64{ids[0], ids[2]}},
		"last seen until":  {memfault.IssueListOptions{LastSeenUntil: at(3)}, ids[1:2]},
		"first seen since": {memfault.IssueListOptions{FirstSeenSince: at(1)}, ids[1:]},
		"first seen until": {memfault.IssueListOptions{FirstSeenUntil: at(0)}, ids[:1]},
		"devices":          {memfault.IssueListOptions{MinDeviceCount: 2}, ids[:1]},
		"crashes":          {memfault.IssueListOptions{MinCrashCount: 3}, ids[1:2]},
		"signature":        {memfault.IssueListOptions{Signature: []string{"aa", "cc"}}, []int64{ids[0], ids[2]}},
		"cohort":           {memfault.IssueListOptions{Cohort: []string{"beta"}}, ids[:1]},
		"by last seen":     {sorted(memfault.SortLastSeen), []int64{ids[1], ids[2], ids[0]}},
		"by first seen":    {sorted(memfault.Descending(memfault.SortFirstSeen)), []int64{ids[2], ids[1], ids[0]}},
		"by devices":       {sorted(memfault.Descending(memfault.SortDeviceCount)), ids},
		"by traces":        {sorted(memfault.SortTraceCount), []int64{ids[2], ids[0], ids[1]}},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.PerPage = 2
			issues, err := client.Issues.List(sink, c.options).Collect(t.Context())
			require.NoError(t, err)
			var got []int64
			for _, i := range issues {
				got = append(got, i.ID)
				assert.Nil(t, i.LastTrace, "the fake cloud sends lists in the newer form")
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestIssuesList_LastTraceOfOlderForm(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"data":[{"id":11,"last_trace":%s},{"id":12,"last_trace":null},{"id":13}],
			"paging":{"item_count":3,"page":1,"page_count":1,"per_page":100,"total_count":3}}`, traceText)
	})
	issues, err := client.Issues.List(sink, memfault.IssueListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, issues, 3)
	require.NotNil(t, issues[0].LastTrace)
	assert.Equal(t, int64(5), issues[0].LastTrace.ID)
	assert.Equal(t, "A", issues[0].LastTrace.Device.DeviceSerial)
	assert.Nil(t, issues[1].LastTrace)
	assert.Nil(t, issues[2].LastTrace)
}

func TestIssues_Lifecycle(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	id := cloud.AddIssues(memfaulttest.Issue{Title: "Assert at pump_start", Reason: "Assert"})[0]
	traces := cloud.AddTraces(
		memfaulttest.Trace{Issue: id, DeviceSerial: "A", SoftwareVersion: "1.0.0", Captured: noon},
		memfaulttest.Trace{Issue: id, DeviceSerial: "B", SoftwareVersion: "1.1.0", Captured: noon.Add(time.Hour)},
	)
	issue, err := client.Issues.Get(ctx, sink, id)
	require.NoError(t, err)
	assert.Equal(t, memfault.IssueStatusOpen, issue.Status)
	assert.Equal(t, "Assert", issue.Reason)
	assert.Equal(t, 2, issue.DeviceCount)
	assert.Equal(t, "1.0.0", issue.FirstSoftwareVersion.Version)
	assert.Equal(t, "1.1.0", issue.LastSoftwareVersion.Version)
	assert.Nil(t, issue.Resolution)
	require.NotNil(t, issue.LastTrace)
	assert.Equal(t, traces[1], issue.LastTrace.ID)

	updated, err := client.Issues.Update(ctx, sink, id, memfault.IssueUpdate{Status: memfault.IssueStatusResolved})
	require.NoError(t, err)
	assert.Equal(t, memfault.IssueStatusResolved, updated.Status)
	require.NotNil(t, updated.Resolution)
	assert.Nil(t, updated.Resolution.Actor, "a token is not a user")
	assert.False(t, updated.Resolution.Timestamp.IsZero())

	jane := client.WithAuth(memfault.BasicAPIKey(email, apiKey))
	updated, err = jane.Issues.Update(ctx, sink, id, memfault.IssueUpdate{Status: memfault.IssueStatusResolved})
	require.NoError(t, err)
	assert.Equal(t, email, updated.Resolution.Actor.Email)
	updated, err = jane.Issues.Update(ctx, sink, id, memfault.IssueUpdate{Status: "someday"})
	require.NoError(t, err, "statuses must not be checked locally")
	assert.Nil(t, updated.Resolution)

	_, err = client.Issues.Update(ctx, sink, id, memfault.IssueUpdate{})
	assert.JSONEq(t, `{"status":["Missing data for required field."]}`, string(requireError(t, err, http.StatusBadRequest).Details))

	require.NoError(t, client.Issues.Delete(ctx, sink, id))
	require.ErrorIs(t, client.Issues.Delete(ctx, sink, id), memfault.ErrNotFound)
	_, err = client.Issues.Get(ctx, sink, id)
	assert.Equal(t, 1003, requireError(t, err, http.StatusNotFound).Code)
	_, err = client.Issues.Update(ctx, sink, id, memfault.IssueUpdate{Status: memfault.IssueStatusOpen})
	require.ErrorIs(t, err, memfault.ErrNotFound)
}

func TestIssuesFirstTrace_Order(t *testing.T) {
	cloud, client := newCloud(t)
	id := cloud.AddIssues(memfaulttest.Issue{Title: "Assert"})[0]
	_, err := client.Issues.FirstTrace(t.Context(), sink, id, memfault.FirstTraceOptions{})
	require.ErrorIs(t, err, memfault.ErrNotFound)

	traces := cloud.AddTraces(memfaulttest.Trace{Issue: id, DeviceSerial: "A"}, memfaulttest.Trace{Issue: id, DeviceSerial: "B"})
	for sort, want := range map[string]int64{memfault.SortCreatedDate: traces[0], memfault.Descending(memfault.SortCreatedDate): traces[1]} {
		trace, err := client.Issues.FirstTrace(t.Context(), sink, id, memfault.FirstTraceOptions{Sort: sort})
		require.NoError(t, err)
		assert.Equal(t, want, trace.ID)
		assert.Equal(t, id, trace.IssueID)
		require.Len(t, trace.Threads, 1)
		assert.Equal(t, "pump_start", *trace.Threads[0].Stacktrace[0].Function)
		assert.Nil(t, trace.Entries)
	}
}

func TestIssues_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	_, getErr := client.Issues.Get(ctx, sink, 0)
	_, updateErr := client.Issues.Update(ctx, sink, -3, memfault.IssueUpdate{Status: memfault.IssueStatusOpen})
	_, firstErr := client.Issues.FirstTrace(ctx, sink, 0, memfault.FirstTraceOptions{})
	for _, err := range []error{getErr, updateErr, firstErr, client.Issues.Delete(ctx, sink, 0)} {
		requireUnsent(t, cloud, err, "issue_id must not be empty")
	}
	requireUnsent(t, cloud, failing(client.Issues.List(memfault.ProjectRef{Project: "x"}, memfault.IssueListOptions{})), "organization_slug must not be empty")
	_, err := client.WithAuth(memfault.ProjectKey(projectKey)).Issues.Get(ctx, sink, 1)
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		_, err := client.Issues.Get(ctx, project, 1, opts...)
		return err
	})
}

func TestIssue_RoundTrip(t *testing.T) {
	old := requireRoundTrip[memfault.Issue](t, `{"id":11,"status":"resolved","title":"Assert at f","message":"m","signature":"ab",
		"resolution":{"actor":{"id":1,"email":"jane@acme.example","name":"Jane"},"timestamp":"2019-05-21T21:08:54Z"},
		"counts":[0,0,1,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,9],"device_count":2,"trace_count":12,
		"distribution":{"hardware_version":[{"version":"evt-1","count":3}],"sw_version":[{"version":"1.0.0","count":4}]},
		"first_seen":"2019-05-21T21:08:54Z","last_seen":"2019-05-22T21:08:54Z",
		"first_release":{"id":1,"version":"1.0.0","revision":""},"last_release":{"id":2,"version":"1.1.0","revision":"abc"},
		"last_trace":`+traceText+`,"created_date":"2019-05-21T21:08:54Z","updated_date":"2019-05-21T21:08:54Z"}`)
	assert.Len(t, old.Counts, 24)
	assert.Equal(t, 4, old.Distribution.SoftwareVersion[0].Count)
	recent := requireRoundTrip[memfault.Issue](t, `{"id":11,"status":"from-the-future","reason":"Assert","resolution":null,
		"first_software_version":{"version":"1.0.0"},"last_software_version":{"version":"1.1.0"},"last_trace":{"issue_id":11,"source_type":"coredump"}}`)
	assert.Equal(t, memfault.IssueStatus("from-the-future"), recent.Status)
	assert.Equal(t, memfault.TraceSourceCoredump, recent.LastTrace.SourceType)
	requireRoundTrip[memfault.FirstTrace](t, `{"issue_id":11,"threads":[{"tid":1,"current":true,"crashed":false,"reporting":true,"registers":[],"stacktrace":[]}]}`)
}

func ExampleIssuesService_Update_resolve() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	id := cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog at main"})[0]
	client := cloud.Client(nil)

	issue, err := client.Issues.Update(context.Background(), cloud.Project(), id, memfault.IssueUpdate{Status: memfault.IssueStatusResolved})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(issue.Title, "is", issue.Status)
	// Output:
	// Watchdog at main is resolved
}
