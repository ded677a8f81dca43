package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// ReleasesService manages releases and returns the release that a device should install.
type ReleasesService struct{ client *Client }

// Release is a version of a product's software.
//
// [ReleasesService.Latest] and the other methods return different fields of it.
type Release struct {
	ID              int64           `json:"id"`
	Version         string          `json:"version"`
	DisplayName     string          `json:"display_name"`
	MinVersion      string          `json:"min_version"` // empty if any version may be updated
	Revision        string          `json:"revision"`
	Notes           string          `json:"notes"`             // text or HTML
	Reason          string          `json:"reason"`            // why a device is offered it; only by Latest
	MustPassThrough bool            `json:"must_pass_through"` // a device must not skip it
	IsDelta         bool            `json:"is_delta"`
	IsForced        *bool           `json:"is_forced"`  // nil if not decided
	ExtraInfo       json.RawMessage `json:"extra_info"` // stored object, or null
	Artifacts       []Artifact      `json:"artifacts"`  // nil in some older responses
	CountDevices    int             `json:"count_devices"`
	CreatedDate     Timestamp       `json:"created_date"`
	UpdatedDate     Timestamp       `json:"updated_date"`
}

// ReleaseCreate describes a new release.
type ReleaseCreate struct {
	Version    string         `json:"version"` // required
	MinVersion string         `json:"min_version,omitempty"`
	Revision   string         `json:"revision,omitempty"`
	Notes      string         `json:"notes,omitempty"` // text or HTML
	ExtraInfo  map[string]any `json:"extra_info,omitempty"`
}

// ReleaseUpdate contains the fields of a release to change.
type ReleaseUpdate struct {
	Version    Opt[string]         `json:"version,omitzero"`
	MinVersion Opt[string]         `json:"min_version,omitzero"`
	Revision   Opt[string]         `json:"revision,omitzero"`
	Notes      Opt[string]         `json:"notes,omitzero"` // text or HTML
	ExtraInfo  Opt[map[string]any] `json:"extra_info,omitzero"`
}

// ReleaseListOptions filters and sorts releases. The sort key is [SortCreatedDate].
type ReleaseListOptions struct {
	ListOptions
	Version         []string `url:"version,omitempty"`
	Revision        []string `url:"revision,omitempty"`
	HardwareVersion []string `url:"hardware_version,omitempty"`
	BuildID         []string `url:"build_id,omitempty"`
}

// List returns the releases of a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-releases
func (s *ReleasesService) List(project ProjectRef, options ReleaseListOptions, opts ...CallOption) *Pager[Release] {
	return list[Release](clientOf(s), operation.ReleasesList, project.path(), options, opts)
}

// Get returns a release by its version.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-release
func (s *ReleasesService) Get(ctx context.Context, project ProjectRef, releaseVersion string, opts ...CallOption) (*Release, error) {
	return fetch[Release](ctx, clientOf(s), operation.ReleasesRetrieve, requestParams{path: project.path(releaseVersion)}, opts)
}

// Create creates a release. It is not needed before a device reports the release, or before an
// upload of a payload, which create the release.
//
// If the version is in use, Create fails with [ErrConflict], according to Memfault's table of
// statuses. The Location header of the response, see [WithResponse], is the address for
// uploads of binaries.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-a-release
func (s *ReleasesService) Create(ctx context.Context, project ProjectRef, create ReleaseCreate, opts ...CallOption) (*Release, error) {
	return fetch[Release](ctx, clientOf(s), operation.ReleasesCreate, requestParams{path: project.path(), body: create}, opts)
}

// Update changes a release.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/releases
func (s *ReleasesService) Update(ctx context.Context, project ProjectRef, releaseVersion string, update ReleaseUpdate, opts ...CallOption) (*Release, error) {
	return fetch[Release](ctx, clientOf(s), operation.ReleasesUpdate, requestParams{path: project.path(releaseVersion), body: update, once: !update.Version.IsZero()}, opts)
}

// Delete removes a release. If the release is deployed, Delete fails with [ErrConflict];
// deactivate its deployments first, see [DeploymentsService.Deactivate].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/releases
func (s *ReleasesService) Delete(ctx context.Context, project ProjectRef, releaseVersion string, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.ReleasesDelete, requestParams{path: project.path(releaseVersion)}, opts)
}

// ReleaseDelta is a delta release: an update from one version to another.
//
// UNCERTAIN(delta-release-fields): which fields Memfault sends besides the two versions.
type ReleaseDelta struct {
	ID          int64      `json:"id"`
	FromVersion ReleaseRef `json:"from_version"`
	ToVersion   ReleaseRef `json:"to_version"`
}

// DeltaReleaseListOptions selects a page of delta releases.
type DeltaReleaseListOptions struct {
	ListOptions
}

// ListDeltas returns the delta releases of a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in the scripts of one company.
func (s *ReleasesService) ListDeltas(project ProjectRef, options DeltaReleaseListOptions, opts ...CallOption) *Pager[ReleaseDelta] {
	return list[ReleaseDelta](clientOf(s), operation.DeltaReleasesList, project.path(), options, opts)
}
