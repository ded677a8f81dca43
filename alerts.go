package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// AlertsService changes alerts: which devices an alert watches, and whom it notifies.
type AlertsService struct{ client *Client }

// Alert watches the devices of a project. Fields other than those that can be changed are
// unknown.
type Alert struct {
	ID                        int64             `json:"id"`
	Title                     string            `json:"title"`
	Description               string            `json:"description"`
	IncidentStartDelaySeconds int64             `json:"incident_start_delay_seconds"`
	NotifyOnIncidentStart     bool              `json:"notify_on_incident_start"`
	NotifyOnIncidentEnd       bool              `json:"notify_on_incident_end"`
	NotificationTargets       []json.RawMessage `json:"notification_targets"` // objects; form unknown
	DevicesExpr               json.RawMessage   `json:"devices_expr"`         // true, or an expression
}

// AlertUpdate contains the fields of an alert to change.
type AlertUpdate struct {
	Title       Opt[string] `json:"title,omitzero"`
	Description Opt[string] `json:"description,omitzero"`
	// IncidentStartDelaySeconds is a multiple of 900 in the only program that sets it.
	IncidentStartDelaySeconds Opt[int64]       `json:"incident_start_delay_seconds,omitzero"`
	NotifyOnIncidentStart     Opt[bool]        `json:"notify_on_incident_start,omitzero"`
	NotifyOnIncidentEnd       Opt[bool]        `json:"notify_on_incident_end,omitzero"`
	NotificationTargets       Opt[[]string]    `json:"notification_targets,omitzero"` // "everyone" was observed
	DevicesExpr               Opt[DevicesExpr] `json:"devices_expr,omitzero"`
}

// DevicesExpr selects the devices that an alert watches, in Memfault's expression language,
// such as cohort != 'bench'.
type DevicesExpr string

// AllDevices selects every device. It is encoded as true.
const AllDevices DevicesExpr = "true"

// MarshalJSON encodes e as a string, or [AllDevices] as true.
func (e DevicesExpr) MarshalJSON() ([]byte, error) {
	if e == AllDevices {
		return []byte("true"), nil
	}
	return json.Marshal(string(e))
}

// Update changes an alert. If the alert does not exist, Update fails with [ErrNotFound].
//
// UNCERTAIN(alert-id): whether the ID of an alert is always a number.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in the scripts of one author.
func (s *AlertsService) Update(ctx context.Context, project ProjectRef, alertID int64, update AlertUpdate, opts ...CallOption) (*Alert, error) {
	return fetch[Alert](ctx, clientOf(s), operation.AlertsUpdate, requestParams{path: project.path(pathID(alertID)), body: update}, opts)
}
