package main

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

var writing = []string{"-write", "-project", "smart-sink", "-yes"}

// requireClean checks that nothing of a run is left.
func requireClean(t *testing.T, cloud *memfaulttest.Server) {
	t.Helper()
	client, project, ctx := cloud.Client(t), cloud.Project(), context.Background()
	cohorts, err := client.Cohorts.List(project, memfault.CohortListOptions{}).Collect(ctx)
	require.NoError(t, err)
	for _, cohort := range cohorts {
		assert.NotContains(t, cohort.Slug, "verify")
	}
	devices, err := client.Devices.List(project, memfault.DeviceListOptions{}).Collect(ctx)
	require.NoError(t, err)
	assert.Len(t, devices, 30)
	releases, err := client.Releases.List(project, memfault.ReleaseListOptions{}).Collect(ctx)
	require.NoError(t, err)
	for _, release := range releases {
		assert.NotContains(t, release.Version, "verify")
	}
	deployments, err := client.Deployments.List(project, memfault.DeploymentListOptions{}).Collect(ctx)
	require.NoError(t, err)
	for _, deployment := range deployments {
		assert.False(t, deployment.Status.IsActive() && strings.Contains(deployment.Cohort.Slug, "verify"))
	}
}

func TestWrite_FakeCloud(t *testing.T) {
	cloud := newCloud(t)
	code, out := verify(t, cloud.URL, writing...)
	assert.Zero(t, code, out)
	assert.Empty(t, lines(out, "    ! "))
	assert.Empty(t, lines(out, "    - "))
	for _, operation := range []string{
		"cohorts.create", "cohorts.update", "devices.create", "devices.update", "device_attributes.update", "releases.create", "releases.update",
		"deployments.create", "deployments.update", "deployments.deactivate", "releases.delete", "devices.delete", "cohorts.delete",
	} {
		assert.Contains(t, strings.Join(lines(out, operation+" "), ""), "agrees", operation)
		assert.Positive(t, cloud.RequestCount(operation), operation)
	}
	assert.Len(t, lines(out, "already-active-status                    confirmed    the status is 409"), 1)
	assert.Len(t, lines(out, "cohort-update-fields                     refuted      a switch has the old value"), 1)
	assert.Contains(t, out, " not tried (the report has the reasons)")
	requireClean(t, cloud)
}

func TestWrite_Asks(t *testing.T) {
	for answer, code := range map[string]int{"yes\n": 0, " yes \r\n": 0, "yes": 0, "y\n": 2, "\n": 2, "": 2, "no\nyes\n": 2} {
		cloud := newCloud(t)
		var stdout, stderr bytes.Buffer
		got := run(t.Context(), []string{"-url", cloud.URL, "-rate", "0", "-write", "-project", "smart-sink"}, strings.NewReader(answer), &stdout, &stderr)
		assert.Equal(t, code, got, "%q", answer)
		assert.Contains(t, stdout.String(), "This changes project smart-sink of organization acme.")
		assert.Equal(t, code == 0, cloud.RequestCount("cohorts.create") > 0, "%q", answer)
	}
}

func TestWrite_CleansUpAfterFailures(t *testing.T) {
	for _, operation := range []string{
		"cohorts.create", "cohorts.update", "devices.create", "devices.update", "releases.create", "releases.update", "deployments.create", "deployments.update",
	} {
		for name, fault := range map[string]memfaulttest.Fault{
			"rejected":       {Status: http.StatusBadRequest},
			"failed":         {Status: http.StatusInternalServerError},
			"lost response":  {DropResponse: true},
			"broken request": {Drop: true},
		} {
			if (fault.Drop || fault.DropResponse) && !strings.HasSuffix(operation, ".create") {
				continue // the client would wait, and retry
			}
			t.Run(operation+" "+name, func(t *testing.T) {
				cloud := newCloud(t)
				fault.Operation = operation
				cloud.Fail(fault)
				_, out := verify(t, cloud.URL, writing...)
				assert.NotContains(t, out, "LEFT BEHIND")
				cloud.Heal()
				requireClean(t, cloud)
			})
		}
	}
}

func TestWrite_CleansUpAfterInterrupts(t *testing.T) {
	for _, operation := range []string{"cohorts.create", "devices.create", "releases.create", "deployments.create", "deployments.update"} {
		t.Run(operation, func(t *testing.T) {
			cloud := newCloud(t)
			ctx, cancel := context.WithCancel(t.Context())
			url := bend(t, cloud, operation, func(*response) { cancel() }) // it was carried out
			var stdout, stderr bytes.Buffer
			code := run(ctx, append([]string{"-url", url, "-rate", "0"}, writing...), nil, &stdout, &stderr)
			assert.Equal(t, 1, code)
			assert.Contains(t, stdout.String(), "The run was interrupted.")
			assert.NotContains(t, stdout.String(), "LEFT BEHIND")
			requireClean(t, cloud)
		})
	}
}

func TestWrite_ReportsLeftovers(t *testing.T) {
	cloud := newCloud(t)
	cloud.Fail(memfaulttest.Fault{Operation: "cohorts.delete", Status: http.StatusForbidden})
	code, out := verify(t, cloud.URL, writing...)
	assert.Equal(t, 1, code)
	left := lines(out, "LEFT BEHIND in project smart-sink: cohort verify-")
	require.Len(t, left, 1)
	assert.Len(t, lines(out, "devices.delete                           agrees       204"), 1, "the others are removed")
}

func TestWrite_FindsBentResponses(t *testing.T) {
	for operation, test := range map[string]struct {
		change func(*response)
		line   string
		want   []string
	}{
		"cohorts.create": {func(r *response) {
			if r.status == 200 {
				r.edit(t, items(func(item map[string]any) { item["name"] = 7 }))
			}
		}, "cohorts.create", []string{"! type data.name: want string: got integer"}},
		"releases.create": {func(r *response) {
			if r.status == 409 {
				r.status = 400
			}
		}, "check: release that exists", []string{"! status: want 409: got 400"}},
		"deployments.update": {func(r *response) { r.status = 202 }, "deployments.update", []string{"! status: want 200: got 202"}},
	} {
		t.Run(operation, func(t *testing.T) {
			cloud := newCloud(t)
			code, out := verify(t, bend(t, cloud, operation, test.change), writing...)
			assert.Equal(t, test.want, findingsOf(out, test.line), out)
			assert.Equal(t, 1, code)
			requireClean(t, cloud)
		})
	}
}

func TestRecorder_RejectsWrites(t *testing.T) {
	cloud := newCloud(t)
	r := &recorder{next: http.DefaultTransport}
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()),
		memfault.WithBaseURL(cloud.URL), memfault.WithHTTPClient(&http.Client{Transport: r}))
	require.NoError(t, err)
	_, err = client.Cohorts.Create(t.Context(), cloud.Project(), memfault.CohortCreate{Name: "x"})
	require.ErrorIs(t, err, errReadOnly)
	assert.Zero(t, cloud.RequestCount(""))
	r.allowWrites()
	_, err = client.Cohorts.Create(t.Context(), cloud.Project(), memfault.CohortCreate{Name: "x"})
	require.NoError(t, err)
	assert.Equal(t, 1, r.sent)
}
