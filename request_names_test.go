package memfault_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestNames_RejectedBeforeAnythingIsSent(t *testing.T) {
	cloud, client := newCloud(t)
	key := client.WithAuth(memfault.ProjectKey(projectKey))
	bad := "1.2.3\n" // as os.ReadFile returns it
	device := func(serial string) memfault.DeviceIdentity {
		return memfault.DeviceIdentity{DeviceSerial: serial, HardwareVersion: "evt-1", SoftwareVersion: "1.0.0", SoftwareType: "main"}
	}
	for name, call := range map[string]func(ctx context.Context) error{
		"path": func(ctx context.Context) error { return errorOf(client.Devices.Get(ctx, sink, bad)) },
		"organization": func(ctx context.Context) error {
			return errorOf(client.Projects.Get(ctx, memfault.ProjectRef{Organization: " acme", Project: "smart-sink"}))
		},
		"list": func(ctx context.Context) error {
			return errorOf(client.Cohorts.ListDevices(sink, bad, memfault.CohortDeviceListOptions{}).Page(ctx))
		},
		"filter": func(ctx context.Context) error {
			return errorOf(client.Deployments.List(sink, memfault.DeploymentListOptions{Cohort: []string{bad}}).Page(ctx))
		},
		"device": func(ctx context.Context) error {
			return errorOf(client.Devices.Create(ctx, sink, memfault.DeviceCreate{DeviceSerial: bad, HardwareVersion: "evt-1"}))
		},
		"device update": func(ctx context.Context) error {
			return errorOf(client.Devices.Update(ctx, sink, "A", memfault.DeviceUpdate{Cohort: memfault.Set(bad)}))
		},
		"cohort": func(ctx context.Context) error {
			return errorOf(client.Cohorts.Create(ctx, sink, memfault.CohortCreate{Name: "a", Slug: bad}))
		},
		"release": func(ctx context.Context) error {
			return errorOf(client.Releases.Create(ctx, sink, memfault.ReleaseCreate{Version: bad}))
		},
		"deployment": func(ctx context.Context) error {
			return errorOf(client.Deployments.Create(ctx, sink, memfault.DeploymentCreate{Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion(bad), Cohort: "beta"}))
		},
		"delta deployment": func(ctx context.Context) error {
			return errorOf(client.Deployments.Ensure(ctx, sink, memfault.DeploymentCreate{Type: memfault.DeploymentTypeNormal, Release: memfault.DeltaRelease("1.0.0", bad), Cohort: "beta"}))
		},
		"active": func(ctx context.Context) error { return errorOf(client.Deployments.Active(ctx, sink, bad)) },
		"wait of a cohort": func(ctx context.Context) error {
			return errorOf(client.Cohorts.WaitForVersion(ctx, sink, "beta", bad, 1, memfault.WaitOptions{}))
		},
		"wait of a device": func(ctx context.Context) error {
			return errorOf(client.Devices.WaitForVersion(ctx, sink, "A", bad, memfault.WaitOptions{}))
		},
		"offer": func(ctx context.Context) error {
			file, _ := fileOf("a", "", 10)
			return key.Releases.VerifyOffer(ctx, memfault.LatestReleaseQuery{DeviceSerial: "A", HardwareVersion: "evt-1", SoftwareType: "main", CurrentVersion: bad}, file)
		},
		"payload": func(ctx context.Context) error {
			file, _ := fileOf("a", "", 10)
			return errorOf(client.Uploads.OTAPayload(ctx, sink, file, memfault.OTAPayloadOptions{HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: bad}))
		},
		"delta payload": func(ctx context.Context) error {
			file, _ := fileOf("a", "", 10)
			return errorOf(client.Uploads.OTAPayload(ctx, sink, file, memfault.OTAPayloadOptions{HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "1.0.0", DeltaFrom: bad}))
		},
		"artifact": func(ctx context.Context) error {
			file, _ := fileOf("a", "", 10)
			return errorOf(client.Artifacts.Upload(ctx, sink, "1.0.0", file, memfault.ArtifactUploadOptions{Type: memfault.ArtifactTypeFirmware, HardwareVersion: bad}))
		},
		"coredump": func(ctx context.Context) error {
			file, _ := fileOf("a", "CORE", 10)
			return errorOf(client.Uploads.Coredump(ctx, sink, file, memfault.CoredumpOptions{DeviceSerial: bad}))
		},
		"recording": func(ctx context.Context) error {
			file, _ := fileOf("a", "", 10)
			return errorOf(client.Uploads.CustomDataRecording(ctx, sink, file, memfault.CustomDataRecordingOptions{Device: device(bad), MIMETypes: []string{"a/b"}}))
		},
		"trace": func(ctx context.Context) error {
			return key.Uploads.ImportTrace(ctx, memfault.TraceImport{DeviceIdentity: device(bad)})
		},
		"event": func(ctx context.Context) error {
			return key.Events.Upload(ctx, []memfault.EventCreate{heartbeat("A"), heartbeat(bad)})
		},
		"chunks": func(ctx context.Context) error {
			return key.Chunks.Upload(ctx, bad, [][]byte{[]byte("a chunk of a device")})
		},
		"sender": func(ctx context.Context) error {
			sender := key.Chunks.NewSender(memfault.ChunkSenderOptions{})
			defer func() { require.NoError(t, sender.Close(context.WithoutCancel(ctx))) }()
			return sender.Send(ctx, bad, []byte("a chunk of a device"), nil)
		},
	} {
		err := call(t.Context())
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		require.ErrorContains(t, err, "white space", name)
		assert.NotContains(t, err.Error(), "\n", name)
	}
	assert.Empty(t, cloud.Requests(""))
}

func TestNames_ControlCharactersAreRejected(t *testing.T) {
	cloud, client := newCloud(t)
	for _, name := range []string{"a\x00b", "a\tb", "a\u0085b", "a\x7fb", "\u00a0a", "a\u2028", "a\xff"} {
		_, err := client.Devices.Get(t.Context(), sink, name)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, "%q", name)
	}
	assert.Empty(t, cloud.Requests(""))
}

// Rules loosen, so Memfault decides about all other characters.
func TestNames_OtherCharactersAreSent(t *testing.T) {
	cloud, client := newCloud(t)
	for _, name := range []string{"AA:BB:CC:DD:EE:FF", "a b", "Küche", strings.Repeat("a", 300)} {
		_, err := client.Devices.Create(t.Context(), sink, memfault.DeviceCreate{DeviceSerial: name, HardwareVersion: "evt-1"})
		require.ErrorIs(t, err, memfault.ErrBadRequest, name)
	}
	assert.Len(t, cloud.Requests("devices.create"), 4)
	// Data of the user is not checked.
	event := heartbeat("A")
	event.EventInfo = map[string]any{"version": "1\n", "device": map[string]any{"slug": " a"}}
	require.NoError(t, client.WithAuth(memfault.ProjectKey(projectKey)).Events.Upload(t.Context(), []memfault.EventCreate{event}))
}

// Modem firmware is not versioned semantically.
func TestNames_ModemRelease(t *testing.T) {
	cloud, client := newCloud(t)
	const old, version = "mfw_nrf91x1_2.0.3", "mfw_nrf91x1_2.0.4"
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddSoftwareVersions(memfaulttest.SoftwareVersion{SoftwareType: "mfw", Version: old})
	cloud.AddDevices(memfaulttest.Device{Serial: "A", HardwareVersion: "evt-1", Cohort: "beta", SoftwareType: "mfw", SoftwareVersion: old})
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	query := memfault.LatestReleaseQuery{DeviceSerial: "A", HardwareVersion: "evt-1", SoftwareType: "mfw", CurrentVersion: old}
	deploy := memfault.DeploymentCreate{Type: memfault.DeploymentTypeNormal, Cohort: "beta"}
	for _, v := range []string{version, old} {
		file, _ := fileOf(v, v, 100)
		_, err := client.Uploads.OTAPayload(t.Context(), sink, file, memfault.OTAPayloadOptions{HardwareVersion: "evt-1", SoftwareType: "mfw", SoftwareVersion: v})
		require.NoError(t, err)
	}
	deploy.Release = memfault.ReleaseVersion(version)
	var ids []int64
	for range 2 {
		deployment, err := client.Deployments.Ensure(t.Context(), sink, deploy)
		require.NoError(t, err)
		assert.Equal(t, version, deployment.Release.Version)
		ids = append(ids, deployment.ID)
	}
	assert.Equal(t, ids[0], ids[1])
	active, err := client.Deployments.Active(t.Context(), sink, "beta")
	require.NoError(t, err)
	require.Len(t, active, 1)
	assert.Equal(t, version, active[0].Release.Version)

	file, _ := fileOf(version, version, 100)
	require.NoError(t, device.Releases.VerifyOffer(t.Context(), query, file))
	cloud.Report("A", version)
	_, err = client.Devices.WaitForVersion(t.Context(), sink, "A", version, memfault.WaitOptions{})
	require.NoError(t, err)
	counts, err := client.Cohorts.WaitForVersion(t.Context(), sink, "beta", version, 1, memfault.WaitOptions{})
	require.NoError(t, err)
	assert.Equal(t, 1, counts.Devices)

	deploy.Release = memfault.ReleaseVersion(old)
	_, err = client.Deployments.Ensure(t.Context(), sink, deploy)
	require.NoError(t, err)
	active, err = client.Deployments.Active(t.Context(), sink, "beta")
	require.NoError(t, err)
	require.Len(t, active, 2)
	assert.Equal(t, old, active[0].Release.Version, "the newest comes first, because the versions have no order")
}
