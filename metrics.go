package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// MetricsService defines metrics and reads the reports that hold their values.
type MetricsService struct{ client *Client }

// CustomMetricCreate describes a new metric or attribute.
type CustomMetricCreate struct {
	StringKey string   `json:"string_key"` // required
	DataType  DataType `json:"data_type"`  // required
}

// CreateCustomMetric defines a metric or an attribute before the first value comes.
// Which fields of the metric come back is UNCERTAIN, as is the answer to a key in
// use. Seen only in Memfault's own tests; not documented by Memfault.
func (s *MetricsService) CreateCustomMetric(ctx context.Context, project ProjectRef, create CustomMetricCreate, opts ...CallOption) (*CustomMetric, error) {
	return fetch[CustomMetric](ctx, clientOf(s), operation.CustomMetricsCreate, requestParams{path: project.path(), body: create}, opts)
}

// Report is a report of a device, such as a heartbeat. It is the JSON that came:
// none of its fields is known.
type Report struct{ json.RawMessage }

// ReportListOptions selects reports.
type ReportListOptions struct {
	ListOptions
	DeviceSerial string `url:"device_serial,omitempty"`
}

// ListReports returns the reports of devices. Seen only in Memfault's own tests;
// not documented by Memfault.
func (s *MetricsService) ListReports(project ProjectRef, options ReportListOptions, opts ...CallOption) *Pager[Report] {
	return list[Report](clientOf(s), operation.ReportsList, project.path(), options, opts)
}
