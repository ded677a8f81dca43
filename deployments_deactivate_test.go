package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestDeactivate_PullsActiveDeployment(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	cloud.AddReleases(memfaulttest.Release{Version: "2.0.0+b", DeltaFrom: "1.0.0"})
	deploy(t, client, "1.0.0")
	whole := deploy(t, client, "2.0.0+b")
	delta, err := client.Deployments.Create(ctx, sink, memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeNormal, Release: memfault.DeltaRelease("1.0.0", "2.0.0+b"), Cohort: "default",
	})
	require.NoError(t, err)

	for selected, want := range map[memfault.ReleaseSelector]*memfault.Deployment{
		memfault.ReleaseVersion("2.0.0+b"):        whole,
		memfault.DeltaRelease("1.0.0", "2.0.0+b"): delta,
	} {
		selector := memfault.DeploymentSelector{Cohort: "default", Release: selected}
		pulled, err := client.Deployments.Deactivate(ctx, sink, selector)
		require.NoError(t, err)
		assert.Equal(t, want, pulled)
		now, err := client.Deployments.Get(ctx, sink, want.ID)
		require.NoError(t, err)
		assert.Equal(t, memfault.DeploymentStatusPulled, now.Status)

		_, err = client.Deployments.Deactivate(ctx, sink, selector)
		var selection *memfault.DeploymentSelectionError
		require.ErrorAs(t, err, &selection)
		require.ErrorIs(t, err, memfault.ErrNotFound)
		require.NotErrorIs(t, err, memfault.ErrConflict)
		assert.Equal(t, selector, selection.Selector)
		require.Len(t, selection.Found, 1)
		require.ErrorContains(t, err, fmt.Sprintf("memfault: expected 1 active deployment of %s on cohort default, got 0; found: %d (pulled)", selected, want.ID))
	}
	_, err = client.Deployments.Deactivate(ctx, sink, memfault.DeploymentSelector{Cohort: "default", Release: memfault.ReleaseVersion("9.9.9")})
	require.ErrorContains(t, err, "found: none")
	assert.Len(t, cloud.Requests("deployments.deactivate"), 2)
}

func TestDeactivate_IgnoresOtherDeployments(t *testing.T) {
	const entry = `{"id":%d,"status":"%s","release":%s,"cohort":{"id":1,"name":"Beta","slug":"%s"}}`
	one := fmt.Sprintf(entry, 1, "done", `{"id":3,"version":"1.0.0","revision":""}`, "beta")
	again := fmt.Sprintf(entry, 2, "in_progress", `"1.0.0"`, "beta")
	for name, c := range map[string]struct {
		list    string
		deletes int
		is      error
	}{
		"one":          {one, 1, nil},
		"seen twice":   {one + "," + one, 1, nil},
		"two":          {one + "," + again, 0, memfault.ErrConflict},
		"other cohort": {fmt.Sprintf(entry, 1, "done", `"1.0.0"`, "alpha"), 0, memfault.ErrNotFound},
		"other":        {fmt.Sprintf(entry, 1, "done", `"1.0.1"`, "beta"), 0, memfault.ErrNotFound},
		"delta to it":  {fmt.Sprintf(entry, 1, "done", `["0.9.0","1.0.0"]`, "beta"), 0, memfault.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			deletes := 0
			_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodDelete {
					deletes++
					w.WriteHeader(http.StatusNoContent)
					return
				}
				_, _ = fmt.Fprintf(w, `{"data":[%s]}`, c.list)
			})
			_, err := client.Deployments.Deactivate(t.Context(), sink, memfault.DeploymentSelector{Cohort: "beta", Release: memfault.ReleaseVersion("1.0.0")})
			require.ErrorIs(t, err, c.is)
			assert.Equal(t, c.deletes, deletes)
		})
	}
}

func TestDeactivate_Errors(t *testing.T) {
	cloud, client := newCloud(t)
	for _, selector := range []memfault.DeploymentSelector{
		{Release: memfault.ReleaseVersion("1.0.0")}, {Cohort: "default"}, {Cohort: "default", Release: memfault.DeltaRelease("", "2.0.0")},
	} {
		_, err := client.Deployments.Deactivate(t.Context(), sink, selector)
		require.ErrorContains(t, err, "DeploymentSelector")
	}
	assert.Empty(t, cloud.Requests(""))

	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
	deploy(t, client, "1.0.0")
	selector := memfault.DeploymentSelector{Cohort: "default", Release: memfault.ReleaseVersion("1.0.0")}
	for _, operation := range []string{"deployments.list", "deployments.deactivate"} {
		cloud.Fail(memfaulttest.Fault{Operation: operation, Status: http.StatusForbidden})
		deployment, err := client.Deployments.Deactivate(t.Context(), sink, selector)
		require.ErrorIs(t, err, memfault.ErrForbidden)
		assert.Nil(t, deployment)
		cloud.Heal()
	}
	_, err := client.Deployments.Deactivate(t.Context(), wrongProject, selector)
	_ = requireError(t, err, http.StatusInternalServerError)
}

func ExampleDeploymentsService_Deactivate_runTwice() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddReleases(memfaulttest.Release{Version: "1.4.0"})
	client := cloud.Client(nil)
	ctx := context.Background()
	release := memfault.ReleaseVersion("1.4.0")
	if _, err := client.Deployments.Create(ctx, cloud.Project(), memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeNormal, Release: release, Cohort: "default",
	}); err != nil {
		log.Fatal(err)
	}

	for range 2 {
		deployment, err := client.Deployments.Deactivate(ctx, cloud.Project(), memfault.DeploymentSelector{Cohort: "default", Release: release})
		switch {
		case errors.Is(err, memfault.ErrNotFound):
			fmt.Println("not active")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println("deactivated", deployment.Release.Version)
		}
	}
	// Output:
	// deactivated 1.4.0
	// not active
}
