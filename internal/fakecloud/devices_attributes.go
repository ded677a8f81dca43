package fakecloud

import (
	"strings"
	"time"
)

type attribute struct {
	id      string
	key     string
	value   any // nil if never set
	updated time.Time
}

func (a *attribute) view() object {
	metric := object{
		"id": a.id, "string_key": a.key, "data_type": dataType(a.value), "display_name": a.key, "description": "",
		"favorite": false, "device_write_policy": "writable", "range_violation_behavior": "accept",
		"range": object{"min": nil, "max": nil, "min_inclusive": true, "max_inclusive": true},
	}
	if a.value == nil {
		return object{"custom_metric": metric, "state": nil}
	}
	at := stamp(a.updated)
	return object{"custom_metric": metric, "state": object{"value": a.value, "time": at, "created_date": at, "updated_date": at}}
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

// listAttributes filters by the key, in which * stands for any characters.
func listAttributes(r *request, d *device) reply {
	q := r.URL.Query().Get("q")
	attributes := filter(d.attributes, func(a *attribute) bool { return q == "" || wildcard(q, a.key) })
	return list(r, attributes, (*attribute).view)
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
	}
	for _, v := range values {
		d.setAttribute(v.StringKey, v.Value, c.now())
	}
	return noContent()
}

func (d *device) setAttribute(key string, value any, now time.Time) {
	for _, a := range d.attributes {
		if a.key == key {
			a.value, a.updated = value, now
			return
		}
	}
	d.attributes = append(d.attributes, &attribute{id: newUUID(), key: key, value: value, updated: now})
}
