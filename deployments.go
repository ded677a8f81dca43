package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// DeploymentsService deploys releases to cohorts.
type DeploymentsService struct{ client *Client }

// Deployment is a release made available to the devices of a cohort.
type Deployment struct {
	ID             int64             `json:"id"`
	Type           DeploymentType    `json:"type"`
	Status         DeploymentStatus  `json:"status"`
	RolloutPercent int               `json:"rollout_percent"` // of a staged rollout; says nothing of a normal one
	Release        DeploymentRelease `json:"release"`
	Cohort         CohortRef         `json:"cohort"`
	Deployer       *UserRef          `json:"deployer"`   // nil when an organization token deployed
	ExtraInfo      json.RawMessage   `json:"extra_info"` // the object that was stored with it, or null
	CreatedDate    Timestamp         `json:"created_date"`
	UpdatedDate    Timestamp         `json:"updated_date"`
	DeployedDate   Timestamp         `json:"deployed_date"`
}

// DeploymentType is how a deployment reaches the devices of its cohort.
type DeploymentType string

// The types of deployments: to all devices at once, or to a percentage of them.
const (
	DeploymentTypeNormal        DeploymentType = "normal"
	DeploymentTypeStagedRollout DeploymentType = "staged_rollout"
)

// DeploymentStatus is where a deployment stands.
type DeploymentStatus string

// The statuses of deployments that were seen. One that was deactivated is pulled.
const (
	DeploymentStatusDone       DeploymentStatus = "done"
	DeploymentStatusInProgress DeploymentStatus = "in_progress"
	DeploymentStatusPulled     DeploymentStatus = "pulled"
	DeploymentStatusAborted    DeploymentStatus = "aborted"
)

// IsActive reports whether devices are offered the release: the deployment is done
// or in progress.
func (s DeploymentStatus) IsActive() bool {
	return s == DeploymentStatusDone || s == DeploymentStatusInProgress
}

// DeploymentCreate describes a new deployment.
type DeploymentCreate struct {
	Type    DeploymentType  `json:"type"`    // required
	Release ReleaseSelector `json:"release"` // required
	Cohort  string          `json:"cohort"`  // a slug; required
	// RolloutPercent is the share of the cohort's devices that are offered the
	// release, from 1 to 100. A staged rollout needs it, no other type takes it.
	RolloutPercent int            `json:"rollout_percent,omitempty"`
	ExtraInfo      map[string]any `json:"extra_info,omitempty"`
}

func (d DeploymentCreate) validate() error {
	fail := func(format string, args ...any) error {
		return invalid("DeploymentCreate: "+format, args...)
	}
	switch staged := d.Type == DeploymentTypeStagedRollout; {
	case d.Type == "":
		return fail("Type is empty")
	case d.Release.isIncomplete():
		return fail("Release names no version, or half a delta")
	case d.Cohort == "":
		return fail("Cohort is empty")
	case staged && (d.RolloutPercent < 1 || d.RolloutPercent > 100):
		return fail("RolloutPercent is %d; a staged rollout needs one from 1 to 100", d.RolloutPercent)
	case !staged && d.RolloutPercent != 0:
		return fail("RolloutPercent is for a staged rollout, and Type is %s", d.Type)
	default:
		return nil
	}
}

// DeploymentUpdate holds the fields of a deployment to change. Memfault shows
// ExtraInfo; whether it takes RolloutPercent and Status is UNCERTAIN.
type DeploymentUpdate struct {
	ExtraInfo      Opt[map[string]any]   `json:"extra_info,omitzero"`
	RolloutPercent Opt[int]              `json:"rollout_percent,omitzero"`
	Status         Opt[DeploymentStatus] `json:"status,omitzero"`
}

// SortDeployedDate sorts deployments by when they were deployed.
const SortDeployedDate = "deployed_date"

// DeploymentListOptions selects deployments. Its sort key is SortDeployedDate; the
// newest come first unless Sort says otherwise.
type DeploymentListOptions struct {
	ListOptions
	Release []string  `url:"release,omitempty"` // versions
	Cohort  []string  `url:"cohort,omitempty"`  // slugs
	Since   Timestamp `url:"since,omitempty"`   // deployed then or later
	Until   Timestamp `url:"until,omitempty"`
	// DeltaFrom and DeltaTo name a delta release, in place of Release. Seen only in
	// Memfault's command line tool.
	DeltaFrom string `url:"delta_from,omitempty"`
	DeltaTo   string `url:"delta_to,omitempty"`
}

// List returns the deployments of a project, pulled ones included.
//
// Memfault: https://docs.memfault.com/api/list-deployments
func (s *DeploymentsService) List(project ProjectRef, options DeploymentListOptions, opts ...CallOption) *Pager[Deployment] {
	return list[Deployment](clientOf(s), operation.DeploymentsList, project.path(), options, opts)
}

// Get returns a deployment.
//
// Memfault: https://docs.memfault.com/api/deployments
func (s *DeploymentsService) Get(ctx context.Context, project ProjectRef, deploymentID int64, opts ...CallOption) (*Deployment, error) {
	return fetch[Deployment](ctx, clientOf(s), operation.DeploymentsRetrieve, requestParams{path: project.path(pathID(deploymentID))}, opts)
}

// Create deploys a release, or a delta release, to a cohort. Devices are offered
// the highest version that is deployed to their cohort, not the newest deployment.
//
// A release that is active on the cohort already is an *Error whose Message
// contains "already active"; its status is UNCERTAIN. ErrForbidden is what a
// restricted organization token gets.
//
// Memfault: https://docs.memfault.com/api/create-deployment
func (s *DeploymentsService) Create(ctx context.Context, project ProjectRef, create DeploymentCreate, opts ...CallOption) (*Deployment, error) {
	if err := create.validate(); err != nil {
		return nil, err
	}
	return fetch[Deployment](ctx, clientOf(s), operation.DeploymentsCreate, requestParams{path: project.path(), body: create}, opts)
}

// Update changes a deployment.
//
// Memfault: https://docs.memfault.com/api/update-deployment
func (s *DeploymentsService) Update(ctx context.Context, project ProjectRef, deploymentID int64, update DeploymentUpdate, opts ...CallOption) (*Deployment, error) {
	return fetch[Deployment](ctx, clientOf(s), operation.DeploymentsUpdate, requestParams{path: project.path(pathID(deploymentID)), body: update}, opts)
}

// DeactivateByID pulls a deployment: devices are no longer offered its release, and
// its status becomes DeploymentStatusPulled. Seen only in Memfault's command line
// tool; not documented by Memfault. See Deactivate.
func (s *DeploymentsService) DeactivateByID(ctx context.Context, project ProjectRef, deploymentID int64, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.DeploymentsDeactivate, requestParams{path: project.path(pathID(deploymentID))}, opts)
}
