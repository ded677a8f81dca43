package memfault_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// A POST whose response is lost is not retried. Ensure finds out whether it was carried out.
func TestEnsure_LostResponse(t *testing.T) {
	for operation, ensure := range map[string]func(*memfault.Client) (string, error){
		"devices.create": func(client *memfault.Client) (string, error) {
			device, err := client.Devices.Ensure(t.Context(), sink, memfault.DeviceCreate{DeviceSerial: "NEW", HardwareVersion: "evt-1"})
			if err != nil {
				return "", err
			}
			return device.DeviceSerial, nil
		},
		"cohorts.create": func(client *memfault.Client) (string, error) {
			cohort, err := client.Cohorts.Ensure(t.Context(), sink, memfault.CohortCreate{Name: "NEW", Slug: "new"})
			if err != nil {
				return "", err
			}
			return cohort.Name, nil
		},
	} {
		t.Run(operation, func(t *testing.T) {
			cloud, client := newCloud(t)
			cloud.Fail(memfaulttest.Fault{Operation: operation, Times: 1, DropResponse: true})
			name, err := ensure(client)
			require.NoError(t, err)
			assert.Equal(t, "NEW", name)

			cloud, client = newCloud(t)
			cloud.Fail(memfaulttest.Fault{Operation: operation, Drop: true})
			_, err = ensure(client)
			require.ErrorIs(t, err, memfault.ErrNoAnswer, "it was not carried out")
			require.NotErrorIs(t, err, memfault.ErrNotFound)
		})
	}
}

// No operation reads a hardware version. A second POST would rest on an unproven fact.
func TestHardwareVersionsEnsure_LostResponse(t *testing.T) {
	cloud, client := newCloud(t)
	create := memfault.HardwareVersionCreate{Name: "NEW", PrimarySoftwareType: "main"}
	cloud.Fail(memfaulttest.Fault{Operation: "hardware_versions.create", Times: 1, DropResponse: true})
	_, err := client.HardwareVersions.Ensure(t.Context(), sink, create)
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	assert.Equal(t, 1, cloud.RequestCount("hardware_versions.create"))
	version, err := client.HardwareVersions.Ensure(t.Context(), sink, create)
	require.NoError(t, err)
	assert.Equal(t, "NEW", version.Name)
}

func TestCohortsEnsure_LostResponseWithoutSlug(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.Fault{Operation: "cohorts.create", Times: 1, DropResponse: true})
	cohort, err := client.Cohorts.Ensure(t.Context(), sink, memfault.CohortCreate{Name: "Field Trial"})
	require.NoError(t, err)
	assert.Equal(t, "Field Trial", cohort.Name)
}
