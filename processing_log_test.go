package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// messages returns the messages of entries, as the fake cloud sends them.
func messages(t testing.TB, entries []memfault.ProcessingLogEntry) (all []string) {
	t.Helper()
	for _, e := range entries {
		var fields struct{ Message string }
		require.NoError(t, json.Unmarshal(e.Raw, &fields))
		all = append(all, fields.Message)
	}
	return all
}

// newLoggedCloud returns a cloud at noon, with n entries one minute apart, the last at noon.
func newLoggedCloud(t testing.TB, n int) (*memfaulttest.Server, *memfault.Client) {
	t.Helper()
	cloud, client := newCloud(t)
	cloud.SetClock(func() time.Time { return noon })
	for i := range n {
		cloud.AddProcessingLog(memfaulttest.ProcessingLogEntry{Message: fmt.Sprint(i + 1), Created: noon.Add(time.Duration(i-n+1) * time.Minute)})
	}
	return cloud, client
}

func TestProcessingLogList_AllPages(t *testing.T) {
	cloud, client := newLoggedCloud(t, 5)
	options := memfault.ProcessingLogListOptions{Start: memfault.NewTimestamp(noon.Add(-time.Hour)), Level: memfault.ProcessingLogLevelError, PageSize: 2}
	for _, depth := range []int{0, 8} {
		entries, err := client.ProcessingLog.List(sink, options).Prefetch(depth).Collect(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"1", "2", "3", "4", "5"}, messages(t, entries))
		assert.Equal(t, noon, entries[4].CreatedDate.Time)
	}
	requests := cloud.Requests("processing_log.list")
	require.Len(t, requests, 8, "three pages and an empty one, twice")
	assert.Equal(t, url.Values{"start": {"2025-02-27T11:00:00Z"}, "level": {"error"}, "page[size]": {"2"}}, requests[0].Query)
	for _, r := range requests {
		assert.NotContains(t, r.Query, "page")
		assert.NotContains(t, r.Query, "per_page")
	}
	assert.NotEmpty(t, requests[1].Query.Get("page[after]"))
	assert.NotEmpty(t, requests[1].Query.Get("end"), "the end is pinned")

	entries, err := client.ProcessingLog.List(sink, memfault.ProcessingLogListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, entries, 5)
	assert.Empty(t, cloud.Requests("processing_log.list")[8].Query)
}

func TestProcessingLogList_ResumesAfterCursor(t *testing.T) {
	cloud, client := newLoggedCloud(t, 5)
	options := memfault.ProcessingLogListOptions{Start: memfault.NewTimestamp(noon.Add(-time.Hour)), PageSize: 2}
	var cursors []string
	for page, err := range client.ProcessingLog.List(sink, options).Pages(t.Context()) {
		require.NoError(t, err)
		cursors = append(cursors, page.Next)
	}
	require.Len(t, cursors, 3, "the empty page is not yielded")
	options.After = cursors[0]
	entries, err := client.ProcessingLog.List(sink, options).Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"3", "4", "5"}, messages(t, entries))

	options.After = cursors[2]
	page, err := client.ProcessingLog.List(sink, options).Page(t.Context())
	require.NoError(t, err)
	assert.Empty(t, page.Items)
	assert.Empty(t, page.Next)
	cloud.AddProcessingLog(memfaulttest.ProcessingLogEntry{Message: "6"})
	entries, err = client.ProcessingLog.List(sink, options).Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"6"}, messages(t, entries))
}

func TestProcessingLogList_Filters(t *testing.T) {
	cloud, client := newLoggedCloud(t, 0)
	days := func(n int) time.Time { return noon.Add(time.Duration(n) * 24 * time.Hour) }
	cloud.AddProcessingLog(
		memfaulttest.ProcessingLogEntry{Message: "gone", Created: days(-61)},
		memfaulttest.ProcessingLogEntry{Message: "old", Created: days(-59)},
		memfaulttest.ProcessingLogEntry{Message: "info", Level: "info", Created: days(-2), DeviceSerial: "A"},
		memfaulttest.ProcessingLogEntry{Message: "new", Created: days(-1), Fields: map[string]any{"extra": 7}},
	)
	at := func(n int) memfault.Timestamp { return memfault.NewTimestamp(days(n)) }
	for name, c := range map[string]struct {
		options memfault.ProcessingLogListOptions
		want    []string
	}{
		"all":   {memfault.ProcessingLogListOptions{}, []string{"old", "info", "new"}},
		"start": {memfault.ProcessingLogListOptions{Start: at(-2)}, []string{"info", "new"}},
		"end":   {memfault.ProcessingLogListOptions{Start: at(-60), End: at(-2)}, []string{"old", "info"}},
		"level": {memfault.ProcessingLogListOptions{Level: "error"}, []string{"old", "new"}},
		"past":  {memfault.ProcessingLogListOptions{Start: at(-65), End: at(-60)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.PageSize = 1
			entries, err := client.ProcessingLog.List(sink, c.options).Collect(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.want, messages(t, entries))
		})
	}
	for name, options := range map[string]memfault.ProcessingLogListOptions{
		"span":   {Start: at(-61), End: at(0)},
		"size":   {PageSize: 501},
		"cursor": {After: "nonsense"},
	} {
		_, err := client.ProcessingLog.List(sink, options).Collect(t.Context())
		require.ErrorIs(t, err, memfault.ErrBadRequest, name)
	}
}

func TestProcessingLogList_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	list := func(project memfault.ProjectRef, options memfault.ProcessingLogListOptions, opts ...memfault.CallOption) error {
		return failing(client.ProcessingLog.List(project, options, opts...))
	}
	err := list(sink, memfault.ProcessingLogListOptions{PageSize: -1})
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	requireUnsent(t, cloud, err, "must not be negative")
	requireUnsent(t, cloud, list(memfault.ProjectRef{Organization: "acme"}, memfault.ProcessingLogListOptions{}), "project_slug must not be empty")
	requireUnsent(t, cloud, list(sink, memfault.ProcessingLogListOptions{Start: memfault.NewTimestamp(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))}), "year 10000")
	byKey := client.WithAuth(memfault.ProjectKey(projectKey))
	require.ErrorIs(t, failing(byKey.ProcessingLog.List(sink, memfault.ProcessingLogListOptions{})), memfault.ErrWrongCredential)
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		return list(project, memfault.ProcessingLogListOptions{}, opts...)
	})
}

func TestProcessingLogEntry_RoundTrip(t *testing.T) {
	entry := requireRoundTrip[memfault.ProcessingLogEntry](t, `{"created_date":"2025-02-27T12:00:00.5+01:00","reason":{"code":7},"created":1}`)
	assert.Equal(t, noon.Add(-time.Hour+500*time.Millisecond), entry.CreatedDate.Time)
	assert.JSONEq(t, `{"created_date":"2025-02-27T12:00:00.5+01:00","reason":{"code":7},"created":1}`, string(entry.Raw))
	encoded, err := json.Marshal(memfault.ProcessingLogEntry{CreatedDate: memfault.NewTimestamp(noon)})
	require.NoError(t, err)
	assert.JSONEq(t, `{"created_date":"2025-02-27T12:00:00Z"}`, string(encoded))
	require.Error(t, json.Unmarshal([]byte(`{"created_date":7}`), &entry))

	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data":[{"created_date":"2025-02-27T12:00:00Z"},null],"links":{"next":null}}`))
	})
	_, err = client.ProcessingLog.List(sink, memfault.ProcessingLogListOptions{}).Collect(t.Context())
	assert.Contains(t, requireError(t, err, http.StatusOK).Message, "item 1 of the page is null")
}

// The entries of one page must not share memory with the buffer of another response.
func TestProcessingLogEntry_RawIsOwnCopy(t *testing.T) {
	_, client := newLoggedCloud(t, 3)
	var first json.RawMessage
	for entry, err := range client.ProcessingLog.List(sink, memfault.ProcessingLogListOptions{PageSize: 1}).All(t.Context()) {
		require.NoError(t, err)
		if first == nil {
			first = entry.Raw
		}
	}
	assert.Contains(t, string(first), `"message":"1"`)
}

func TestNewPager_ReadsProcessingLog(t *testing.T) {
	_, client := newLoggedCloud(t, 250)
	type entry struct {
		Message string `json:"message"`
	}
	items, err := memfault.NewPager[entry](client, memfault.Request{Path: projectPath + "/processing-log"}).Prefetch(4).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, items, 250)
	assert.Equal(t, entry{"250"}, items[249])
}

func TestProcessingLog_DroppedData(t *testing.T) {
	cloud, client := newCloud(t)
	gateway := client.WithAuth(memfault.ProjectKey(projectKey))
	cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Times: 1, Status: http.StatusAccepted})
	require.NoError(t, gateway.Chunks.Upload(t.Context(), "A", [][]byte{[]byte("a chunk")}))
	assert.Empty(t, cloud.Chunks("A"))
	entries, err := client.ProcessingLog.List(sink, memfault.ProcessingLogListOptions{Level: "error"}).Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"Accepted data of chunks.upload was dropped"}, messages(t, entries))
	assert.Contains(t, string(entries[0].Raw), `"device_serial":"A"`)
}

func ExampleProcessingLogService_List() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddProcessingLog(memfaulttest.ProcessingLogEntry{DeviceSerial: "ABCD1234", Message: "A chunk was dropped"})
	client := cloud.Client(nil)

	options := memfault.ProcessingLogListOptions{
		Start: memfault.NewTimestamp(time.Now().Add(-24 * time.Hour)), Level: memfault.ProcessingLogLevelError,
		After: "", // a cursor that an earlier run stored
	}
	for page, err := range client.ProcessingLog.List(cloud.Project(), options).Pages(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		for _, entry := range page.Items {
			var fields struct { // of the fake cloud; entry.Raw contains what Memfault sends
				Serial  string `json:"device_serial"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal(entry.Raw, &fields); err != nil {
				log.Fatal(err)
			}
			fmt.Println(fields.Serial, fields.Message)
		}
		options.After = page.Next // to be stored
	}
	// Output:
	// ABCD1234 A chunk was dropped
}
