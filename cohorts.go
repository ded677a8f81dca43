package memfault

import (
	"context"
	"errors"

	"github.com/memfault-go/memfault/internal/operation"
)

// CohortsService manages cohorts, the groups of devices to which releases are deployed.
type CohortsService struct{ client *Client }

// Cohort is a group of devices. Each project has a cohort with the slug default.
type Cohort struct {
	ID                             int64        `json:"id"`
	Name                           string       `json:"name"`
	Slug                           string       `json:"slug"`
	CountDevices                   int          `json:"count_devices"`
	CountActiveDeployments         int          `json:"count_active_deployments"`
	CountActiveReleases            int          `json:"count_active_releases"`
	CountStagedDevices             int          `json:"count_staged_devices"`
	LastDeployment                 *Deployment  `json:"last_deployment"` // nil if nothing was deployed
	Deployments                    []Deployment `json:"deployments"`     // only in some responses
	BypassPrimarySoftwareTypeCheck bool         `json:"bypass_primary_software_type_check"`
	BypassVersionChecks            bool         `json:"bypass_version_checks"`
	IgnoreTraces                   bool         `json:"ignore_traces"`
	ReturnEqualLatestReleases      bool         `json:"return_equal_latest_releases"`
	UpdatesEnabled                 bool         `json:"updates_enabled"`
	CreatedDate                    Timestamp    `json:"created_date"`
	UpdatedDate                    Timestamp    `json:"updated_date"`
}

// CohortCreate describes a new cohort.
type CohortCreate struct {
	Name string `json:"name"`           // required
	Slug string `json:"slug,omitempty"` // by default, derived from the name
}

// CohortUpdate contains the fields of a cohort to change.
//
// UNCERTAIN(cohort-update-fields): whether Memfault accepts fields other than Name and Slug, the
// only fields that it documents.
type CohortUpdate struct {
	Name                           Opt[string] `json:"name,omitzero"`
	Slug                           Opt[string] `json:"slug,omitzero"`
	BypassPrimarySoftwareTypeCheck Opt[bool]   `json:"bypass_primary_software_type_check,omitzero"`
	BypassVersionChecks            Opt[bool]   `json:"bypass_version_checks,omitzero"`
	IgnoreTraces                   Opt[bool]   `json:"ignore_traces,omitzero"`
	ReturnEqualLatestReleases      Opt[bool]   `json:"return_equal_latest_releases,omitzero"`
	UpdatesEnabled                 Opt[bool]   `json:"updates_enabled,omitzero"`
}

// CohortListOptions filters and sorts cohorts. The sort key is [SortCreatedDate].
type CohortListOptions struct {
	ListOptions
	Name []string `url:"name,omitempty"`
	Slug []string `url:"slug,omitempty"`
}

// CohortDeviceListOptions selects a page of the devices of a cohort.
type CohortDeviceListOptions struct {
	ListOptions
}

// List returns the cohorts of a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-cohorts
func (s *CohortsService) List(project ProjectRef, options CohortListOptions, opts ...CallOption) *Pager[Cohort] {
	return list[Cohort](clientOf(s), operation.CohortsList, project.path(), options, opts)
}

// Get returns a cohort by its slug.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-a-cohort
func (s *CohortsService) Get(ctx context.Context, project ProjectRef, cohortSlug string, opts ...CallOption) (*Cohort, error) {
	return fetch[Cohort](ctx, clientOf(s), operation.CohortsRetrieve, requestParams{path: project.path(cohortSlug)}, opts)
}

// Create creates a cohort. If the cohort exists, Create fails with [ErrConflict]; see
// [CohortsService.Ensure].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-cohort
func (s *CohortsService) Create(ctx context.Context, project ProjectRef, create CohortCreate, opts ...CallOption) (*Cohort, error) {
	return fetch[Cohort](ctx, clientOf(s), operation.CohortsCreate, requestParams{path: project.path(), body: create}, opts)
}

// Ensure creates a cohort, or returns the existing cohort with the same slug, or with the same
// name if create has no slug. It does not change an existing cohort. If the response is lost,
// Ensure looks whether the cohort exists now.
//
// If the name is in use with another slug, Ensure fails with [ErrConflict].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-cohort
func (s *CohortsService) Ensure(ctx context.Context, project ProjectRef, create CohortCreate, opts ...CallOption) (*Cohort, error) {
	cohort, err := s.Create(ctx, project, create, opts...)
	if !mayExist(err) {
		return cohort, err
	}
	if create.Slug != "" {
		existing, getErr := s.Get(ctx, project, create.Slug, opts...)
		if getErr == nil || !isLost(err) && !errors.Is(getErr, ErrNotFound) {
			return existing, getErr
		}
		return nil, err // it does not exist, or the name is in use with another slug
	}
	for existing, listErr := range s.List(project, CohortListOptions{Name: []string{create.Name}}, opts...).All(ctx) {
		if listErr != nil && isLost(err) {
			return nil, err
		}
		if listErr != nil {
			return nil, listErr
		}
		if existing.Name == create.Name {
			return &existing, nil
		}
	}
	return nil, err
}

// Update changes a cohort.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/cohorts
func (s *CohortsService) Update(ctx context.Context, project ProjectRef, cohortSlug string, update CohortUpdate, opts ...CallOption) (*Cohort, error) {
	return fetch[Cohort](ctx, clientOf(s), operation.CohortsUpdate, requestParams{path: project.path(cohortSlug), body: update, once: !update.Slug.IsZero()}, opts)
}

// Delete removes a cohort.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/cohorts
func (s *CohortsService) Delete(ctx context.Context, project ProjectRef, cohortSlug string, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.CohortsDelete, requestParams{path: project.path(cohortSlug)}, opts)
}

// ListDevices returns the devices of a cohort.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/cohorts
func (s *CohortsService) ListDevices(project ProjectRef, cohortSlug string, options CohortDeviceListOptions, opts ...CallOption) *Pager[Device] {
	return list[Device](clientOf(s), operation.CohortsListDevices, project.path(cohortSlug), options, opts)
}
