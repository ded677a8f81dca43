package memfault

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// DeploymentSelector names a deployment by what was deployed, and where to.
type DeploymentSelector struct {
	Cohort  string // a slug
	Release ReleaseSelector
}

func (d DeploymentSelector) validate() error {
	if d.Cohort == "" || d.Release.isIncomplete() {
		return invalid("DeploymentSelector: Cohort is empty, or Release names no version or half a delta")
	}
	return nil
}

func (d DeploymentSelector) listOptions() DeploymentListOptions {
	options := DeploymentListOptions{Cohort: []string{d.Cohort}}
	if d.Release.isDelta() {
		options.DeltaFrom, options.DeltaTo = d.Release.from, d.Release.to
	} else {
		options.Release = []string{d.Release.version}
	}
	return options
}

// selects reports whether a deployment is one that was asked for: Memfault ignores
// query parameters that it does not know, and would list others too.
func (d DeploymentSelector) selects(deployment Deployment) bool {
	cohort := deployment.Cohort.Slug
	return (cohort == "" || cohort == d.Cohort) && deployment.Release.matches(d.Release)
}

// DeploymentSelectionError says that a DeploymentSelector names no active
// deployment, for which errors.Is knows ErrNotFound, or more than one, for which
// it knows ErrConflict.
type DeploymentSelectionError struct {
	Selector DeploymentSelector
	Found    []Deployment // all that were selected, active or not
}

func (e *DeploymentSelectionError) active() []Deployment {
	return slices.DeleteFunc(slices.Clone(e.Found), func(d Deployment) bool { return !d.Status.IsActive() })
}

// Error returns one line that names the ids and statuses of what was found.
func (e *DeploymentSelectionError) Error() string {
	var found []string
	for _, d := range e.Found {
		found = append(found, fmt.Sprintf("%d (%s)", d.ID, d.Status))
	}
	if len(found) == 0 {
		found = []string{"none"}
	}
	return fmt.Sprintf("memfault: %s has %d active deployments on cohort %s, not one; found: %s",
		e.Selector.Release, len(e.active()), e.Selector.Cohort, strings.Join(found, ", "))
}

// Is reports whether the error is of the kind that target names.
func (e *DeploymentSelectionError) Is(target error) bool {
	if len(e.active()) == 0 {
		return target == ErrNotFound
	}
	return target == ErrConflict
}

// Deactivate pulls the active deployment of a release, or of a delta release, on a
// cohort, and returns it as it was before. Unless there is exactly one, nothing is
// changed and the error is a *DeploymentSelectionError.
//
// It lists the deployments, as Memfault's command line tool does, and calls
// DeactivateByID, which is not documented by Memfault.
func (s *DeploymentsService) Deactivate(ctx context.Context, project ProjectRef, selector DeploymentSelector, opts ...CallOption) (*Deployment, error) {
	if err := selector.validate(); err != nil {
		return nil, err
	}
	selection := &DeploymentSelectionError{Selector: selector}
	for deployment, err := range s.List(project, selector.listOptions(), opts...).All(ctx) {
		if err != nil {
			return nil, err
		}
		again := slices.ContainsFunc(selection.Found, func(d Deployment) bool { return d.ID == deployment.ID })
		if !again && selector.selects(deployment) {
			selection.Found = append(selection.Found, deployment)
		}
	}
	active := selection.active()
	if len(active) != 1 {
		return nil, selection
	}
	if err := s.DeactivateByID(ctx, project, active[0].ID, opts...); err != nil {
		return nil, err
	}
	return &active[0], nil
}
