package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// AlertsService changes alerts: what is watched, and who is told.
type AlertsService struct{ client *Client }

// Alert watches the devices of a project. Only the fields that can be changed are
// known, not what else comes back.
type Alert struct {
	ID                        int64             `json:"id"`
	Title                     string            `json:"title"`
	Description               string            `json:"description"`
	IncidentStartDelaySeconds int64             `json:"incident_start_delay_seconds"`
	NotifyOnIncidentStart     bool              `json:"notify_on_incident_start"`
	NotifyOnIncidentEnd       bool              `json:"notify_on_incident_end"`
	NotificationTargets       []json.RawMessage `json:"notification_targets"` // objects of a form that is unknown
	DevicesExpr               json.RawMessage   `json:"devices_expr"`         // true, or an expression as a string
}

// AlertUpdate holds the fields of an alert to change.
type AlertUpdate struct {
	Title       Opt[string] `json:"title,omitzero"`
	Description Opt[string] `json:"description,omitzero"`
	// IncidentStartDelaySeconds is a multiple of 900 in the one program that sets it.
	IncidentStartDelaySeconds Opt[int64]       `json:"incident_start_delay_seconds,omitzero"`
	NotifyOnIncidentStart     Opt[bool]        `json:"notify_on_incident_start,omitzero"`
	NotifyOnIncidentEnd       Opt[bool]        `json:"notify_on_incident_end,omitzero"`
	NotificationTargets       Opt[[]string]    `json:"notification_targets,omitzero"` // "everyone" was seen
	DevicesExpr               Opt[DevicesExpr] `json:"devices_expr,omitzero"`
}

// DevicesExpr says which devices an alert watches, in Memfault's own language:
// cohort != 'bench'.
type DevicesExpr string

// AllDevices makes an alert watch every device. It is sent as true.
const AllDevices DevicesExpr = "true"

// MarshalJSON writes a string, or true for AllDevices.
func (e DevicesExpr) MarshalJSON() ([]byte, error) {
	if e == AllDevices {
		return []byte("true"), nil
	}
	return json.Marshal(string(e))
}

// Update changes an alert; one that is unknown is ErrNotFound. That an alert's id
// is a number is UNCERTAIN. Seen only in the scripts of one author; not documented
// by Memfault.
func (s *AlertsService) Update(ctx context.Context, project ProjectRef, alertID int64, update AlertUpdate, opts ...CallOption) (*Alert, error) {
	return fetch[Alert](ctx, clientOf(s), operation.AlertsUpdate, requestParams{path: project.path(pathID(alertID)), body: update}, opts)
}
