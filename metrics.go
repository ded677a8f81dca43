package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// MetricsService defines metrics and reads the reports that contain their values.
type MetricsService struct{ client *Client }

// CustomMetricCreate describes a new metric or attribute.
type CustomMetricCreate struct {
	StringKey string   `json:"string_key"` // required
	DataType  DataType `json:"data_type"`  // required
}

// CreateCustomMetric defines a metric or an attribute before its first value arrives. If the
// key is in use, CreateCustomMetric fails with [ErrConflict].
//
// UNCERTAIN(custom-metric-fields): which fields of the metric the response contains.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests.
func (s *MetricsService) CreateCustomMetric(ctx context.Context, project ProjectRef, create CustomMetricCreate, opts ...CallOption) (*CustomMetric, error) {
	return fetch[CustomMetric](ctx, clientOf(s), operation.CustomMetricsCreate, requestParams{path: project.path(), body: create}, opts)
}

// DeviceReport is a report of a device, such as a heartbeat. It contains the JSON of the response,
// because its fields are unknown.
type DeviceReport struct{ json.RawMessage }

// DeviceReportListOptions filters reports.
type DeviceReportListOptions struct {
	ListOptions
	DeviceSerial string `url:"device_serial,omitempty"`
}

// ListReports returns the reports of devices.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests.
func (s *MetricsService) ListReports(project ProjectRef, options DeviceReportListOptions, opts ...CallOption) *Pager[DeviceReport] {
	return list[DeviceReport](clientOf(s), operation.ReportsList, project.path(), options, opts)
}
