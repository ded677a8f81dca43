package memfault

import (
	"context"
	"errors"

	"github.com/memfault-go/memfault/internal/operation"
)

// HardwareVersionsService makes hardware versions.
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
	PrimarySoftwareType string `json:"primary_software_type"` // a software type's name; required
}

// Create makes a hardware version; a device cannot be given one that does not
// exist. Seen only in a program of one chip maker; not documented by Memfault. What
// a name in use is answered with is UNCERTAIN; ErrConflict is likely.
func (s *HardwareVersionsService) Create(ctx context.Context, project ProjectRef, create HardwareVersionCreate, opts ...CallOption) (*HardwareVersion, error) {
	return fetch[HardwareVersion](ctx, clientOf(s), operation.HardwareVersionsCreate, requestParams{path: project.path(), body: create}, opts)
}

// Ensure makes a hardware version, and accepts that it exists. There is no known
// way to read a hardware version: one that exists is returned as it was asked for,
// with its names alone, and its software type may be another. As Create, it is not
// documented by Memfault.
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
