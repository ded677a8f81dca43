package memfault

import (
	"context"
	"errors"

	"github.com/memfault-go/memfault/internal/operation"
)

// HardwareVersionsService creates hardware versions.
type HardwareVersionsService struct{ client *Client }

// HardwareVersion is a revision of a product's hardware.
type HardwareVersion struct {
	Name                string            `json:"name"`
	CountDevices        int               `json:"count_devices"`
	PrimarySoftwareType SoftwareType      `json:"primary_software_type"`
	SoftwareTypes       []SoftwareTypeRef `json:"software_types"`
}

// HardwareVersionCreate describes a new hardware version.
type HardwareVersionCreate struct {
	Name                string `json:"name"`                  // required
	PrimarySoftwareType string `json:"primary_software_type"` // required; a software type's name
}

// Create creates a hardware version. A hardware version must exist before a device can be
// assigned to it.
//
// UNCERTAIN(hardware-version-exists): how Memfault responds to a name in use; [ErrConflict] is
// likely.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in a program of one chip maker.
func (s *HardwareVersionsService) Create(ctx context.Context, project ProjectRef, create HardwareVersionCreate, opts ...CallOption) (*HardwareVersion, error) {
	return fetch[HardwareVersion](ctx, clientOf(s), operation.HardwareVersionsCreate, requestParams{path: project.path(), body: create}, opts)
}

// Ensure creates a hardware version, or does nothing if it exists. The software type
// must exist; otherwise Ensure fails with [ErrNotFound]. If the response is lost, Ensure fails,
// because no operation finds out whether the hardware version exists. Call it again.
//
// No operation to read a hardware version is known. If the hardware version exists, the result
// contains only the names in create, and the real software type may differ.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; see [HardwareVersionsService.Create].
func (s *HardwareVersionsService) Ensure(ctx context.Context, project ProjectRef, create HardwareVersionCreate, opts ...CallOption) (*HardwareVersion, error) {
	created, err := s.Create(ctx, project, create, opts...)
	if !errors.Is(err, ErrConflict) {
		return created, err
	}
	return &HardwareVersion{
		Name:                create.Name,
		PrimarySoftwareType: SoftwareType{Name: create.PrimarySoftwareType},
	}, nil
}
