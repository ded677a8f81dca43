package memfault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/memfault-go/memfault/internal/semver"
)

// DeploymentMismatchError is returned by [DeploymentsService.Ensure] if the release is active
// on the cohort with another type or percentage than requested. errors.Is matches it with
// [ErrConflict].
type DeploymentMismatchError struct {
	Create DeploymentCreate // what was requested
	Active Deployment       // what is active; unchanged
}

// Error returns one line with the ID of the active deployment and both forms.
func (e *DeploymentMismatchError) Error() string {
	return fmt.Sprintf("memfault: deployment %d of %s is already active on cohort %s with %s, want %s", e.Active.ID, e.Create.Release,
		e.Create.Cohort, deploymentForm(e.Active.Type, e.Active.RolloutPercent), deploymentForm(e.Create.Type, e.Create.RolloutPercent))
}

// Is reports whether target is [ErrConflict].
func (e *DeploymentMismatchError) Is(target error) bool { return target == ErrConflict }

func deploymentForm(kind DeploymentType, percent int) string {
	if kind == DeploymentTypeStagedRollout {
		return fmt.Sprintf("type %s at %d%%", kind, percent)
	}
	return "type " + string(kind)
}

// has reports whether the active deployment has the requested type and percentage. Memfault
// sends different percentages for normal deployments, so they are compared only for a staged
// rollout.
func (d DeploymentCreate) has(active Deployment) bool {
	return active.Type == d.Type && (d.Type != DeploymentTypeStagedRollout || active.RolloutPercent == d.RolloutPercent)
}

// Ensure deploys a release, or a delta release, to a cohort, or returns the deployment if the
// release is already active there. It is safe to call Ensure again.
//
// If the release is active with another type, or as a staged rollout with another percentage,
// Ensure changes nothing and fails with a [*DeploymentMismatchError]; see
// [DeploymentsService.EnsureRollout]. It does not compare ExtraInfo. If the response to the
// deployment is lost, Ensure looks whether Memfault carried it out. If Memfault rejects the
// deployment for another reason, Ensure fails as [DeploymentsService.Create] does.
//
// UNCERTAIN(already-active-status): which status the rejection of an active release has. Ensure
// recognizes 409, and the text "already active". UNCERTAIN(second-deployment): whether Memfault
// also rejects a second deployment of another type or percentage. If it accepts the deployment,
// Ensure returns it.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-deployment
func (s *DeploymentsService) Ensure(ctx context.Context, project ProjectRef, create DeploymentCreate, opts ...CallOption) (*Deployment, error) {
	deployment, err := s.Create(ctx, project, create, opts...)
	if err == nil || !isLost(err) && !isAlreadyActive(err) {
		return deployment, err
	}
	selection, listErr := s.find(ctx, project, DeploymentSelector{Cohort: create.Cohort, Release: create.Release}, opts)
	switch {
	case listErr != nil && isLost(err):
		return nil, err
	case listErr != nil:
		return nil, listErr
	}
	active := selection.active()
	if len(active) == 0 {
		return nil, err
	}
	if i := slices.IndexFunc(active, create.has); i >= 0 {
		return &active[i], nil
	}
	return nil, &DeploymentMismatchError{Create: create, Active: active[0]}
}

func isAlreadyActive(err error) bool {
	var rejected *Error
	if !errors.As(err, &rejected) {
		return false
	}
	text := strings.ToLower(rejected.Message + string(rejected.Details))
	return errors.Is(err, ErrConflict) || strings.Contains(text, "already active")
}

// RolloutOptions configures [DeploymentsService.EnsureRollout].
type RolloutOptions struct {
	// Replace deactivates the deployment and creates another one if Memfault rejects the change
	// of its percentage. In between, devices are not offered the release.
	Replace bool
}

// EnsureRollout creates a staged rollout, or raises its percentage if the release is already
// active on the cohort with a lower one. It never lowers a percentage and never changes a full
// deployment: it returns the deployment as it is, whose reach is the requested one or wider. It
// is safe to call EnsureRollout again, also after a replacement that was interrupted.
//
// Memfault is not known to change a percentage; see [DeploymentsService.SetRolloutPercent]. If
// it rejects the change, EnsureRollout fails with its error, unless [RolloutOptions.Replace] is
// set.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-deployment
func (s *DeploymentsService) EnsureRollout(ctx context.Context, project ProjectRef, create DeploymentCreate, options RolloutOptions, opts ...CallOption) (*Deployment, error) {
	if create.Type != DeploymentTypeStagedRollout {
		return nil, invalid("EnsureRollout: Type must be %s, got %q", DeploymentTypeStagedRollout, create.Type)
	}
	if err := create.validate(); err != nil {
		return nil, err
	}
	selection, err := s.find(ctx, project, DeploymentSelector{Cohort: create.Cohort, Release: create.Release}, opts)
	if err != nil {
		return nil, err
	}
	active := selection.active()
	if len(active) == 0 {
		return s.Ensure(ctx, project, create, opts...)
	}
	widest := slices.MaxFunc(active, func(a, b Deployment) int { return cmp.Compare(a.reach(), b.reach()) })
	if widest.reach() >= create.RolloutPercent {
		return &widest, nil
	}
	raised, err := s.SetRolloutPercent(ctx, project, widest.ID, create.RolloutPercent, opts...)
	rejected := errors.Is(err, ErrBadRequest) || errors.Is(err, ErrUnexpectedResponse) && !errors.Is(err, ErrTemporary)
	if !rejected || !options.Replace {
		return raised, err
	}
	if err := s.DeactivateByID(ctx, project, widest.ID, opts...); err != nil {
		return nil, err
	}
	return s.Ensure(ctx, project, create, opts...)
}

// reach returns the percentage of the devices that are offered the release.
func (d *Deployment) reach() int {
	if d.Type == DeploymentTypeStagedRollout {
		return d.RolloutPercent
	}
	return 100
}

// Active returns the deployments that are active on a cohort, those with the highest version
// first. Devices are offered the highest version above their own, not the newest deployment,
// so an older deployment of a higher version shadows a newer one. [ReleasesService.Latest]
// describes all rules.
//
// The order is that of Semantic Versioning. Deployments of the same precedence are sorted by
// their time, the newest first; those whose version is not a semantic version follow in the
// same order. The version of a delta release is the one to which it updates. Deployments of
// all hardware versions and software types are returned. If the cohort does not exist, there
// are none.
//
// [DeploymentStatus.IsActive] describes which statuses count as active.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-deployments
func (s *DeploymentsService) Active(ctx context.Context, project ProjectRef, cohortSlug string, opts ...CallOption) ([]Deployment, error) {
	if cohortSlug == "" {
		return nil, invalid("Deployments.Active: cohort must not be empty")
	}
	all, err := s.collect(ctx, project, DeploymentListOptions{Cohort: []string{cohortSlug}}, opts)
	if err != nil {
		return nil, err
	}
	active := slices.DeleteFunc(all, func(d Deployment) bool {
		return !d.Status.IsActive() || d.Cohort.Slug != "" && d.Cohort.Slug != cohortSlug
	})
	slices.SortFunc(active, compareDeployments)
	return active, nil
}

// collect lists deployments, each once. A deployment that is created while the list is read
// moves the others to later pages.
func (s *DeploymentsService) collect(ctx context.Context, project ProjectRef, options DeploymentListOptions, opts []CallOption) ([]Deployment, error) {
	var all []Deployment
	seen := map[int64]bool{}
	for deployment, err := range s.List(project, options, opts...).All(ctx) {
		if err != nil {
			return nil, err
		}
		if !seen[deployment.ID] {
			seen[deployment.ID] = true
			all = append(all, deployment)
		}
	}
	return all, nil
}

// compareDeployments sorts the highest version first.
func compareDeployments(a, b Deployment) int {
	versionA, okA := semver.Parse(a.Release.target())
	versionB, okB := semver.Parse(b.Release.target())
	newest := cmp.Or(b.DeployedDate.Compare(a.DeployedDate.Time), cmp.Compare(b.ID, a.ID))
	switch {
	case okA && okB:
		return cmp.Or(versionB.Compare(versionA), newest)
	case okA:
		return -1
	case okB:
		return 1
	default:
		return newest
	}
}

// SetRolloutPercent changes the share of the cohort's devices that a staged rollout offers the
// release. percent must be between 1 and 100; see [DeploymentCreate] for what it means for a small
// cohort.
//
// UNCERTAIN(deployment-update-fields): whether Memfault accepts the change. It documents no way to
// change a rollout, and its example of an update changes only the extra info. If the response has
// another percentage, or the deployment is not a staged rollout, SetRolloutPercent fails with
// [ErrUnexpectedResponse]. What is known to work is to deactivate the deployment
// ([DeploymentsService.DeactivateByID]) and to create another. In between, devices are not offered
// the release. UNCERTAIN(rollout-selection): whether the new rollout selects the same devices.
//
// UNCERTAIN(rollout-complete): whether 100 percent ends a rollout, so that its status becomes
// done. No operation that pauses, resumes or aborts a rollout is known.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/update-a-deployment
func (s *DeploymentsService) SetRolloutPercent(ctx context.Context, project ProjectRef, deploymentID int64, percent int, opts ...CallOption) (*Deployment, error) {
	if percent < 1 || percent > 100 {
		return nil, invalid("SetRolloutPercent: percent must be between 1 and 100, got %d", percent)
	}
	deployment, err := s.Update(ctx, project, deploymentID, DeploymentUpdate{RolloutPercent: Set(percent)}, opts...)
	if err != nil {
		return nil, err
	}
	if deployment.Type != DeploymentTypeStagedRollout || deployment.RolloutPercent != percent {
		return nil, newKindError(ErrUnexpectedResponse, "SetRolloutPercent: deployment %d has %s, want %s", deploymentID,
			deploymentForm(deployment.Type, deployment.RolloutPercent), deploymentForm(DeploymentTypeStagedRollout, percent))
	}
	return deployment, nil
}
