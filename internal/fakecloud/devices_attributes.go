package fakecloud

import (
	"slices"
	"strings"
	"time"
)

// attribute is the value of a custom metric on one device.
type attribute struct {
	metric  *customMetric
	value   any // nil if never set
	updated time.Time
}

func (a *attribute) view() object {
	view := object{"string_key": a.metric.key, "custom_metric": a.metric.detail(), "state": nil}
	if a.value != nil {
		at := stamp(a.updated)
		view["state"] = object{"value": a.value, "time": at, "created_date": at, "updated_date": at}
	}
	return view
}

func dataType(value any) string {
	switch value := value.(type) {
	case bool:
		return "BOOL"
	case float64:
		if value == float64(int64(value)) {
			return "INT"
		}
		return "FLOAT"
	case int:
		return "INT"
	default:
		return "STRING"
	}
}

// fits reports whether a value has the type of a custom metric. An integer is a valid FLOAT.
func (m *customMetric) fits(value any) bool {
	kind := dataType(value)
	return kind == m.dataType || kind == "INT" && m.dataType == "FLOAT"
}

// listAttributes filters by the key, in which case does not matter and * stands for any characters. The list contains
// the metrics that custom-metrics created too, with the state null until the device has a value.
func listAttributes(r *request, d *device) reply {
	q := r.query.Get("q")
	all := slices.Clone(d.attributes)
	for _, m := range r.project.diagnostics.metrics {
		if m.created && d.attribute(m) == nil {
			all = append(all, attribute{metric: m})
		}
	}
	attributes := filter(all, func(a attribute) bool { return q == "" || wildcard(strings.ToLower(q), strings.ToLower(a.metric.key)) })
	return list(r, attributes, func(a attribute) object { return a.view() })
}

func (d *device) attribute(m *customMetric) *attribute {
	for i := range d.attributes {
		if d.attributes[i].metric == m {
			return &d.attributes[i]
		}
	}
	return nil
}

func wildcard(pattern, text string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, before)
	if !ok {
		return false
	}
	for i := 0; i <= len(rest); i++ {
		if wildcard(after, rest[i:]) {
			return true
		}
	}
	return false
}

func (c *Cloud) updateAttributes(r *request, d *device) reply {
	var values []struct {
		StringKey string `json:"string_key"`
		Value     any    `json:"value"`
	}
	if refused, ok := r.decode(&values); !ok {
		return refused
	}
	for _, v := range values {
		switch v.Value.(type) {
		case bool, float64, string:
		default:
			return invalid("value", "Neither a bool nor a number nor a string.")
		}
		if v.StringKey == "" {
			return invalid("string_key", "Missing data for required field.")
		}
		// UNCERTAIN(attribute-type): whether Memfault rejects or converts a value of another type
		// than the metric's.
		if m := r.project.metric(v.StringKey); m != nil && !m.fits(v.Value) {
			return invalid("value", "Not a valid "+m.dataType+".")
		}
	}
	for _, v := range values {
		c.setAttribute(r.project, d, v.StringKey, v.Value, c.now())
	}
	return noContent()
}

// setAttribute sets the value of a device. It creates the custom metric if it is unknown.
func (c *Cloud) setAttribute(p *project, d *device, key string, value any, now time.Time) {
	m := p.metric(key)
	if m == nil {
		m = c.addMetric(p, key, dataType(value))
	}
	if a := d.attribute(m); a != nil {
		a.value, a.updated = value, now
		return
	}
	d.attributes = append(d.attributes, attribute{metric: m, value: value, updated: now})
}
