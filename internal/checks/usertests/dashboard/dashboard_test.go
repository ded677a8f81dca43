package dashboard_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/internal/checks/usertests/dashboard"
	"github.com/memfault-go/memfault/memfaulttest"
)

func show(t *testing.T, cloud *memfaulttest.Server) dashboard.Fleet {
	t.Helper()
	recorder := httptest.NewRecorder()
	dashboard.Handler(cloud.Client(t), cloud.Project()).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	var fleet dashboard.Fleet
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &fleet))
	return fleet
}

func TestHandler_CountsFleet(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	for range 3 {
		cloud.AddIssues(memfaulttest.Issue{Title: "Assert at pump_start"})
	}
	cloud.AddIssues(memfaulttest.Issue{Title: "fixed", Status: "resolved"})
	cloud.AddDevices(memfaulttest.Device{Serial: "NEW"})
	cloud.SeedFleet(300)
	fleet := show(t, cloud)
	total := 0
	for _, n := range fleet.Devices {
		total += n
	}
	assert.Equal(t, 301, total)
	assert.Equal(t, 1, fleet.Devices["unknown"])
	assert.Equal(t, 3, fleet.Issues)
	assert.Empty(t, fleet.Problems)
	assert.Equal(t, 4, cloud.RequestCount("devices.list"), "pages of 100")
}

func TestHandler_ShowsTheRestAfterFailure(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.SeedFleet(300)
	cloud.Fail(memfaulttest.Fault{Operation: "devices.list", Skip: 2, Status: 500})
	cloud.AddIssues(memfaulttest.Issue{Title: "Assert at pump_start"})
	fleet := show(t, cloud)
	assert.Empty(t, fleet.Devices)
	assert.Equal(t, 1, fleet.Issues)
	require.Len(t, fleet.Problems, 1)
	assert.Contains(t, fleet.Problems[0], "devices.list")
}
