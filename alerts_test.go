package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestAlertsUpdate_ChangesOnlySetFields(t *testing.T) {
	cloud, client := newCloud(t)
	ctx := t.Context()
	id := cloud.AddAlerts("Low battery")[0]
	alert, err := client.Alerts.Update(ctx, sink, id, memfault.AlertUpdate{
		Title: memfault.Set("Battery"), Description: memfault.Set("Below 10 %"), IncidentStartDelaySeconds: memfault.Set(int64(1800)),
		NotifyOnIncidentStart: memfault.Set(false), NotifyOnIncidentEnd: memfault.Set(true),
		NotificationTargets: memfault.Set([]string{"everyone", "jane"}), DevicesExpr: memfault.Set(memfault.DevicesExpr("cohort != 'bench'")),
	})
	require.NoError(t, err)
	assert.Equal(t, id, alert.ID)
	assert.Equal(t, "Battery", alert.Title)
	assert.Equal(t, "Below 10 %", alert.Description)
	assert.Equal(t, int64(1800), alert.IncidentStartDelaySeconds)
	assert.False(t, alert.NotifyOnIncidentStart)
	assert.True(t, alert.NotifyOnIncidentEnd)
	assert.Len(t, alert.NotificationTargets, 2)
	assert.Equal(t, `"cohort != 'bench'"`, string(alert.DevicesExpr))

	alert, err = client.Alerts.Update(ctx, sink, id, memfault.AlertUpdate{DevicesExpr: memfault.Set(memfault.AllDevices)})
	require.NoError(t, err)
	assert.Equal(t, "Battery", alert.Title, "fields that are not set must not change")
	assert.JSONEq(t, "true", string(alert.DevicesExpr))

	_, err = client.Alerts.Update(ctx, sink, id, memfault.AlertUpdate{DevicesExpr: memfault.Set(memfault.DevicesExpr(""))})
	assert.Contains(t, string(requireError(t, err, http.StatusBadRequest).Details), "devices_expr")
	_, err = client.Alerts.Update(ctx, sink, id+1000, memfault.AlertUpdate{})
	assert.Equal(t, 1003, requireError(t, err, http.StatusNotFound).Code)
}

func TestAlerts_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Alerts.Update(t.Context(), sink, 0, memfault.AlertUpdate{})
	requireUnsent(t, cloud, err, "alert_id must not be empty")
	_, err = client.WithAuth(memfault.ProjectKey(projectKey)).Alerts.Update(t.Context(), sink, 1, memfault.AlertUpdate{})
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		_, err := client.Alerts.Update(t.Context(), project, 1, memfault.AlertUpdate{}, opts...)
		return err
	})
}

func TestAlertUpdate_JSON(t *testing.T) {
	body, err := json.Marshal(memfault.AlertUpdate{DevicesExpr: memfault.Set(memfault.AllDevices), NotificationTargets: memfault.Set([]string{"everyone"})})
	require.NoError(t, err)
	assert.JSONEq(t, `{"devices_expr":true,"notification_targets":["everyone"]}`, string(body))
}

func TestAlert_RoundTrip(t *testing.T) {
	requireRoundTrip[memfault.Alert](t, `{"id":1,"title":"t","description":"d","incident_start_delay_seconds":900,"notify_on_incident_start":true,
		"notify_on_incident_end":false,"notification_targets":[{"type":"everyone"},"jane"],"devices_expr":true}`)
}

func ExampleAlertsService_Update() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	id := cloud.AddAlerts("Low battery")[0]
	client := cloud.Client(nil)

	alert, err := client.Alerts.Update(context.Background(), cloud.Project(), id, memfault.AlertUpdate{
		NotifyOnIncidentEnd: memfault.Set(true),
		DevicesExpr:         memfault.Set(memfault.DevicesExpr("cohort != 'bench'")),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(alert.Title, alert.NotifyOnIncidentEnd, string(alert.DevicesExpr))
	// Output:
	// Low battery true "cohort != 'bench'"
}
