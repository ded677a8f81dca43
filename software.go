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
	SoftwareVersionStringFormat *string          `json:"software_version_string_format"` // nil when versions have none
	SoftwareVersionsCount       int              `json:"software_versions_count"`
	LatestSoftwareVersion       *SoftwareVersion `json:"latest_software_version"` // nil when there is none
	CreatedDate                 Timestamp        `json:"created_date"`
}

// SoftwareVersion is a version of a software type.
type SoftwareVersion struct {
	ID           int64           `json:"id"`
	Version      string          `json:"version"`
	Revision     string          `json:"revision"`
	Archived     bool            `json:"archived"`
	SoftwareType SoftwareTypeRef `json:"software_type"`
	SymbolFile   *SymbolFile     `json:"symbol_file"` // nil when no symbols were uploaded
	CreatedDate  Timestamp       `json:"created_date"`
	UpdatedDate  Timestamp       `json:"updated_date"`
}

// SymbolFile names the symbols of a software version.
type SymbolFile struct {
	ID           int64 `json:"id"`
	Downloadable bool  `json:"downloadable"`
}

// SoftwareTypeListOptions selects software types.
type SoftwareTypeListOptions struct {
	ListOptions
}

// SoftwareVersionListOptions selects software versions.
type SoftwareVersionListOptions struct {
	ListOptions
}

// SoftwareVersionCreate describes a new software version. Memfault documents no
// body: both fields are UNCERTAIN.
type SoftwareVersionCreate struct {
	Version  string `json:"version"` // required
	Revision string `json:"revision,omitempty"`
}

// ListTypes returns the software types of a project. Seen only in a program of one
// chip maker; not documented by Memfault.
func (s *SoftwareService) ListTypes(project ProjectRef, options SoftwareTypeListOptions, opts ...CallOption) *Pager[SoftwareType] {
	return list[SoftwareType](clientOf(s), operation.SoftwareTypesList, project.path(), options, opts)
}

// ListVersions returns the versions of a software type, which is given by its name.
// Seen only in an outline of the API by others, so UNCERTAIN; not documented by
// Memfault.
func (s *SoftwareService) ListVersions(project ProjectRef, softwareType string, options SoftwareVersionListOptions, opts ...CallOption) *Pager[SoftwareVersion] {
	return list[SoftwareVersion](clientOf(s), operation.SoftwareVersionsList, project.path(softwareType), options, opts)
}

// GetVersion returns a version of a software type, which is given by its name. A
// version exists from the upload of its first payload or symbols on;
// SoftwareVersion.SymbolFile tells whether it has symbols. Seen only in Memfault's
// own debugger script; not documented by Memfault.
func (s *SoftwareService) GetVersion(ctx context.Context, project ProjectRef, softwareType, version string, opts ...CallOption) (*SoftwareVersion, error) {
	return fetch[SoftwareVersion](ctx, clientOf(s), operation.SoftwareVersionsRetrieve, requestParams{path: project.path(softwareType, version)}, opts)
}

// CreateVersion makes a version of a software type. There is no need to before an
// upload of symbols or a payload, which makes it. The body that is sent is
// UNCERTAIN, and so is the status of a version that exists; ErrConflict is likely.
//
// Memfault: https://docs.memfault.com/api/create-software-version
func (s *SoftwareService) CreateVersion(ctx context.Context, project ProjectRef, softwareType string, create SoftwareVersionCreate, opts ...CallOption) (*SoftwareVersion, error) {
	return fetch[SoftwareVersion](ctx, clientOf(s), operation.SoftwareVersionsCreate, requestParams{path: project.path(softwareType), body: create}, opts)
}
