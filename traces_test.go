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

const traceText = `{"id":5,"title":"Assert at f","message":"m","reason":"Assert","signature":"ab","context":"c","source_type":"event",
	"release":{"id":2,"version":"1.1.0","revision":"abc"},"device":{"id":3,"device_serial":"A","hardware_version":"evt-1"},
	"entries":{"threads":[{"tid":1,"name":"main","state":"running","current":true,"crashed":true,"reporting":false,
		"registers":[{"name":"pc","value":18446744073709551615}],
		"stacktrace":[{"index":0,"address":134218240,"function":"f","file":"f.c","lineno":3,"context":[1],"frame_type":"x","frame_size":8,"arguments":{"a":1},"locals":null},
			{"index":1,"address":0,"function":null,"file":null,"lineno":null,"context":[]}]}],
		"faults":{"notes":["n"],"registers":[{"name":"cfsr","value":1}]}},
	"created_date":"2019-05-21T21:08:54Z","captured_date":"2019-05-21T21:08:54Z","received_date":"2019-05-21T21:08:54Z"}`

func TestTrace_RoundTrip(t *testing.T) {
	trace := requireRoundTrip[memfault.Trace](t, traceText)
	assert.Equal(t, uint64(1<<64-1), trace.Entries.Threads[0].Registers[0].Value)
	assert.Nil(t, trace.Entries.Threads[0].Stacktrace[1].Function)
	detail := requireRoundTrip[memfault.Trace](t, `{"id":5,"issue_id":7,"source_type":"coredump","coredump":{"id":9,"symbol_file":{"id":4,"downloadable":true}},
		"device":{"id":3,"device_serial":"A","hardware_version":{"name":"evt-1"}}}`)
	assert.True(t, detail.Coredump.SymbolFile.Downloadable)
	requireRoundTrip[memfault.Trace](t, `{"id":5,"elf_coredump":{"id":9}}`)
}

func TestTracesList_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	issues := cloud.AddIssues(memfaulttest.Issue{Title: "Assert"}, memfaulttest.Issue{Title: "Watchdog"})
	issue := issues[0]
	ids := cloud.AddTraces(
		memfaulttest.Trace{Issue: issue, DeviceSerial: "A", Captured: noon},
		memfaulttest.Trace{Issue: issue, DeviceSerial: "B", Captured: noon.Add(2 * time.Hour)},
		memfaulttest.Trace{Issue: issues[1], DeviceSerial: "C", Captured: noon.Add(time.Hour)},
	)
	later := memfault.NewTimestamp(noon.Add(time.Hour))
	for name, c := range map[string]struct {
		options memfault.TraceListOptions
		want    []int64
	}{
		"all":   {memfault.TraceListOptions{}, []int64{ids[1], ids[2], ids[0]}},
		"issue": {memfault.TraceListOptions{Issue: issue}, []int64{ids[1], ids[0]}},
		"since": {memfault.TraceListOptions{Since: later}, []int64{ids[1], ids[2]}},
		"until": {memfault.TraceListOptions{Until: later}, []int64{ids[2], ids[0]}},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.PerPage = 2
			traces, err := client.Traces.List(sink, c.options).Collect(t.Context())
			require.NoError(t, err)
			var got []int64
			for _, trace := range traces {
				got = append(got, trace.ID)
				assert.Nil(t, trace.Coredump)
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestTracesGet_Coredump(t *testing.T) {
	cloud, client := newCloud(t)
	issue := cloud.AddIssues(memfaulttest.Issue{Title: "Assert"})[0]
	ids := cloud.AddTraces(
		memfaulttest.Trace{Issue: issue, DeviceSerial: "A", Reason: "Assert", Captured: noon},
		memfaulttest.Trace{Issue: issue, DeviceSerial: "A", Coredump: true, Symbols: true, Captured: noon},
		memfaulttest.Trace{Issue: issue, DeviceSerial: "A", Coredump: true, ELF: true, Captured: noon},
	)
	ctx := t.Context()
	plain, err := client.Traces.Get(ctx, sink, ids[0])
	require.NoError(t, err)
	assert.Equal(t, "Assert", plain.Reason)
	assert.Equal(t, memfault.TraceSourceEvent, plain.SourceType)
	assert.Equal(t, "pump_start", *plain.Entries.Threads[0].Stacktrace[0].Function)
	assert.Nil(t, plain.Coredump)
	dumped, err := client.Traces.Get(ctx, sink, ids[1])
	require.NoError(t, err)
	require.NotNil(t, dumped.Coredump)
	require.NotNil(t, dumped.Coredump.SymbolFile)
	assert.True(t, dumped.Coredump.SymbolFile.Downloadable)
	process, err := client.Traces.Get(ctx, sink, ids[2])
	require.NoError(t, err)
	require.NotNil(t, process.ELFCoredump)
	assert.Nil(t, process.ELFCoredump.SymbolFile)

	_, err = client.Traces.Get(ctx, sink, ids[2]+1000)
	assert.Equal(t, 1003, requireError(t, err, http.StatusNotFound).Code)
}

func TestTraces_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Traces.Get(t.Context(), sink, 0)
	requireUnsent(t, cloud, err, "trace_id must not be empty")
	byKey := client.WithAuth(memfault.ProjectKey(projectKey))
	require.ErrorIs(t, failing(byKey.Traces.List(sink, memfault.TraceListOptions{})), memfault.ErrWrongCredential)
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		return failing(client.Traces.List(project, memfault.TraceListOptions{}, opts...))
	})
}

func ExampleTracesService_List_ofIssue() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	issue := cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog at main"})[0]
	cloud.AddTraces(
		memfaulttest.Trace{Issue: issue, DeviceSerial: "ABCD1234", Reason: "Watchdog", Captured: time.Date(2025, 2, 27, 12, 0, 0, 0, time.UTC)},
		memfaulttest.Trace{Issue: issue, DeviceSerial: "ABCD1235", Reason: "Watchdog", Captured: time.Date(2025, 2, 27, 13, 0, 0, 0, time.UTC)},
	)
	client := cloud.Client(nil)

	for trace, err := range client.Traces.List(cloud.Project(), memfault.TraceListOptions{Issue: issue}).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(trace.CapturedDate, trace.Device.DeviceSerial, trace.Reason)
	}
	// Output:
	// 2025-02-27T13:00:00Z ABCD1235 Watchdog
	// 2025-02-27T12:00:00Z ABCD1234 Watchdog
}

func TestTrace_ArrivedAtAndVersion(t *testing.T) {
	captured, received, created := memfault.NewTimestamp(time.Unix(0, 0)), memfault.NewTimestamp(time.Unix(2000, 0)), memfault.NewTimestamp(time.Unix(1000, 0))
	trace := memfault.Trace{CapturedDate: captured, ReceivedDate: received, CreatedDate: created, Release: memfault.ReleaseRef{Version: "1.2.3"}}
	assert.Equal(t, received, trace.ArrivedAt())
	trace.ReceivedDate = memfault.Timestamp{}
	assert.Equal(t, created, trace.ArrivedAt())
	trace.CreatedDate = memfault.Timestamp{}
	assert.Equal(t, captured, trace.ArrivedAt())
	assert.Equal(t, "1.2.3", trace.Version())
}

// A device whose clock was never set crashes now. Since does not find its trace; ArrivedAt does.
func TestTraces_DeviceWithWrongClock(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddTraces(memfaulttest.Trace{DeviceSerial: "A", Captured: time.Unix(60, 0)})
	hourAgo := time.Now().Add(-time.Hour)
	found, err := client.Traces.List(sink, memfault.TraceListOptions{Since: memfault.NewTimestamp(hourAgo)}).Collect(t.Context())
	require.NoError(t, err)
	assert.Empty(t, found)
	all, err := client.Traces.List(sink, memfault.TraceListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.True(t, all[0].ArrivedAt().After(hourAgo), "arrived at %v", all[0].ArrivedAt())
}
