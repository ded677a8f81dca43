package memfault

import (
	"context"

	"github.com/memfault-go/memfault/internal/operation"
)

// SoftwareService manages software types and their versions.
type SoftwareService struct{ client *Client }

// SoftwareType is a kind of software that runs on a product's devices.
type SoftwareType struct {
	ID                          int64            `json:"id"`
	Name                        string           `json:"name"`
	Archived                    bool             `json:"archived"`
	SoftwareVersionStringFormat *string          `json:"software_version_string_format"` // nil if versions have no format
	SoftwareVersionsCount       int              `json:"software_versions_count"`
	LatestSoftwareVersion       *SoftwareVersion `json:"latest_software_version"` // nil if there is none
	CreatedDate                 Timestamp        `json:"created_date"`
}

// SoftwareVersion is a version of a software type.
type SoftwareVersion struct {
	ID           int64           `json:"id"`
	Version      string          `json:"version"`
	Revision     string          `json:"revision"`
	Archived     bool            `json:"archived"`
	SoftwareType SoftwareTypeRef `json:"software_type"`
	SymbolFile   *SymbolFile     `json:"symbol_file"` // nil if no symbols were uploaded
	CreatedDate  Timestamp       `json:"created_date"`
	UpdatedDate  Timestamp       `json:"updated_date"`
}

// SymbolFile identifies the symbols of a software version.
type SymbolFile struct {
	ID           int64 `json:"id"`
	Downloadable bool  `json:"downloadable"`
}

// SoftwareTypeListOptions selects a page of software types.
type SoftwareTypeListOptions struct {
	ListOptions
}

// SoftwareTypeCreate describes a new software type.
type SoftwareTypeCreate struct {
	Name string `json:"name"` // required
}

// SoftwareVersionListOptions selects a page of software versions.
type SoftwareVersionListOptions struct {
	ListOptions
}

// SoftwareVersionCreate describes a new software version.
//
// UNCERTAIN(software-version-body): whether Memfault accepts both fields, because it documents no
// request body.
type SoftwareVersionCreate struct {
	Version  string `json:"version"` // required
	Revision string `json:"revision,omitempty"`
}

// ListTypes returns the software types of a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in a program of one chip maker.
func (s *SoftwareService) ListTypes(project ProjectRef, options SoftwareTypeListOptions, opts ...CallOption) *Pager[SoftwareType] {
	return list[SoftwareType](clientOf(s), operation.SoftwareTypesList, project.path(), options, opts)
}

// CreateType creates a software type. It is not needed before an upload of symbols or of a
// payload, which creates the type.
//
// UNCERTAIN(software-type-create): whether Memfault accepts the request body, and how it responds
// if the type exists; [ErrConflict] is likely.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-software-type
func (s *SoftwareService) CreateType(ctx context.Context, project ProjectRef, create SoftwareTypeCreate, opts ...CallOption) (*SoftwareType, error) {
	return fetch[SoftwareType](ctx, clientOf(s), operation.SoftwareTypesCreate, requestParams{path: project.path(), body: create}, opts)
}

// ListVersions returns the versions of the software type with the given name.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-software-versions
func (s *SoftwareService) ListVersions(project ProjectRef, softwareType string, options SoftwareVersionListOptions, opts ...CallOption) *Pager[SoftwareVersion] {
	return list[SoftwareVersion](clientOf(s), operation.SoftwareVersionsList, project.path(softwareType), options, opts)
}

// GetVersion returns a version of the software type with the given name.
//
// A version exists as soon as its first payload or its symbols are uploaded. If it has no
// symbols, [SoftwareVersion.SymbolFile] is nil.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-a-software-version
func (s *SoftwareService) GetVersion(ctx context.Context, project ProjectRef, softwareType, version string, opts ...CallOption) (*SoftwareVersion, error) {
	return fetch[SoftwareVersion](ctx, clientOf(s), operation.SoftwareVersionsRetrieve, requestParams{path: project.path(softwareType, version)}, opts)
}

// CreateVersion creates a version of a software type. It is not needed before an upload of
// symbols or of a payload, which creates the version.
//
// UNCERTAIN(software-version-create): whether Memfault accepts the request body.
// UNCERTAIN(software-version-exists): how Memfault responds if the version exists; [ErrConflict]
// is likely.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-software-version
func (s *SoftwareService) CreateVersion(ctx context.Context, project ProjectRef, softwareType string, create SoftwareVersionCreate, opts ...CallOption) (*SoftwareVersion, error) {
	return fetch[SoftwareVersion](ctx, clientOf(s), operation.SoftwareVersionsCreate, requestParams{path: project.path(softwareType), body: create}, opts)
}
