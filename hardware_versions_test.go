package memfault_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestHardwareVersions_CreateAndEnsure(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	cloud.AddSoftwareVersions(memfaulttest.SoftwareVersion{SoftwareType: "modem", Version: "0.1.0"})
	cloud.AddDevices(memfaulttest.Device{Serial: "A", SoftwareType: "modem", SoftwareVersion: "0.1.0"})
	create := memfault.HardwareVersionCreate{Name: "dvt 2/b", PrimarySoftwareType: "modem"}

	created, err := client.HardwareVersions.Ensure(ctx, sink, create)
	require.NoError(t, err)
	assert.Equal(t, "dvt 2/b", created.Name)
	assert.Equal(t, "modem", created.PrimarySoftwareType.Name)
	assert.NotZero(t, created.PrimarySoftwareType.ID)
	require.Len(t, created.SoftwareTypes, 1)

	_, err = client.HardwareVersions.Create(ctx, sink, create)
	require.ErrorIs(t, err, memfault.ErrConflict)
	again, err := client.HardwareVersions.Ensure(ctx, sink, create)
	require.NoError(t, err)
	assert.Equal(t, &memfault.HardwareVersion{Name: "dvt 2/b", PrimarySoftwareType: memfault.SoftwareType{Name: "modem"}}, again)

	device, err := client.Devices.Update(ctx, sink, "A", memfault.DeviceUpdate{HardwareVersion: memfault.Set("dvt 2/b")})
	require.NoError(t, err, "a device must be assignable to the new hardware version")
	assert.Equal(t, "dvt 2/b", device.HardwareVersion.Name)
}

func TestHardwareVersions_Errors(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	_, err := client.HardwareVersions.Create(ctx, memfault.ProjectRef{}, memfault.HardwareVersionCreate{})
	require.ErrorContains(t, err, "organization_slug must not be empty")
	_, err = client.WithAuth(memfault.ProjectKey("k")).HardwareVersions.Ensure(ctx, sink, memfault.HardwareVersionCreate{})
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	assert.Empty(t, cloud.Requests(""))

	_, err = client.HardwareVersions.Ensure(ctx, sink, memfault.HardwareVersionCreate{Name: "dvt-2"})
	require.ErrorIs(t, err, memfault.ErrBadRequest)
	_, err = client.HardwareVersions.Ensure(ctx, sink, memfault.HardwareVersionCreate{Name: "dvt-2", PrimarySoftwareType: "nope"})
	require.ErrorIs(t, err, memfault.ErrNotFound)
	_, err = client.HardwareVersions.Create(ctx, wrongProject, memfault.HardwareVersionCreate{Name: "dvt-2", PrimarySoftwareType: "main"})
	assert.Equal(t, "InternalError", requireError(t, err, http.StatusInternalServerError).Type)
}

func ExampleHardwareVersionsService_Ensure() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	for range 2 {
		hardware, err := client.HardwareVersions.Ensure(context.Background(), cloud.Project(), memfault.HardwareVersionCreate{
			Name: "dvt-2", PrimarySoftwareType: "main",
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(hardware.Name, hardware.PrimarySoftwareType.Name)
	}
	// Output:
	// dvt-2 main
	// dvt-2 main
}
