package memfault

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// DeploymentSelector selects a deployment by its release and its cohort.
type DeploymentSelector struct {
	Cohort  string // a slug
	Release ReleaseSelector
}

func (d DeploymentSelector) validate() error {
	switch {
	case d.Cohort == "":
		return invalid("DeploymentSelector: Cohort must not be empty")
	case d.Release.isIncomplete():
		return invalid("DeploymentSelector: Release must have a version, or both versions of a delta release")
	default:
		return nil
	}
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

// selects reports whether d selects the deployment. Memfault ignores unknown query parameters,
// and then lists other deployments too.
func (d DeploymentSelector) selects(deployment Deployment) bool {
	cohort := deployment.Cohort.Slug
	return (cohort == "" || cohort == d.Cohort) && deployment.Release.matches(d.Release)
}

// DeploymentSelectionError is returned if a [DeploymentSelector] does not select exactly one
// active deployment. errors.Is matches it with [ErrNotFound] if there is none, and with
// [ErrConflict] if there are several.
type DeploymentSelectionError struct {
	Selector DeploymentSelector
	Found    []Deployment // all selected deployments, active or not
}

func (e *DeploymentSelectionError) active() []Deployment {
	return slices.DeleteFunc(slices.Clone(e.Found), func(d Deployment) bool { return !d.Status.IsActive() })
}

// Error returns one line with the IDs and the statuses of the selected deployments.
func (e *DeploymentSelectionError) Error() string {
	var found []string
	for _, d := range e.Found {
		found = append(found, fmt.Sprintf("%d (%s)", d.ID, d.Status))
	}
	if len(found) == 0 {
		found = []string{"none"}
	}
	return fmt.Sprintf("memfault: expected 1 active deployment of %s on cohort %s, got %d; found: %s",
		e.Selector.Release, e.Selector.Cohort, len(e.active()), strings.Join(found, ", "))
}

// Is reports whether target is the kind of e, for use with errors.Is.
func (e *DeploymentSelectionError) Is(target error) bool {
	if len(e.active()) == 0 {
		return target == ErrNotFound
	}
	return target == ErrConflict
}

// Deactivate pulls the active deployment of a release, or of a delta release, on a cohort. It
// returns the deployment as it was before.
//
// If there is not exactly one such deployment, Deactivate changes nothing and fails with a
// [*DeploymentSelectionError]. Deactivate lists the deployments and calls
// [DeploymentsService.DeactivateByID].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's command-line tool.
func (s *DeploymentsService) Deactivate(ctx context.Context, project ProjectRef, selector DeploymentSelector, opts ...CallOption) (*Deployment, error) {
	if err := selector.validate(); err != nil {
		return nil, err
	}
	selection, err := s.find(ctx, project, selector, opts)
	if err != nil {
		return nil, err
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

// find returns the deployments that a selector selects, the newest first, as an error that
// counts them.
func (s *DeploymentsService) find(ctx context.Context, project ProjectRef, selector DeploymentSelector, opts []CallOption) (*DeploymentSelectionError, error) {
	all, err := s.collect(ctx, project, selector.listOptions(), opts)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(all, func(d Deployment) bool { return !selector.selects(d) })
	return &DeploymentSelectionError{Selector: selector, Found: found}, nil
}
