package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// DeploymentsService deploys releases to cohorts.
type DeploymentsService struct{ client *Client }

// Deployment makes a release available to the devices of a cohort.
type Deployment struct {
	ID             int64             `json:"id"`
	Type           DeploymentType    `json:"type"`
	Status         DeploymentStatus  `json:"status"`
	RolloutPercent int               `json:"rollout_percent"` // meaningful only for a staged rollout
	Release        DeploymentRelease `json:"release"`
	Cohort         CohortRef         `json:"cohort"`
	Deployer       *UserRef          `json:"deployer"`   // nil if an organization token deployed
	ExtraInfo      json.RawMessage   `json:"extra_info"` // stored object, or null
	CreatedDate    Timestamp         `json:"created_date"`
	UpdatedDate    Timestamp         `json:"updated_date"`
	DeployedDate   Timestamp         `json:"deployed_date"`
}

// DeploymentType is the way in which a deployment reaches the devices of its cohort.
type DeploymentType string

// Types of deployments: to all devices, or to a percentage of them.
const (
	DeploymentTypeNormal        DeploymentType = "normal"
	DeploymentTypeStagedRollout DeploymentType = "staged_rollout"
)

// DeploymentStatus is the state of a deployment.
type DeploymentStatus string

// Statuses of deployments that were observed. A deactivated deployment is pulled.
const (
	DeploymentStatusDone       DeploymentStatus = "done"
	DeploymentStatusInProgress DeploymentStatus = "in_progress"
	DeploymentStatusPulled     DeploymentStatus = "pulled"
	DeploymentStatusAborted    DeploymentStatus = "aborted"
)

// IsActive reports whether the deployment can offer its release to devices: every status but
// pulled and aborted counts as active.
//
// UNCERTAIN(deployment-statuses): whether Memfault has other statuses that are not active. One
// program counts as this method does; Memfault's command-line tool counts only done and
// in_progress. Both agree for the statuses that were observed.
func (s DeploymentStatus) IsActive() bool {
	return s != DeploymentStatusPulled && s != DeploymentStatusAborted
}

// DeploymentCreate describes a new deployment.
type DeploymentCreate struct {
	Type    DeploymentType  `json:"type"`    // required
	Release ReleaseSelector `json:"release"` // required
	Cohort  string          `json:"cohort"`  // required; a slug
	// RolloutPercent is the share of the cohort's devices that are offered the release. It
	// must be between 1 and 100 for a staged rollout, and 0 otherwise. Each device is selected or
	// not at random, so that a small cohort can be far from the percentage: of 100 devices at 10 %,
	// some 4 to 16 are offered the release, and of 5 devices perhaps none. A wait for exactly that
	// share ([CohortsService.WaitForVersion]) may never end.
	RolloutPercent int            `json:"rollout_percent,omitempty"`
	ExtraInfo      map[string]any `json:"extra_info,omitempty"`
}

func (d DeploymentCreate) validate() error {
	fail := func(format string, args ...any) error {
		return invalid("DeploymentCreate: "+format, args...)
	}
	switch staged := d.Type == DeploymentTypeStagedRollout; {
	case d.Type == "":
		return fail("Type must not be empty")
	case d.Release.isIncomplete():
		return fail("Release must have a version, or both versions of a delta release")
	case d.Cohort == "":
		return fail("Cohort must not be empty")
	case staged && (d.RolloutPercent < 1 || d.RolloutPercent > 100):
		return fail("RolloutPercent must be between 1 and 100 for a staged rollout, got %d", d.RolloutPercent)
	case !staged && d.RolloutPercent != 0:
		return fail("RolloutPercent must be 0 for Type %q", d.Type)
	default:
		return nil
	}
}

// DeploymentUpdate contains the fields of a deployment to change.
//
// UNCERTAIN(deployment-update-fields): whether Memfault accepts RolloutPercent and Status. Its
// documentation shows only ExtraInfo.
type DeploymentUpdate struct {
	ExtraInfo      Opt[map[string]any]   `json:"extra_info,omitzero"`
	RolloutPercent Opt[int]              `json:"rollout_percent,omitzero"`
	Status         Opt[DeploymentStatus] `json:"status,omitzero"`
}

// SortDeployedDate sorts deployments by the time at which they were deployed.
const SortDeployedDate = "deployed_date"

// DeploymentListOptions filters and sorts deployments. The sort key is [SortDeployedDate]. By
// default, the newest deployments come first.
type DeploymentListOptions struct {
	ListOptions
	Release []string  `url:"release,omitempty"` // versions
	Cohort  []string  `url:"cohort,omitempty"`  // slugs
	Since   Timestamp `url:"since,omitempty"`   // deployed at that time or later
	Until   Timestamp `url:"until,omitempty"`
	// DeltaFrom and DeltaTo select a delta release. They replace Release. Observed only in
	// Memfault's command-line tool.
	DeltaFrom string `url:"delta_from,omitempty"`
	DeltaTo   string `url:"delta_to,omitempty"`
}

// List returns the deployments of a project, including pulled deployments.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-deployments
func (s *DeploymentsService) List(project ProjectRef, options DeploymentListOptions, opts ...CallOption) *Pager[Deployment] {
	return list[Deployment](clientOf(s), operation.DeploymentsList, project.path(), options, opts)
}

// Get returns a deployment.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/deployments
func (s *DeploymentsService) Get(ctx context.Context, project ProjectRef, deploymentID int64, opts ...CallOption) (*Deployment, error) {
	return fetch[Deployment](ctx, clientOf(s), operation.DeploymentsRetrieve, requestParams{path: project.path(pathID(deploymentID))}, opts)
}

// Create deploys a release, or a delta release, to a cohort. The highest deployed version
// counts, not the newest deployment; see [ReleasesService.Latest] for the release that a
// device is offered.
//
// If the release is already active on the cohort, Create fails with an [*Error] whose Message
// contains "already active"; see [DeploymentsService.Ensure]. UNCERTAIN(already-active-status):
// which status that error has. With a restricted [OrganizationToken], Create fails with
// [ErrForbidden].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-deployment
func (s *DeploymentsService) Create(ctx context.Context, project ProjectRef, create DeploymentCreate, opts ...CallOption) (*Deployment, error) {
	if err := create.validate(); err != nil {
		return nil, err
	}
	return fetch[Deployment](ctx, clientOf(s), operation.DeploymentsCreate, requestParams{path: project.path(), body: create}, opts)
}

// Update changes a deployment. To change the percentage of a staged rollout, use
// [DeploymentsService.SetRolloutPercent], which checks the result.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/update-a-deployment
func (s *DeploymentsService) Update(ctx context.Context, project ProjectRef, deploymentID int64, update DeploymentUpdate, opts ...CallOption) (*Deployment, error) {
	return fetch[Deployment](ctx, clientOf(s), operation.DeploymentsUpdate, requestParams{path: project.path(pathID(deploymentID)), body: update}, opts)
}

// DeactivateByID pulls a deployment: devices are no longer offered its release, and its status
// becomes [DeploymentStatusPulled]. To find the deployment by its release, use
// [DeploymentsService.Deactivate].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *DeploymentsService) DeactivateByID(ctx context.Context, project ProjectRef, deploymentID int64, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.DeploymentsDeactivate, requestParams{path: project.path(pathID(deploymentID))}, opts)
}
