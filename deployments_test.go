package memfault_test

import (
	"context"
	"encoding/json"
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

func TestDeployments_Lifecycle(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0+a", Revision: "r1"})
	ctx := t.Context()

	create := memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("1.0.0+a"), Cohort: "default", ExtraInfo: map[string]any{"ticket": "S-1"},
	}
	created, err := client.Deployments.Create(ctx, sink, create)
	require.NoError(t, err)
	assert.Equal(t, memfault.DeploymentStatusDone, created.Status)
	assert.True(t, created.Status.IsActive())
	assert.Equal(t, "1.0.0+a", created.Release.Version)
	assert.Equal(t, "r1", created.Release.Revision)
	assert.False(t, created.Release.IsDelta())
	assert.Equal(t, "default", created.Cohort.Slug)
	assert.Nil(t, created.Deployer, "a token is not a user")
	assert.JSONEq(t, `{"ticket":"S-1"}`, string(created.ExtraInfo))

	_, err = client.Deployments.Create(ctx, sink, create)
	var apiError *memfault.Error
	require.ErrorAs(t, err, &apiError)
	assert.Contains(t, apiError.Message, "already active")

	updated, err := client.Deployments.Update(ctx, sink, created.ID, memfault.DeploymentUpdate{ExtraInfo: memfault.Set(map[string]any{"ticket": "S-2"})})
	require.NoError(t, err)
	assert.JSONEq(t, `{"ticket":"S-2"}`, string(updated.ExtraInfo))
	got, err := client.Deployments.Get(ctx, sink, created.ID)
	require.NoError(t, err)
	assert.Equal(t, updated, got)

	cohort, err := client.Cohorts.Get(ctx, sink, "default")
	require.NoError(t, err)
	assert.Equal(t, 1, cohort.CountActiveDeployments)
	require.NotNil(t, cohort.LastDeployment)
	assert.Equal(t, "1.0.0+a", cohort.LastDeployment.Release.Version)
	project, err := client.Projects.Get(ctx, sink)
	require.NoError(t, err)
	assert.Equal(t, 1, project.CountDeployments)

	require.NoError(t, client.Deployments.DeactivateByID(ctx, sink, created.ID))
	pulled, err := client.Deployments.Get(ctx, sink, created.ID)
	require.NoError(t, err)
	assert.Equal(t, memfault.DeploymentStatusPulled, pulled.Status)
	assert.False(t, pulled.Status.IsActive())

	again, err := client.WithAuth(memfault.BasicPassword(email, password)).Deployments.Create(ctx, sink, create)
	require.NoError(t, err, "a pulled deployment must not prevent a new one")
	require.NotNil(t, again.Deployer)
	assert.Equal(t, email, again.Deployer.Email)
}

func TestDeploymentsCreate_StagedDeltaRelease(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "2.0.0", DeltaFrom: "1.0.0"})
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	for i := range 20 {
		cloud.AddDevices(memfaulttest.Device{Serial: fmt.Sprint("S", i), Cohort: "beta"})
	}
	staged, err := client.Deployments.Create(t.Context(), sink, memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeStagedRollout, Release: memfault.DeltaRelease("1.0.0", "2.0.0"), Cohort: "beta", RolloutPercent: 40,
	})
	require.NoError(t, err)
	assert.Equal(t, memfault.DeploymentTypeStagedRollout, staged.Type)
	assert.Equal(t, memfault.DeploymentStatusInProgress, staged.Status)
	assert.Equal(t, 40, staged.RolloutPercent)
	require.True(t, staged.Release.IsDelta())
	assert.Equal(t, "1.0.0", staged.Release.FromVersion.Version)
	assert.Equal(t, "2.0.0", staged.Release.ToVersion.Version)

	cohort, err := client.Cohorts.Get(t.Context(), sink, "beta")
	require.NoError(t, err)
	assert.Positive(t, cohort.CountStagedDevices)
	assert.Less(t, cohort.CountStagedDevices, 20)
	require.NotNil(t, cohort.LastDeployment)
	assert.True(t, cohort.LastDeployment.Release.IsDelta())

	raised, err := client.Deployments.Update(t.Context(), sink, staged.ID, memfault.DeploymentUpdate{RolloutPercent: memfault.Set(100)})
	require.NoError(t, err)
	assert.Equal(t, 100, raised.RolloutPercent)
}

func TestDeploymentCreate_JSON(t *testing.T) {
	for want, create := range map[string]memfault.DeploymentCreate{
		`{"type":"normal","release":"1.0.0","cohort":"beta"}`: {
			Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("1.0.0"), Cohort: "beta",
		},
		`{"type":"staged_rollout","release":["1.0.0","2.0.0"],"cohort":"beta","rollout_percent":5,"extra_info":{"a":"b"}}`: {
			Type: memfault.DeploymentTypeStagedRollout, Release: memfault.DeltaRelease("1.0.0", "2.0.0"), Cohort: "beta",
			RolloutPercent: 5, ExtraInfo: map[string]any{"a": "b"},
		},
	} {
		body, err := json.Marshal(create)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(body))
	}
	_, err := json.Marshal(memfault.ReleaseSelector{})
	require.Error(t, err)
}

func TestDeployments_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	version := memfault.ReleaseVersion("1.0.0")
	for want, create := range map[string]memfault.DeploymentCreate{
		"Type must not be empty":                                               {Release: version, Cohort: "beta"},
		"Cohort must not be empty":                                             {Type: memfault.DeploymentTypeNormal, Release: version},
		"Release must have a version":                                          {Type: memfault.DeploymentTypeNormal, Cohort: "beta"},
		"or both versions of a delta":                                          {Type: memfault.DeploymentTypeNormal, Release: memfault.DeltaRelease("1.0.0", ""), Cohort: "beta"},
		`RolloutPercent must be 0 for Type "normal"`:                           {Type: memfault.DeploymentTypeNormal, Release: version, Cohort: "beta", RolloutPercent: 5},
		"RolloutPercent must be between 1 and 100 for a staged rollout, got 0": {Type: memfault.DeploymentTypeStagedRollout, Release: version, Cohort: "beta"},
		"for a staged rollout, got 101":                                        {Type: memfault.DeploymentTypeStagedRollout, Release: version, Cohort: "beta", RolloutPercent: 101},
	} {
		_, err := client.Deployments.Create(ctx, sink, create)
		require.ErrorContains(t, err, want)
	}
	_, err := client.Deployments.Get(ctx, sink, 0)
	require.ErrorContains(t, err, "deployment_id must not be empty or less than 1")
	_, err = client.Deployments.Update(ctx, sink, -3, memfault.DeploymentUpdate{})
	require.ErrorContains(t, err, "deployment_id must not be empty or less than 1")
	require.ErrorContains(t, client.Deployments.DeactivateByID(ctx, sink, 0), "deployment_id must not be empty or less than 1")
	_, err = client.Deployments.List(sink, memfault.DeploymentListOptions{Since: memfault.NewTimestamp(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))}).Collect(ctx)
	require.ErrorContains(t, err, "out of range")
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	_, err = device.Deployments.Create(ctx, sink, memfault.DeploymentCreate{Type: memfault.DeploymentTypeNormal, Release: version, Cohort: "default"})
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	assert.Empty(t, cloud.Requests(""))
}

func TestDeployments_Errors(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
	ctx := t.Context()
	create := memfault.DeploymentCreate{Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("1.0.0"), Cohort: "default"}
	for name, change := range map[string]func(*memfault.DeploymentCreate){
		"release": func(d *memfault.DeploymentCreate) { d.Release = memfault.ReleaseVersion("9.9.9") },
		"delta":   func(d *memfault.DeploymentCreate) { d.Release = memfault.DeltaRelease("1.0.0", "9.9.9") },
		"cohort":  func(d *memfault.DeploymentCreate) { d.Cohort = "nope" },
	} {
		wrong := create
		change(&wrong)
		_, err := client.Deployments.Create(ctx, sink, wrong)
		assert.Equal(t, 1003, requireError(t, err, http.StatusNotFound).Code, name)
	}
	wrong := create
	wrong.Type = "sudden"
	_, err := client.Deployments.Create(ctx, sink, wrong)
	require.ErrorIs(t, err, memfault.ErrBadRequest, "unknown types are checked by the API")
	_, err = client.Deployments.Get(ctx, sink, 1<<40)
	require.ErrorIs(t, err, memfault.ErrNotFound)
	require.ErrorIs(t, client.Deployments.DeactivateByID(ctx, sink, 1<<40), memfault.ErrNotFound)
	_, err = client.Deployments.Create(ctx, wrongProject, create)
	assert.Equal(t, "InternalError", requireError(t, err, http.StatusInternalServerError).Type)

	cloud.Fail(memfaulttest.Fault{Operation: "deployments.create", Status: http.StatusForbidden})
	_, err = client.Deployments.Create(ctx, sink, create)
	require.ErrorIs(t, err, memfault.ErrForbidden, "a restricted token may not deploy")
	cloud.Heal()
	cloud.Fail(memfaulttest.Fault{Operation: "deployments.create", DropResponse: true})
	_, err = client.Deployments.Create(ctx, sink, create)
	require.Error(t, err)
	assert.Len(t, cloud.Requests("deployments.create"), 7, "a POST that may have been carried out must not be retried")
}

func TestDeploymentsList_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	start := time.Date(2025, 2, 27, 12, 0, 0, 0, time.UTC)
	now := start
	cloud.SetClock(func() time.Time { return now })
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddDevices(memfaulttest.Device{Serial: "A", Cohort: "beta"})
	cloud.AddReleases(memfaulttest.Release{Version: "2.0.0+b", DeltaFrom: "1.0.0"})
	for _, create := range []memfault.DeploymentCreate{
		{Cohort: "default", Release: memfault.ReleaseVersion("1.0.0")},
		{Cohort: "beta", Release: memfault.ReleaseVersion("2.0.0+b")},
		{Cohort: "beta", Release: memfault.DeltaRelease("1.0.0", "2.0.0+b")},
	} {
		create.Type = memfault.DeploymentTypeNormal
		_, err := client.Deployments.Create(t.Context(), sink, create)
		require.NoError(t, err)
		now = now.Add(time.Hour)
	}
	const first, second, third = "default 1.0.0", "beta 2.0.0+b", "beta delta"
	at := func(hours int) memfault.Timestamp {
		return memfault.NewTimestamp(start.Add(time.Duration(hours) * time.Hour))
	}
	for name, c := range map[string]struct {
		options memfault.DeploymentListOptions
		want    []string
	}{
		"the newest first, page by page": {memfault.DeploymentListOptions{ListOptions: memfault.ListOptions{PerPage: 2}}, []string{third, second, first}},
		"ascending":                      {memfault.DeploymentListOptions{ListOptions: memfault.ListOptions{Sort: memfault.SortDeployedDate}}, []string{first, second, third}},
		"release":                        {memfault.DeploymentListOptions{Release: []string{"1.0.0", "2.0.0+b"}}, []string{second, first}},
		"cohort":                         {memfault.DeploymentListOptions{Cohort: []string{"beta"}}, []string{third, second}},
		"delta":                          {memfault.DeploymentListOptions{DeltaFrom: "1.0.0", DeltaTo: "2.0.0+b"}, []string{third}},
		"since":                          {memfault.DeploymentListOptions{Since: at(1)}, []string{third, second}},
		"until":                          {memfault.DeploymentListOptions{Until: at(1)}, []string{second, first}},
	} {
		t.Run(name, func(t *testing.T) {
			deployments, err := client.Deployments.List(sink, c.options).Collect(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.want, namesOf(deployments, func(d memfault.Deployment) string {
				if d.Release.IsDelta() {
					return d.Cohort.Slug + " delta"
				}
				return d.Cohort.Slug + " " + d.Release.Version
			}))
		})
	}
}

func ExampleDeploymentsService_Create_stagedRollout() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddReleases(memfaulttest.Release{Version: "1.4.0"})
	client := cloud.Client(nil)

	deployment, err := client.Deployments.Create(context.Background(), cloud.Project(), memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeStagedRollout, RolloutPercent: 10,
		Release: memfault.ReleaseVersion("1.4.0"), Cohort: "default",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(deployment.Release.Version, deployment.Status, deployment.RolloutPercent)
	// Output:
	// 1.4.0 in_progress 10
}
