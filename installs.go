package memfault

import (
	"context"

	"github.com/memfault-go/memfault/internal/operation"
)

// InstallsService reads which devices installed which releases.
type InstallsService struct{ client *Client }

// Install is the installation of a release on a device.
//
// Memfault sends installs in two forms: with Release and BeganAt, or with ReleaseFrom,
// ReleaseTo and StartedAt. [Install.StartTime] and [Install.TargetRelease] work for both
// forms.
type Install struct {
	ID             int64         `json:"id"`
	Status         InstallStatus `json:"status"`
	Device         DeviceRef     `json:"device"`
	Release        *ReleaseRef   `json:"release"`
	ReleaseFrom    *ReleaseRef   `json:"release_from"`
	ReleaseTo      *ReleaseRef   `json:"release_to"`
	BeganAt        Timestamp     `json:"began_at"`
	StartedAt      Timestamp     `json:"started_at"`
	TransitionedAt Timestamp     `json:"transitioned_at"` // last change of the status
	CreatedDate    Timestamp     `json:"created_date"`
	UpdatedDate    Timestamp     `json:"updated_date"`
}

// StartTime returns the time at which the installation began.
func (i Install) StartTime() Timestamp {
	if i.BeganAt.IsZero() {
		return i.StartedAt
	}
	return i.BeganAt
}

// TargetRelease returns the release that was installed, or nil if it is unknown.
func (i Install) TargetRelease() *ReleaseRef {
	if i.Release == nil {
		return i.ReleaseTo
	}
	return i.Release
}

// InstallStatus is the state of an installation.
type InstallStatus string

// InstallStatusSuccess is the only status that was observed, in Memfault's examples.
// UNCERTAIN(install-statuses): which others Memfault sends. They are kept as they are, and
// [InstallListOptions.Status] accepts any text.
const InstallStatusSuccess InstallStatus = "success"

// Sort keys of installs: the start of the installation, and the last change of its status.
const (
	SortBeganAt        = "began_at"
	SortTransitionedAt = "transitioned_at"
)

// InstallListOptions filters and sorts installs. The sort keys are [SortBeganAt] and
// [SortTransitionedAt].
type InstallListOptions struct {
	ListOptions
	Release []string        `url:"release,omitempty"` // versions
	Device  []string        `url:"device,omitempty"`  // serials
	Status  []InstallStatus `url:"status,omitempty"`
}

// List returns the installs of a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-installs
func (s *InstallsService) List(project ProjectRef, options InstallListOptions, opts ...CallOption) *Pager[Install] {
	return list[Install](clientOf(s), operation.InstallsList, project.path(), options, opts)
}

// Get returns an install.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-install
func (s *InstallsService) Get(ctx context.Context, project ProjectRef, installID int64, opts ...CallOption) (*Install, error) {
	return fetch[Install](ctx, clientOf(s), operation.InstallsRetrieve, requestParams{path: project.path(pathID(installID))}, opts)
}

// Delete removes an install.
//
// UNCERTAIN(install-delete): whether Memfault still supports this operation. It is documented, but
// another page says that installs are read-only.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/installs
func (s *InstallsService) Delete(ctx context.Context, project ProjectRef, installID int64, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.InstallsDelete, requestParams{path: project.path(pathID(installID))}, opts)
}
