package memfault_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud"
)

func TestCoredumpsList_AllPages(t *testing.T) {
	cloud, client := newCloud(t)
	ids := cloud.AddTraces(
		fakecloud.Trace{Issue: 7, DeviceSerial: "A", Coredump: true},
		fakecloud.Trace{Issue: 8, DeviceSerial: "A"},
		fakecloud.Trace{Issue: 9, DeviceSerial: "B", Coredump: true},
		fakecloud.Trace{Issue: 9, DeviceSerial: "B", Coredump: true, ELF: true},
	)
	dumps, err := client.Coredumps.List(sink, memfault.CoredumpListOptions{ListOptions: memfault.ListOptions{PerPage: 1}}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, dumps, 2)
	assert.Equal(t, int64(9), dumps[1].IssueID)
	trace, err := client.Traces.Get(t.Context(), sink, ids[2])
	require.NoError(t, err)
	assert.Equal(t, trace.Coredump.ID, dumps[1].ID)
	requireRoundTrip[memfault.Coredump](t, `{"id":3,"issue_id":4}`)
}

func TestCoredumpsListELF_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddTraces(
		fakecloud.Trace{DeviceSerial: "A", Coredump: true, ELF: true},
		fakecloud.Trace{DeviceSerial: "A", Coredump: true, ELF: true},
		fakecloud.Trace{DeviceSerial: "B", Coredump: true, ELF: true},
		fakecloud.Trace{DeviceSerial: "A", Coredump: true},
	)
	options := memfault.ELFCoredumpListOptions{ListOptions: memfault.ListOptions{PerPage: 1}}
	all, err := client.Coredumps.ListELF(sink, options).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, all, 3)
	options.Device = "A"
	some, err := client.Coredumps.ListELF(sink, options).Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, all[:2], some)
	requireRoundTrip[[]memfault.ELFCoredump](t, `[{"id":3,"anything":[1]},"else",null]`)
}

func TestCoredumps_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	requireUnsent(t, cloud, failing(client.Coredumps.List(memfault.ProjectRef{}, memfault.CoredumpListOptions{})), "organization_slug must not be empty")
	byKey := client.WithAuth(memfault.ProjectKey(fakecloud.ProjectKey))
	require.ErrorIs(t, failing(byKey.Coredumps.List(sink, memfault.CoredumpListOptions{})), memfault.ErrWrongCredential)
	require.ErrorIs(t, failing(byKey.Coredumps.ListELF(sink, memfault.ELFCoredumpListOptions{})), memfault.ErrWrongCredential)
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		return failing(client.Coredumps.List(project, memfault.CoredumpListOptions{}, opts...))
	})
}

func ExampleCoredumpsService_List() {
	cloud := fakecloud.New()
	issue := cloud.AddIssue(fakecloud.Issue{Title: "Watchdog at main"})
	cloud.AddTraces(fakecloud.Trace{Issue: issue, DeviceSerial: "ABCD1234", Coredump: true})
	client, stop := exampleClient(cloud)
	defer stop()

	for dump, err := range client.Coredumps.List(sink, memfault.CoredumpListOptions{}).All(context.Background()) {
		if err != nil {
			panic(err)
		}
		fmt.Println("a coredump of the issue:", dump.IssueID == issue)
	}
	// Output:
	// a coredump of the issue: true
}
