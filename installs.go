package memfault

import (
	"context"

	"github.com/memfault-go/memfault/internal/operation"
)

// InstallsService reads which devices installed which releases.
type InstallsService struct{ client *Client }

// Install is the installation of a release on a device. Memfault shows it in two
// forms: with a release and when it began, or with the releases before and after
// and when it started. StartTime and TargetRelease read both.
type Install struct {
	ID             int64         `json:"id"`
	Status         InstallStatus `json:"status"`
	Device         DeviceRef     `json:"device"`
	Release        *ReleaseRef   `json:"release"`
	ReleaseFrom    *ReleaseRef   `json:"release_from"`
	ReleaseTo      *ReleaseRef   `json:"release_to"`
	BeganAt        Timestamp     `json:"began_at"`
	StartedAt      Timestamp     `json:"started_at"`
	TransitionedAt Timestamp     `json:"transitioned_at"` // when it came to its status
	CreatedDate    Timestamp     `json:"created_date"`
	UpdatedDate    Timestamp     `json:"updated_date"`
}

// StartTime returns when the installation began.
func (i Install) StartTime() Timestamp {
	if i.BeganAt.IsZero() {
		return i.StartedAt
	}
	return i.BeganAt
}

// TargetRelease returns the release that was installed, or nil when that is not known.
func (i Install) TargetRelease() *ReleaseRef {
	if i.Release == nil {
		return i.ReleaseTo
	}
	return i.Release
}

// InstallStatus is where an installation stands.
type InstallStatus string

// InstallStatusSuccess is the one status that was seen.
const InstallStatusSuccess InstallStatus = "success"

// Sort keys of installs: by when they began, and by when they came to their status.
const (
	SortBeganAt        = "began_at"
	SortTransitionedAt = "transitioned_at"
)

// InstallListOptions selects installs. Its sort keys are SortBeganAt and
// SortTransitionedAt.
type InstallListOptions struct {
	ListOptions
	Release []string        `url:"release,omitempty"` // versions
	Device  []string        `url:"device,omitempty"`  // serials
	Status  []InstallStatus `url:"status,omitempty"`
}

// List returns the installs of a project.
//
// Memfault: https://docs.memfault.com/api/list-installs
func (s *InstallsService) List(project ProjectRef, options InstallListOptions, opts ...CallOption) *Pager[Install] {
	return list[Install](clientOf(s), operation.InstallsList, project.path(), options, opts)
}

// Get returns an install.
//
// Memfault: https://docs.memfault.com/api/retrieve-install
func (s *InstallsService) Get(ctx context.Context, project ProjectRef, installID int64, opts ...CallOption) (*Install, error) {
	return fetch[Install](ctx, clientOf(s), operation.InstallsRetrieve, requestParams{path: project.path(pathID(installID))}, opts)
}

// Delete removes an install. Memfault documents it, and says elsewhere that
// installs can only be read: whether it still works is UNCERTAIN.
//
// Memfault: https://docs.memfault.com/api/installs
func (s *InstallsService) Delete(ctx context.Context, project ProjectRef, installID int64, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.InstallsDelete, requestParams{path: project.path(pathID(installID))}, opts)
}
