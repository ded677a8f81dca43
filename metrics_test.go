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

func TestCreateCustomMetric_ByDataType(t *testing.T) {
	_, client := newCloud(t)
	ctx := t.Context()
	metric, err := client.Metrics.CreateCustomMetric(ctx, sink, memfault.CustomMetricCreate{StringKey: "flow_l", DataType: memfault.DataTypeFloat})
	require.NoError(t, err)
	assert.NotEmpty(t, metric.ID)
	assert.Equal(t, "flow_l", metric.StringKey)
	assert.Equal(t, memfault.DataTypeFloat, metric.DataType)

	_, err = client.Metrics.CreateCustomMetric(ctx, sink, memfault.CustomMetricCreate{StringKey: "flow_l", DataType: memfault.DataTypeInt})
	require.ErrorIs(t, err, memfault.ErrConflict)
	_, err = client.Metrics.CreateCustomMetric(ctx, sink, memfault.CustomMetricCreate{StringKey: "x", DataType: "COMPLEX"})
	assert.Contains(t, string(requireError(t, err, http.StatusBadRequest).Details), "data_type")
	_, err = client.Metrics.CreateCustomMetric(ctx, sink, memfault.CustomMetricCreate{DataType: memfault.DataTypeInt})
	assert.Contains(t, string(requireError(t, err, http.StatusBadRequest).Details), "string_key")
}

func TestListReports_Filters(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReports(memfaulttest.Report{DeviceSerial: "A", Metrics: map[string]any{"n": 1}}, memfaulttest.Report{DeviceSerial: "A", Metrics: map[string]any{"n": 2}})
	cloud.AddReports(memfaulttest.Report{DeviceSerial: "B", Metrics: map[string]any{"n": 3}})
	options := memfault.DeviceReportListOptions{ListOptions: memfault.ListOptions{PerPage: 1}}
	all, err := client.Metrics.ListReports(sink, options).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, all, 3)
	options.DeviceSerial = "A"
	some, err := client.Metrics.ListReports(sink, options).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, some, 2)
	assert.JSONEq(t, `{"metrics":{"n":2}}`, string(some[1].RawMessage))
	requireRoundTrip[memfault.DeviceReport](t, `{"metrics":{"a":[1,null]},"x":"y"}`)
}

func TestMetrics_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Metrics.CreateCustomMetric(t.Context(), memfault.ProjectRef{}, memfault.CustomMetricCreate{})
	requireUnsent(t, cloud, err, "organization_slug must not be empty")
	requireUnsent(t, cloud, failing(client.Metrics.ListReports(memfault.ProjectRef{}, memfault.DeviceReportListOptions{})), "organization_slug must not be empty")
	byKey := client.WithAuth(memfault.ProjectKey(projectKey))
	_, err = byKey.Metrics.CreateCustomMetric(t.Context(), sink, memfault.CustomMetricCreate{})
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	require.ErrorIs(t, failing(byKey.Metrics.ListReports(sink, memfault.DeviceReportListOptions{})), memfault.ErrWrongCredential)
	requireWrongSlug(t, func(project memfault.ProjectRef, opts ...memfault.CallOption) error {
		_, err := client.Metrics.CreateCustomMetric(t.Context(), project, memfault.CustomMetricCreate{StringKey: "x", DataType: memfault.DataTypeInt}, opts...)
		return err
	})
}

func ExampleMetricsService_ListReports() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddReports(memfaulttest.Report{DeviceSerial: "ABCD1234", Metrics: map[string]any{"flow_l": 2.5}})
	client := cloud.Client(nil)

	for report, err := range client.Metrics.ListReports(cloud.Project(), memfault.DeviceReportListOptions{DeviceSerial: "ABCD1234"}).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		var known struct{ Metrics map[string]float64 }
		if err := json.Unmarshal(report.RawMessage, &known); err != nil {
			log.Fatal(err)
		}
		fmt.Println(known.Metrics["flow_l"])
	}
	// Output:
	// 2.5
}
