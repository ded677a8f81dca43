package fakecloud

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

type customMetric struct{ id, key, dataType string }

type report struct {
	serial string
	body   object
}

// AddReports adds reports of a device to the default project. The caller chooses their
// fields, because the real ones are unknown.
func (c *Cloud) AddReports(serial string, reports ...map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, _ := c.ensureDevice(serial)
	for _, body := range reports {
		p.diagnostics.reports = append(p.diagnostics.reports, &report{serial, body})
	}
}

func (c *Cloud) metricHandlers() map[operation.ID]handler {
	return map[operation.ID]handler{
		operation.CustomMetricsCreate: createCustomMetric,
		operation.ReportsList:         listReports,
	}
}

func createCustomMetric(r *request) reply {
	var body struct {
		StringKey string `json:"string_key"`
		DataType  string `json:"data_type"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	all := &r.project.diagnostics.metrics
	switch {
	case body.StringKey == "":
		return invalid("string_key", "Missing data for required field.")
	case !slices.Contains([]string{"INT", "FLOAT", "STRING", "BOOL"}, body.DataType):
		return invalid("data_type", "Not a valid choice.")
	case slices.ContainsFunc(*all, func(m *customMetric) bool { return m.key == body.StringKey }):
		return fail(http.StatusConflict, fmt.Sprintf("A custom metric with the key `%s` already exists", body.StringKey))
	}
	added := &customMetric{newUUID(), body.StringKey, body.DataType}
	*all = append(*all, added)
	return data(object{"id": added.id, "string_key": added.key, "data_type": added.dataType})
}

func listReports(r *request) reply {
	reports := filter(r.project.diagnostics.reports, func(sent *report) bool { return r.wants("device_serial", sent.serial) })
	return list(r, reports, func(sent *report) object { return sent.body })
}
