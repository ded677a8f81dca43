package memfaulttest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestAddHardwareVersions_PrimarySoftwareType(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "dvt-9", PrimarySoftwareType: "modem"})
	client := cloud.Client(t)
	_, err := client.Devices.Create(t.Context(), cloud.Project(), memfault.DeviceCreate{DeviceSerial: "ABCD1234", HardwareVersion: "dvt-9"})
	require.NoError(t, err)
	_, err = client.HardwareVersions.Create(t.Context(), cloud.Project(), memfault.HardwareVersionCreate{Name: "dvt-9", PrimarySoftwareType: "modem"})
	require.ErrorIs(t, err, memfault.ErrConflict)
	types, err := client.Software.ListTypes(cloud.Project(), memfault.SoftwareTypeListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	var names []string
	for _, kind := range types {
		names = append(names, kind.Name)
	}
	assert.Contains(t, names, "modem")
}

func TestAcceptEqualFiles_SamePayloadForTwoBoards(t *testing.T) {
	for _, accepts := range []bool{false, true} {
		cloud := memfaulttest.NewServer(t)
		if accepts {
			cloud.AcceptEqualFiles()
		}
		var errs []error
		for _, hardware := range []string{"evt-1", "dvt-2"} {
			file := &memfault.File{Name: "app.bin", Size: 12, Content: strings.NewReader("the firmware")}
			_, err := cloud.Client(t).Uploads.OTAPayload(t.Context(), cloud.Project(), file, memfault.OTAPayloadOptions{
				HardwareVersion: hardware, SoftwareType: "main", SoftwareVersion: "2.0.0",
			})
			errs = append(errs, err)
		}
		require.NoError(t, errs[0])
		if accepts {
			require.NoError(t, errs[1])
		} else {
			require.ErrorIs(t, errs[1], memfault.ErrConflict)
		}
	}
}
