package memfault_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// firmware returns a release with a file for the hardware version evt-1.
func firmware(version string) memfaulttest.Release {
	return memfaulttest.Release{Version: version, Artifacts: []memfaulttest.Artifact{{Filename: version + ".bin", Content: []byte("firmware " + version)}}}
}

// deploy deploys a release to the cohort default.
func deploy(t testing.TB, client *memfault.Client, version string) *memfault.Deployment {
	t.Helper()
	deployment, err := client.Deployments.Create(t.Context(), sink, memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion(version), Cohort: "default",
	})
	require.NoError(t, err)
	return deployment
}

func latestQuery(current string) memfault.LatestReleaseQuery {
	return memfault.LatestReleaseQuery{DeviceSerial: "A 1", HardwareVersion: "evt-1", SoftwareType: "main", CurrentVersion: current}
}

func TestReleasesLatest_HighestActiveVersion(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddDevices(memfaulttest.Device{Serial: "A 1"}, memfaulttest.Device{Serial: "B", Cohort: "beta"})
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	for _, version := range []string{"2.0.4", "2.0.4-test", "1.0.0+8219de"} {
		cloud.AddReleases(firmware(version))
		deploy(t, client, version)
	}

	latest, err := device.Releases.Latest(t.Context(), latestQuery("1.0.0+8219de"))
	require.NoError(t, err)
	assert.True(t, latest.UpdateAvailable)
	assert.Equal(t, "latest", latest.Reason)
	assert.Equal(t, "2.0.4", latest.Version)
	require.Len(t, latest.Artifacts, 1)
	file := latest.Artifacts[0]
	assert.Equal(t, "evt-1", file.HardwareVersion.Name)
	assert.Equal(t, int64(len("firmware 2.0.4")), file.FileSize)
	assert.Len(t, file.MD5, 32)
	assert.Len(t, file.SHA1, 40)
	assert.Len(t, file.SHA256, 64)

	upToDate, err := device.Releases.Latest(t.Context(), latestQuery("2.0.4"))
	require.NoError(t, err)
	assert.Equal(t, &memfault.LatestRelease{Reason: "latest"}, upToDate)

	_, err = client.Deployments.Deactivate(t.Context(), sink, memfault.DeploymentSelector{Cohort: "default", Release: memfault.ReleaseVersion("2.0.4")})
	require.NoError(t, err)
	legacy := memfault.LatestReleaseQuery{DeviceSerial: "A 1", HardwareVersion: "evt-1"}
	latest, err = device.Releases.Latest(t.Context(), legacy)
	require.NoError(t, err)
	assert.Equal(t, "2.0.4-test", latest.Version)
	seen := cloud.Requests("releases.latest")
	assert.NotContains(t, seen[len(seen)-1].Query, "software_type")
	assert.Equal(t, "1.0.0+8219de", seen[0].Query.Get("current_version"))

	other := memfault.LatestReleaseQuery{DeviceSerial: "B", HardwareVersion: "evt-1", SoftwareType: "main"}
	latest, err = device.Releases.Latest(t.Context(), other)
	require.NoError(t, err)
	assert.False(t, latest.UpdateAvailable, "nothing was deployed to its cohort")
}

func TestReleasesLatest_DeltaRelease(t *testing.T) {
	cloud, client := newCloud(t)
	delta := firmware("2.0.0")
	delta.DeltaFrom = "1.0.0"
	cloud.AddReleases(delta)
	_, err := client.Deployments.Create(t.Context(), sink, memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeStagedRollout, RolloutPercent: 100, Release: memfault.DeltaRelease("1.0.0", "2.0.0"), Cohort: "default",
	})
	require.NoError(t, err)
	device := client.WithAuth(memfault.ProjectKey(projectKey))

	latest, err := device.Releases.Latest(t.Context(), latestQuery("1.0.0"))
	require.NoError(t, err)
	assert.True(t, latest.IsDelta)
	assert.Equal(t, "2.0.0", latest.Version)
	latest, err = device.Releases.Latest(t.Context(), latestQuery("0.9.0"))
	require.NoError(t, err)
	assert.False(t, latest.UpdateAvailable, "the delta is for another version")
}

func TestReleasesLatest_OnlyForDevice(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddSoftwareVersions(memfaulttest.SoftwareVersion{SoftwareType: "modem", Version: "3.0.0"})
	modem, symbols := firmware("3.0.0"), firmware("2.0.0")
	modem.SoftwareType, symbols.Artifacts[0].Type = "modem", "symbols"
	for _, release := range []memfaulttest.Release{firmware("1.0.0"), symbols, modem, firmware("4.0.0")} {
		cloud.AddReleases(release)
	}
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0"} {
		deploy(t, client, version)
	}
	staged, err := client.Deployments.Create(t.Context(), sink, memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeStagedRollout, RolloutPercent: 1, Release: memfault.ReleaseVersion("4.0.0"), Cohort: "default",
	})
	require.NoError(t, err)
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	offered := func() string {
		latest, err := device.Releases.Latest(t.Context(), latestQuery(""))
		require.NoError(t, err)
		return latest.Version
	}
	assert.Equal(t, "1.0.0", offered(), "the others are for another type, without firmware, or staged for other devices")
	_, err = client.Deployments.Update(t.Context(), sink, staged.ID, memfault.DeploymentUpdate{RolloutPercent: memfault.Set(100)})
	require.NoError(t, err)
	assert.Equal(t, "4.0.0", offered())
}

func TestReleasesDelete_BaseOfDeployedDelta(t *testing.T) {
	cloud, client := newCloud(t)
	delta := firmware("2.0.0")
	delta.DeltaFrom = "1.0.0"
	cloud.AddReleases(delta)
	_, err := client.Deployments.Create(t.Context(), sink, memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeNormal, Release: memfault.DeltaRelease("1.0.0", "2.0.0"), Cohort: "default",
	})
	require.NoError(t, err)
	require.ErrorIs(t, client.Releases.Delete(t.Context(), sink, "1.0.0"), memfault.ErrConflict)
}

func TestReleasesLatestURL_JSONAndText(t *testing.T) {
	cloud, client := newCloud(t)
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	nothing, err := device.Releases.LatestURL(t.Context(), latestQuery(""))
	require.NoError(t, err)
	assert.Equal(t, &memfault.LatestReleaseURL{Reason: "latest"}, nothing)

	cloud.AddReleases(firmware("1.0.0"))
	deploy(t, client, "1.0.0")
	asJSON, err := device.Releases.LatestURL(t.Context(), latestQuery(""))
	require.NoError(t, err)
	assert.True(t, asJSON.UpdateAvailable)
	assert.True(t, strings.HasSuffix(asJSON.URL, "/1.0.0.bin"), asJSON.URL)

	asText, err := device.Releases.LatestURL(t.Context(), latestQuery(""), memfault.WithHeader("Accept", "text/plain"))
	require.NoError(t, err)
	assert.Equal(t, asJSON, asText)
}

func TestReleasesLatest_RateLimited(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(firmware("1.0.0"))
	deploy(t, client, "1.0.0")
	cloud.RateLimitLatest("A 1")
	device := client.WithAuth(memfault.ProjectKey(projectKey))

	var response memfault.Response
	latest, err := device.Releases.Latest(t.Context(), latestQuery(""), memfault.WithResponse(&response))
	require.ErrorIs(t, err, memfault.ErrRateLimited)
	assert.Nil(t, latest)
	apiError := requireError(t, err, http.StatusNoContent)
	assert.Equal(t, "releases.latest", apiError.Operation)
	assert.Equal(t, response.RequestID, apiError.RequestID)
	assert.Equal(t, 1, response.Attempts)

	_, err = device.Releases.LatestURL(t.Context(), latestQuery(""))
	require.ErrorIs(t, err, memfault.ErrRateLimited)

	cloud.Fail(memfaulttest.Fault{Status: http.StatusTooManyRequests})
	_, err = device.Releases.Latest(t.Context(), latestQuery(""), memfault.WithoutRetry())
	require.ErrorIs(t, err, memfault.ErrRateLimited, "Memfault also sends a 429")
}

func TestReleasesLatest_Errors(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	device := client.WithAuth(memfault.ProjectKey(projectKey))

	_, err := device.Releases.Latest(ctx, memfault.LatestReleaseQuery{HardwareVersion: "evt-1"})
	require.ErrorContains(t, err, "DeviceSerial must not be empty")
	_, err = device.Releases.LatestURL(ctx, memfault.LatestReleaseQuery{DeviceSerial: "A"})
	require.ErrorContains(t, err, "HardwareVersion must not be empty")
	_, err = client.Releases.Latest(ctx, latestQuery(""))
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	_, err = client.Releases.LatestURL(ctx, latestQuery(""))
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	assert.Empty(t, cloud.Requests(""))

	_, err = device.Releases.Latest(ctx, memfault.LatestReleaseQuery{DeviceSerial: "A", HardwareVersion: "nope"})
	require.ErrorIs(t, err, memfault.ErrBadRequest)
	_, err = device.Releases.Latest(ctx, memfault.LatestReleaseQuery{DeviceSerial: "A", HardwareVersion: "evt-1", SoftwareType: "nope"})
	require.ErrorIs(t, err, memfault.ErrBadRequest)
	_, err = client.WithAuth(memfault.ProjectKey("wrong")).Releases.Latest(ctx, latestQuery(""))
	require.ErrorIs(t, err, memfault.ErrForbidden)
	cloud.Fail(memfaulttest.Fault{Status: http.StatusServiceUnavailable, RetryAfter: "3600"})
	_, err = device.Releases.Latest(ctx, latestQuery(""))
	require.ErrorIs(t, err, memfault.ErrUnavailable)
}

func TestReleasesLatest_OtherResponses(t *testing.T) {
	var status int
	var header http.Header
	var body string
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	device := client.WithAuth(memfault.ProjectKey("key"))

	status, header, body = http.StatusOK, http.Header{"Memfault-Reason": {"cohort_settings"}}, `{"id":1,"version":"1.0.0","reason":"latest"}`
	latest, err := device.Releases.Latest(t.Context(), latestQuery(""))
	require.NoError(t, err)
	assert.Equal(t, "cohort_settings", latest.Reason, "the header must win over the body")
	assert.Equal(t, "latest", latest.Release.Reason)

	status, header, body = http.StatusNoContent, http.Header{}, ""
	latest, err = device.Releases.Latest(t.Context(), latestQuery(""))
	require.NoError(t, err)
	assert.False(t, latest.UpdateAvailable)
	assert.Empty(t, latest.Reason)

	status, header, body = http.StatusOK, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, "https://ota-cdn.memfault.com/1?sig=a%2Fb\n"
	found, err := device.Releases.LatestURL(t.Context(), latestQuery(""))
	require.NoError(t, err)
	assert.Equal(t, "https://ota-cdn.memfault.com/1?sig=a%2Fb", found.URL, "escapes must be kept")

	for _, wrong := range []string{"", "<html>log in</html>", "latest"} {
		body = wrong
		_, err = device.Releases.LatestURL(t.Context(), latestQuery(""))
		_ = requireError(t, err, http.StatusOK)
	}
	header = http.Header{"Content-Type": {"application/json"}}
	for _, wrong := range []string{"", "https://x.example/1?sig=secret", `{"data":null}`, `{"data":{}}`} {
		body = wrong
		_, err = device.Releases.LatestURL(t.Context(), latestQuery(""))
		_ = requireError(t, err, http.StatusOK)
		assert.NotContains(t, err.Error(), "secret")
		if wrong == "" {
			_, err = device.Releases.Latest(t.Context(), latestQuery(""))
			_ = requireError(t, err, http.StatusOK)
		}
	}
}

func ExampleReleasesService_Latest_askAsDevice() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddReleases(memfaulttest.Release{Version: "1.1.0", Artifacts: []memfaulttest.Artifact{{Filename: "sink.bin", Content: []byte("1.1.0")}}})
	client := cloud.Client(nil)
	ctx := context.Background()
	if _, err := client.Deployments.Create(ctx, cloud.Project(), memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("1.1.0"), Cohort: "default",
	}); err != nil {
		log.Fatal(err)
	}

	device := client.WithAuth(memfault.ProjectKey(cloud.ProjectKey()))
	for _, running := range []string{"1.0.0", "1.1.0"} {
		latest, err := device.Releases.Latest(ctx, memfault.LatestReleaseQuery{
			DeviceSerial: "ABCD1234", HardwareVersion: "evt-1", SoftwareType: "main", CurrentVersion: running,
		})
		switch {
		case err != nil:
			log.Fatal(err)
		case latest.UpdateAvailable:
			fmt.Println(running, "is updated to", latest.Version, "by", latest.Artifacts[0].Filename)
		default:
			fmt.Println(running, "stays:", latest.Reason)
		}
	}
	// Output:
	// 1.0.0 is updated to 1.1.0 by sink.bin
	// 1.1.0 stays: latest
}
