package memfault

import (
	"context"

	"github.com/memfault-go/memfault/internal/operation"
)

// OrganizationsService reads organizations.
type OrganizationsService struct{ client *Client }

// Organization is a company, or a part of one, with its projects.
type Organization struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

// OrganizationListOptions selects organizations.
type OrganizationListOptions struct {
	ListOptions
}

// List returns the organizations that the credential can access.
//
// UNCERTAIN(organizations-list-form): whether the response has the form of Memfault's other lists,
// as the package expects.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/docs/ci/authentication
func (s *OrganizationsService) List(options OrganizationListOptions, opts ...CallOption) *Pager[Organization] {
	return list[Organization](clientOf(s), operation.OrganizationsList, nil, options, opts)
}

// Get returns an organization by its slug.
//
// UNCERTAIN(organizations-retrieve-form): whether the response has the form of Memfault's other
// objects, as the package expects.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api
func (s *OrganizationsService) Get(ctx context.Context, organizationSlug string, opts ...CallOption) (*Organization, error) {
	return fetch[Organization](ctx, clientOf(s), operation.OrganizationsRetrieve, requestParams{path: []string{organizationSlug}}, opts)
}
