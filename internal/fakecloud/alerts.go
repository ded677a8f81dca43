package fakecloud

import (
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

type alert struct {
	id                 int64
	title, description string
	delay              int64
	onStart, onEnd     bool
	targets            []string
	devices            any // true or an expression
}

func (a *alert) identity() int64 { return a.id }

// AddAlert adds an alert for all devices to the default project, and returns its ID.
func (c *Cloud) AddAlert(title string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.seeded
	added := &alert{id: c.newID(), title: title, onStart: true, targets: []string{"everyone"}, devices: true}
	p.diagnostics.alerts = append(p.diagnostics.alerts, added)
	return added.id
}

// AlertIDs returns the IDs of the alerts of the default project.
func (c *Cloud) AlertIDs() []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []int64
	for _, a := range c.seeded.diagnostics.alerts {
		ids = append(ids, a.id)
	}
	return ids
}

func (c *Cloud) alertHandlers() map[*operation.Operation]handler {
	alerts := func(p *project) []*alert { return p.diagnostics.alerts }
	return map[*operation.Operation]handler{operation.AlertsUpdate: withID("Alert", "alert_id", alerts, updateAlert)}
}

// view contains the targets as objects, although requests contain them as strings.
func (a *alert) view() object {
	targets := []object{}
	for _, name := range a.targets {
		targets = append(targets, object{"name": name})
	}
	return object{
		"id": a.id, "title": a.title, "description": a.description, "incident_start_delay_seconds": a.delay,
		"notify_on_incident_start": a.onStart, "notify_on_incident_end": a.onEnd,
		"notification_targets": targets, "devices_expr": a.devices,
	}
}

func updateAlert(r *request, a *alert) reply {
	var body struct {
		Title       *string         `json:"title"`
		Description *string         `json:"description"`
		Delay       *int64          `json:"incident_start_delay_seconds"`
		OnStart     *bool           `json:"notify_on_incident_start"`
		OnEnd       *bool           `json:"notify_on_incident_end"`
		Targets     *[]string       `json:"notification_targets"`
		Devices     json.RawMessage `json:"devices_expr"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.Devices != nil {
		var expression string
		switch {
		case string(body.Devices) == "true":
			a.devices = true
		case json.Unmarshal(body.Devices, &expression) == nil && expression != "":
			a.devices = expression
		default:
			return invalid("devices_expr", "Neither true nor an expression.")
		}
	}
	change(&a.title, body.Title)
	change(&a.description, body.Description)
	change(&a.delay, body.Delay)
	change(&a.onStart, body.OnStart)
	change(&a.onEnd, body.OnEnd)
	change(&a.targets, body.Targets)
	return data(a.view())
}
