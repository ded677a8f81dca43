package memfault_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestDeploymentsEnsure_ReturnsActiveDeployment(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "2.0.0", DeltaFrom: "1.0.0"})
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	deploy(t, client, "2.0.0") // on another cohort
	for name, create := range map[string]memfault.DeploymentCreate{
		"normal": {Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("2.0.0")},
		"delta":  {Type: memfault.DeploymentTypeNormal, Release: memfault.DeltaRelease("1.0.0", "2.0.0")},
		"staged": {Type: memfault.DeploymentTypeStagedRollout, Release: memfault.ReleaseVersion("1.0.0"), RolloutPercent: 40},
	} {
		t.Run(name, func(t *testing.T) {
			create.Cohort = "beta"
			first, err := client.Deployments.Ensure(t.Context(), sink, create)
			require.NoError(t, err)
			create.ExtraInfo = map[string]any{"run": 2}
			second, err := client.Deployments.Ensure(t.Context(), sink, create)
			require.NoError(t, err)
			assert.Equal(t, first, second)

			require.NoError(t, client.Deployments.DeactivateByID(t.Context(), sink, first.ID))
			third, err := client.Deployments.Ensure(t.Context(), sink, create)
			require.NoError(t, err)
			assert.NotEqual(t, first.ID, third.ID, "a pulled deployment is not active")
			fourth, err := client.Deployments.Ensure(t.Context(), sink, create)
			require.NoError(t, err)
			assert.Equal(t, third.ID, fourth.ID)
		})
	}
}

// The request is not retried, because a second deployment could be created.
func TestDeploymentsEnsure_LostResponse(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "2.0.0"})
	create := memfault.DeploymentCreate{Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("2.0.0"), Cohort: "default"}
	cloud.Fail(memfaulttest.Fault{Operation: "deployments.create", Times: 1, Drop: true})
	_, err := client.Deployments.Ensure(t.Context(), sink, create)
	require.ErrorIs(t, err, memfault.ErrNoAnswer, "it was not carried out")

	cloud.Fail(memfaulttest.Fault{Operation: "deployments.create", Times: 1, DropResponse: true})
	deployment, err := client.Deployments.Ensure(t.Context(), sink, create)
	require.NoError(t, err)
	assert.Equal(t, "2.0.0", deployment.Release.Version)
	assert.Equal(t, 2, cloud.RequestCount("deployments.create"))

	require.NoError(t, client.Deployments.DeactivateByID(t.Context(), sink, deployment.ID))
	cloud.Fail(memfaulttest.Fault{Operation: "deployments.create", DropResponse: true})
	cloud.Fail(memfaulttest.Fault{Operation: "deployments.list", Status: http.StatusForbidden})
	_, err = client.Deployments.Ensure(t.Context(), sink, create)
	require.ErrorIs(t, err, memfault.ErrNoAnswer, "of the deployment, not of the list")
}

func TestDeploymentsEnsure_RejectsAnotherForm(t *testing.T) {
	_, client := newCloud(t)
	normal := memfault.DeploymentCreate{Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("1.0.0"), Cohort: "default"}
	staged := memfault.DeploymentCreate{Type: memfault.DeploymentTypeStagedRollout, Release: normal.Release, Cohort: "default", RolloutPercent: 10}
	more := staged
	more.RolloutPercent = 50
	for name, test := range map[string]struct {
		active, create memfault.DeploymentCreate
		text           string
	}{
		"staged instead of normal": {staged, normal, "with type staged_rollout at 10%, want type normal"},
		"normal instead of staged": {normal, staged, "with type normal, want type staged_rollout at 10%"},
		"another percentage":       {staged, more, "with type staged_rollout at 10%, want type staged_rollout at 50%"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
			active, err := client.Deployments.Ensure(t.Context(), sink, test.active)
			require.NoError(t, err)
			deployment, err := client.Deployments.Ensure(t.Context(), sink, test.create)
			assert.Nil(t, deployment)
			require.ErrorIs(t, err, memfault.ErrConflict)
			require.EqualError(t, err, fmt.Sprintf("memfault: deployment %d of 1.0.0 is already active on cohort default ", active.ID)+test.text)
			var mismatch *memfault.DeploymentMismatchError
			require.ErrorAs(t, err, &mismatch)
			assert.Equal(t, *active, mismatch.Active)
			assert.Equal(t, test.create, mismatch.Create)
			assert.Empty(t, cloud.Requests("deployments.update"))
			assert.Empty(t, cloud.Requests("deployments.deactivate"))
		})
	}
	_, err := client.Deployments.Ensure(t.Context(), sink, memfault.DeploymentCreate{})
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
}

// newDeploymentServer rejects a deployment with a response, and lists deployments.
func newDeploymentServer(t *testing.T, status int, body string, deployments ...string) *memfault.Client {
	t.Helper()
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
		_, _ = fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(deployments, ","))
	})
	return client
}

func TestDeploymentsEnsure_Rejections(t *testing.T) {
	entry := func(id int, status, release, cohort string) string {
		return fmt.Sprintf(`{"id":%d,"type":"normal","rollout_percent":100,"status":%q,"release":{"version":%q},"cohort":{"slug":%q}}`, id, status, release, cohort)
	}
	staged := `{"id":8,"type":"staged_rollout","rollout_percent":5,"status":"in_progress","release":{"version":"1.0.0"},"cohort":{"slug":"beta"}}`
	const alreadyActive = `{"error":{"message":"Release is Already Active on this cohort","http_code":400}}`
	const inDetails = `{"error":{"message":{"release":["already active"]}}}`
	others := []string{entry(1, "pulled", "1.0.0", "beta"), entry(2, "aborted", "1.0.0", "beta"), entry(3, "done", "1.0.1", "beta"), entry(4, "done", "1.0.0", "alpha")}
	create := memfault.DeploymentCreate{Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("1.0.0"), Cohort: "beta"}
	for name, test := range map[string]struct {
		status int
		body   string
		listed []string
		id     int64
		is     error
	}{
		"409":                        {409, "", append(others, entry(7, "done", "1.0.0", "beta")), 7, nil},
		"400 with the text":          {400, alreadyActive, []string{entry(7, "in_progress", "1.0.0", "beta")}, 7, nil},
		"400 with the text in parts": {400, inDetails, []string{entry(7, "done", "1.0.0", "")}, 7, nil},
		"unknown status":             {409, "", []string{entry(7, "paused", "1.0.0", "beta")}, 7, nil},
		"one of two forms":           {409, "", []string{staged, entry(7, "done", "1.0.0", "beta")}, 7, nil},
		"another form":               {409, "", []string{staged}, 0, memfault.ErrConflict},
		"none active":                {409, "", others, 0, memfault.ErrConflict},
		"none active, 400":           {400, alreadyActive, others, 0, memfault.ErrBadRequest},
		"other 400":                  {400, `{"error":{"message":"no"}}`, []string{entry(7, "done", "1.0.0", "beta")}, 0, memfault.ErrBadRequest},
		"403":                        {403, "", []string{entry(7, "done", "1.0.0", "beta")}, 0, memfault.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			deployment, err := newDeploymentServer(t, test.status, test.body, test.listed...).Deployments.Ensure(t.Context(), sink, create)
			require.ErrorIs(t, err, test.is)
			assert.Equal(t, test.id == 0, deployment == nil)
			if test.id != 0 {
				assert.Equal(t, test.id, deployment.ID)
			}
		})
	}
	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.Fault{Operation: "deployments.create", Status: http.StatusConflict})
	cloud.Fail(memfaulttest.Fault{Operation: "deployments.list", Status: http.StatusForbidden})
	_, err := client.Deployments.Ensure(t.Context(), sink, create)
	require.ErrorIs(t, err, memfault.ErrForbidden)
}

func TestDeploymentsActive_HighestVersionFirst(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	for _, version := range []string{"nightly-7", "2.0.0+old", "10.0.0", "2.0.0+new", "2.0.0-rc.1", "v30", "50.0.0", "60.0.0", "70.0.0"} {
		cloud.AddReleases(memfaulttest.Release{Version: version})
	}
	cloud.AddReleases(memfaulttest.Release{Version: "9.1.0", DeltaFrom: "1.0.0"})
	cloud.AddDeployments(
		memfaulttest.Deployment{Release: "nightly-7"},
		memfaulttest.Deployment{Release: "2.0.0+old"},
		memfaulttest.Deployment{Release: "10.0.0", RolloutPercent: 5},
		memfaulttest.Deployment{Release: "2.0.0+new"},
		memfaulttest.Deployment{Release: "2.0.0-rc.1", Status: "paused"},
		memfaulttest.Deployment{Release: "v30"},
		memfaulttest.Deployment{Release: "9.1.0", DeltaFrom: "1.0.0"},
		memfaulttest.Deployment{Release: "50.0.0", Status: "pulled"},
		memfaulttest.Deployment{Release: "60.0.0", Status: "aborted"},
		memfaulttest.Deployment{Release: "70.0.0", Cohort: "beta"},
	)
	active, err := client.Deployments.Active(t.Context(), sink, "default")
	require.NoError(t, err)
	versions := namesOf(active, func(d memfault.Deployment) string {
		if d.Release.IsDelta() {
			return "to " + d.Release.ToVersion.Version
		}
		return d.Release.Version
	})
	assert.Equal(t, []string{"10.0.0", "to 9.1.0", "2.0.0+new", "2.0.0+old", "2.0.0-rc.1", "v30", "nightly-7"}, versions)

	none, err := client.Deployments.Active(t.Context(), sink, "no-such-cohort")
	require.NoError(t, err)
	assert.Empty(t, none)
	sent := len(cloud.Requests(""))
	_, err = client.Deployments.Active(t.Context(), sink, "")
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	assert.Len(t, cloud.Requests(""), sent)
	cloud.Fail(memfaulttest.Fault{Status: http.StatusForbidden})
	_, err = client.Deployments.Active(t.Context(), sink, "default")
	require.ErrorIs(t, err, memfault.ErrForbidden)
}

func TestDeploymentsActive_FilterIgnoredAndRepeatedItems(t *testing.T) {
	entry := `{"id":%d,"status":"done","release":{"version":%q},"cohort":{"slug":%q}}`
	one := fmt.Sprintf(entry, 1, "1.0.0", "beta")
	client := newDeploymentServer(t, 0, "", one, fmt.Sprintf(entry, 2, "9.0.0", "alpha"), one, fmt.Sprintf(entry, 3, "1.0.0", ""))
	active, err := client.Deployments.Active(t.Context(), sink, "beta")
	require.NoError(t, err)
	assert.Equal(t, []int64{3, 1}, []int64{active[0].ID, active[1].ID})
	assert.Len(t, active, 2)
}

func TestDeploymentStatus_IsActive(t *testing.T) {
	for status, want := range map[memfault.DeploymentStatus]bool{
		memfault.DeploymentStatusDone: true, memfault.DeploymentStatusInProgress: true, "paused": true,
		memfault.DeploymentStatusPulled: false, memfault.DeploymentStatusAborted: false,
	} {
		assert.Equal(t, want, status.IsActive(), status)
	}
}

func TestSetRolloutPercent(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"}, memfaulttest.Release{Version: "2.0.0"})
	ids := cloud.AddDeployments(memfaulttest.Deployment{Release: "1.0.0", RolloutPercent: 10}, memfaulttest.Deployment{Release: "2.0.0"})
	raised, err := client.Deployments.SetRolloutPercent(t.Context(), sink, ids[0], 50)
	require.NoError(t, err)
	assert.Equal(t, 50, raised.RolloutPercent)
	requests := cloud.Requests("deployments.update")
	require.Len(t, requests, 1)
	assert.JSONEq(t, `{"rollout_percent":50}`, string(requests[0].Body))

	_, err = client.Deployments.SetRolloutPercent(t.Context(), sink, ids[1], 50)
	require.ErrorIs(t, err, memfault.ErrUnexpectedResponse, "a normal deployment has no percentage")
	for _, percent := range []int{-1, 0, 101} {
		_, err = client.Deployments.SetRolloutPercent(t.Context(), sink, ids[0], percent)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	}
	assert.Len(t, cloud.Requests("deployments.update"), 2)
	_, err = client.Deployments.SetRolloutPercent(t.Context(), sink, 1<<40, 50)
	require.ErrorIs(t, err, memfault.ErrNotFound)
}

func TestSetRolloutPercent_IgnoredByMemfault(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"id":7,"type":"staged_rollout","rollout_percent":10}}`)
	})
	deployment, err := client.Deployments.SetRolloutPercent(t.Context(), sink, 7, 50)
	assert.Nil(t, deployment)
	require.ErrorIs(t, err, memfault.ErrUnexpectedResponse)
	require.EqualError(t, err, "memfault: SetRolloutPercent: deployment 7 has type staged_rollout at 10%, want type staged_rollout at 50%")
}

// A CI job that may run twice deploys a release, and shows what devices are offered before it.
func ExampleDeploymentsService_Ensure_jobRunTwice() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddReleases(memfaulttest.Release{Version: "1.4.0"}, memfaulttest.Release{Version: "1.5.0-test"})
	cloud.AddDeployments(memfaulttest.Deployment{Release: "1.5.0-test"}) // not deactivated in time
	client, ctx := cloud.Client(nil), context.Background()

	for range 2 {
		deployment, err := client.Deployments.Ensure(ctx, cloud.Project(), memfault.DeploymentCreate{
			Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("1.4.0"), Cohort: "default",
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("deployed:", deployment.Release.Version, deployment.Status)
	}
	active, err := client.Deployments.Active(ctx, cloud.Project(), "default")
	if err != nil {
		log.Fatal(err)
	}
	for _, deployment := range active {
		fmt.Println("active:", deployment.Release.Version)
	}
	// Output:
	// deployed: 1.4.0 done
	// deployed: 1.4.0 done
	// active: 1.5.0-test
	// active: 1.4.0
}

func TestEnsureRollout(t *testing.T) {
	staged := func(percent int) memfault.DeploymentCreate {
		return memfault.DeploymentCreate{
			Type: memfault.DeploymentTypeStagedRollout, RolloutPercent: percent, Release: memfault.ReleaseVersion("1.0.0"), Cohort: "default",
		}
	}
	for name, test := range map[string]struct {
		active  []memfaulttest.Deployment
		options memfault.RolloutOptions
		reject  bool // changes
		percent int
		want    int // percentage of the result; 100 for a full deployment
		kind    error
		sent    []string // writing operations
	}{
		"created":              {percent: 10, want: 10, sent: []string{"deployments.create"}},
		"raised":               {active: []memfaulttest.Deployment{{Release: "1.0.0", RolloutPercent: 10}}, percent: 50, want: 50, sent: []string{"deployments.update"}},
		"unchanged":            {active: []memfaulttest.Deployment{{Release: "1.0.0", RolloutPercent: 50}}, percent: 50, want: 50},
		"never lowered":        {active: []memfaulttest.Deployment{{Release: "1.0.0", RolloutPercent: 50}}, percent: 10, want: 50},
		"full stays full":      {active: []memfaulttest.Deployment{{Release: "1.0.0"}}, options: memfault.RolloutOptions{Replace: true}, percent: 50, want: 100},
		"of another release":   {active: []memfaulttest.Deployment{{Release: "0.9.0", RolloutPercent: 50}}, percent: 10, want: 10, sent: []string{"deployments.create"}},
		"rejected":             {active: []memfaulttest.Deployment{{Release: "1.0.0", RolloutPercent: 10}}, reject: true, percent: 50, kind: memfault.ErrBadRequest, sent: []string{"deployments.update"}},
		"rejected, not needed": {active: []memfaulttest.Deployment{{Release: "1.0.0", RolloutPercent: 50}}, reject: true, percent: 50, want: 50},
		"replaced": {
			active: []memfaulttest.Deployment{{Release: "1.0.0", RolloutPercent: 10}}, options: memfault.RolloutOptions{Replace: true}, reject: true, percent: 50, want: 50,
			sent: []string{"deployments.update", "deployments.deactivate", "deployments.create"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newCloud(t)
			cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"}, memfaulttest.Release{Version: "0.9.0"})
			cloud.AddDeployments(test.active...)
			if test.reject {
				cloud.Fail(memfaulttest.Fault{Operation: "deployments.update", Status: http.StatusBadRequest})
			}
			got, err := client.Deployments.EnsureRollout(t.Context(), sink, staged(test.percent), test.options)
			var sent []string
			for _, request := range cloud.Requests("") {
				if request.Method != http.MethodGet {
					sent = append(sent, request.Operation)
				}
			}
			assert.Equal(t, test.sent, sent)
			if test.kind != nil {
				require.ErrorIs(t, err, test.kind)
				return
			}
			require.NoError(t, err)
			assert.True(t, got.Status.IsActive())
			if test.want == 100 {
				assert.Equal(t, memfault.DeploymentTypeNormal, got.Type)
			} else {
				assert.Equal(t, test.want, got.RolloutPercent)
			}
			again, err := client.Deployments.EnsureRollout(t.Context(), sink, staged(test.percent), test.options)
			require.NoError(t, err)
			assert.Equal(t, got.ID, again.ID, "safe to call again")
		})
	}
}

// A temporary failure is not a rejection: nothing is replaced.
func TestEnsureRollout_TemporaryFailureReplacesNothing(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
	cloud.AddDeployments(memfaulttest.Deployment{Release: "1.0.0", RolloutPercent: 10})
	create := memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeStagedRollout, RolloutPercent: 50, Release: memfault.ReleaseVersion("1.0.0"), Cohort: "default",
	}
	for _, status := range []int{403, 429, 500, 503} {
		cloud.Fail(memfaulttest.Fault{Operation: "deployments.update", Status: status})
		_, err := client.Deployments.EnsureRollout(t.Context(), sink, create, memfault.RolloutOptions{Replace: true}, memfault.WithoutRetry())
		requireError(t, err, status)
		cloud.Heal()
	}
	assert.Zero(t, cloud.RequestCount("deployments.deactivate"))
	_, err := client.Deployments.EnsureRollout(t.Context(), sink, memfault.DeploymentCreate{Type: memfault.DeploymentTypeNormal}, memfault.RolloutOptions{})
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
}

// A job takes a staged rollout to half of the devices. Whether Memfault allows it to change
// the percentage is not known. If not, the release is deployed again.
func ExampleDeploymentsService_EnsureRollout() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddReleases(memfaulttest.Release{Version: "1.4.0"})
	cloud.AddDeployments(memfaulttest.Deployment{Release: "1.4.0", RolloutPercent: 10})
	client, project := cloud.Client(nil), cloud.Project()

	deployment, err := client.Deployments.EnsureRollout(context.Background(), project, memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeStagedRollout, RolloutPercent: 50, Release: memfault.ReleaseVersion("1.4.0"), Cohort: "default",
	}, memfault.RolloutOptions{Replace: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("now at", deployment.RolloutPercent, "percent")
	// Output: now at 50 percent
}
