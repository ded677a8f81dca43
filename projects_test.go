package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestProjects_Lifecycle(t *testing.T) {
	_, client := newCloud(t)
	ctx := t.Context()
	created, err := client.Projects.Create(ctx, "acme", memfault.ProjectCreate{Name: "Smart Tap", Slug: "smart-tap", Platform: "nrf9160", OS: "zephyr"})
	require.NoError(t, err)
	assert.Equal(t, "zephyr", created.OS)

	_, err = client.Projects.Create(ctx, "acme", memfault.ProjectCreate{Name: "Smart Tap", Slug: "other"})
	require.ErrorIs(t, err, memfault.ErrConflict)
	require.ErrorContains(t, err, "A project named `Smart Tap` already exists")

	tap := memfault.ProjectRef{Organization: "acme", Project: "smart-tap"}
	updated, err := client.Projects.Update(ctx, tap, memfault.ProjectUpdate{OS: memfault.Set("freertos")})
	require.NoError(t, err)
	assert.Equal(t, "freertos", updated.OS)
	assert.Equal(t, "Smart Tap", updated.Name)

	projects, err := client.Projects.List("acme", memfault.ProjectListOptions{Name: []string{"Smart Tap", "x"}}).Collect(ctx)
	require.NoError(t, err)
	require.Len(t, projects, 1)
	assert.Equal(t, *updated, projects[0])

	all, err := client.Projects.List("acme", memfault.ProjectListOptions{ListOptions: memfault.ListOptions{Sort: memfault.Descending(memfault.SortCreatedDate), PerPage: 1}}).Collect(ctx)
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.Equal(t, "smart-tap", all[0].Slug, "the newest must come first")

	require.NoError(t, client.Projects.Delete(ctx, tap))
	_, err = client.Projects.Get(ctx, tap)
	requireError(t, err, 500)
}

func TestProjectKey_GetAndRefresh(t *testing.T) {
	cloud, client := newCloud(t)
	key, err := client.Projects.GetProjectKey(t.Context(), sink)
	require.NoError(t, err)
	assert.Equal(t, projectKey, key)
	fresh, err := client.Projects.RefreshProjectKey(t.Context(), sink)
	require.NoError(t, err)
	assert.NotEqual(t, key, fresh)

	routes, err := client.Projects.ListDataRoutes(sink, memfault.DataRouteListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []memfault.DataRoute{{Token: fresh}}, routes)

	cloud.Fail(memfaulttest.Fault{DropResponse: true, Times: 1})
	_, err = client.Projects.RefreshProjectKey(t.Context(), sink)
	require.Error(t, err)
	assert.Len(t, cloud.Requests("projects.refresh_client_key"), 2, "it must not be retried")
}

func TestProject_SetupDetails(t *testing.T) {
	var project memfault.Project
	require.NoError(t, json.Unmarshal([]byte(`{"slug":"x","device_link_strategies":[{"name":"dsn"}],"integrations":[{"name":"slack"}],
		"setup_details":{"operating_system":["zephyr"],"compiler_other":null,"primary_chip":"nrf52","connectivity":["ble"]}}`), &project))
	assert.Equal(t, "dsn", project.DeviceLinkStrategies[0].Name)
	assert.Equal(t, []string{"zephyr"}, project.SetupDetails.OperatingSystem)
	assert.Nil(t, project.SetupDetails.CompilerOther)
	assert.Equal(t, "nrf52", *project.SetupDetails.PrimaryChip)
}

func ExampleProjectsService_GetProjectKey() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	key, err := client.Projects.GetProjectKey(context.Background(), cloud.Project())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(key), "characters")
	// Output: 32 characters
}
