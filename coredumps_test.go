package memfault_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestCoredumpsList_AllPages(t *testing.T) {
	cloud, client := newCloud(t)
	issues := cloud.AddIssues(memfaulttest.Issue{Title: "Assert"}, memfaulttest.Issue{Title: "Watchdog"})
	ids := cloud.AddTraces(
		memfaulttest.Trace{Issue: issues[0], DeviceSerial: "A", Coredump: true},
		memfaulttest.Trace{Issue: issues[0], DeviceSerial: "A"},
		memfaulttest.Trace{Issue: issues[1], DeviceSerial: "B", Coredump: true},
		memfaulttest.Trace{Issue: issues[1], DeviceSerial: "B", Coredump: true, ELF: true},
	)
	dumps, err := client.Coredumps.List(sink, memfault.CoredumpListOptions{ListOptions: memfault.ListOptions{PerPage: 1}}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, dumps, 2)
	assert.Equal(t, issues[1], dumps[1].IssueID)
	trace, err := client.Traces.Get(t.Context(), sink, ids[2])
	require.NoError(t, err)
	assert.Equal(t, trace.Coredump.ID, dumps[1].ID)
	requireRoundTrip[memfault.Coredump](t, `{"id":3,"issue_id":4}`)
}

func TestCoredumpsListELF_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddTraces(
		memfaulttest.Trace{DeviceSerial: "A", Coredump: true, ELF: true},
		memfaulttest.Trace{DeviceSerial: "A", Coredump: true, ELF: true},
		memfaulttest.Trace{DeviceSerial: "B", Coredump: true, ELF: true},
		memfaulttest.Trace{DeviceSerial: "A", Coredump: true},
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
	byKey := client.WithAuth(memfault.ProjectKey(projectKey))
	require.ErrorIs(t, failing(byKey.Coredumps.List(sink, memfault.CoredumpListOptions{})), memfault.ErrWrongCredential)
	require.ErrorIs(t, failing(byKey.Coredumps.ListELF(sink, memfault.ELFCoredumpListOptions{})), memfault.ErrWrongCredential)
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		return failing(client.Coredumps.List(project, memfault.CoredumpListOptions{}, opts...))
	})
}

func ExampleCoredumpsService_List_ofIssue() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	issue := cloud.AddIssues(memfaulttest.Issue{Title: "Watchdog at main"})[0]
	cloud.AddTraces(memfaulttest.Trace{Issue: issue, DeviceSerial: "ABCD1234", Coredump: true})
	client := cloud.Client(nil)

	for dump, err := range client.Coredumps.List(cloud.Project(), memfault.CoredumpListOptions{}).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("a coredump of the issue:", dump.IssueID == issue)
	}
	// Output:
	// a coredump of the issue: true
}
