package fakecloud

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

type customMetric struct {
	id, key, dataType string
	created           bool // by custom-metrics, not with an attribute
}

// detail is the form of a custom metric in an attribute.
func (m *customMetric) detail() object {
	return object{
		"id": m.id, "string_key": m.key, "data_type": m.dataType, "display_name": m.key, "description": "",
		"favorite": false, "device_write_policy": "writable", "range_violation_behavior": "accept",
		"range": object{"min": nil, "max": nil, "min_inclusive": true, "max_inclusive": true},
	}
}

// metric finds a metric by its key, in which case does not matter.
func (p *project) metric(key string) *customMetric {
	for _, m := range p.diagnostics.metrics {
		if strings.EqualFold(m.key, key) {
			return m
		}
	}
	return nil
}

func (c *Cloud) addMetric(p *project, key, dataType string) *customMetric {
	m := &customMetric{id: c.newUUID(), key: key, dataType: dataType}
	p.diagnostics.metrics = append(p.diagnostics.metrics, m)
	return m
}

// Report describes a report of a device: the metrics of one interval.
type Report struct {
	DeviceSerial string
	Metrics      map[string]any
	Start, End   time.Time
}

// AddReports adds reports of devices to the default project. Only the field metrics of a
// report is known; the fake cloud invents no names for the others.
func (c *Cloud) AddReports(reports ...Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sent := range reports {
		if !c.accepts("a report", required("serial", sent.DeviceSerial)) {
			continue
		}
		p, _ := c.ensureDevice(sent.DeviceSerial)
		if sent.Metrics == nil {
			sent.Metrics = map[string]any{}
		}
		p.diagnostics.reports = append(p.diagnostics.reports, sent)
	}
}

func (c *Cloud) metricHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.CustomMetricsCreate: c.createCustomMetric,
		operation.ReportsList:         listReports,
	}
}

func (c *Cloud) createCustomMetric(r *request) reply {
	var body struct {
		StringKey string `json:"string_key"`
		DataType  string `json:"data_type"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	body.DataType = cmp.Or(body.DataType, "INT")
	switch {
	case body.StringKey == "":
		return invalid("string_key", "Missing data for required field.")
	case !slices.Contains([]string{"INT", "FLOAT", "STRING", "BOOL"}, body.DataType):
		return invalid("data_type", "Not a valid choice.")
	case r.project.metric(body.StringKey) != nil:
		return fail(http.StatusConflict, fmt.Sprintf("A custom metric with the key `%s` already exists", body.StringKey))
	}
	added := c.addMetric(r.project, body.StringKey, body.DataType)
	added.created = true
	return data(object{"id": added.id, "string_key": added.key, "data_type": added.dataType})
}

func listReports(r *request) reply {
	reports := filter(r.project.diagnostics.reports, func(sent Report) bool { return r.wants("device_serial", sent.DeviceSerial) })
	return list(r, reports, func(sent Report) object { return object{"metrics": sent.Metrics} })
}
