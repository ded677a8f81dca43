package memfault

import (
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// CoredumpsService lists and downloads coredumps, the memory of devices at a crash, and
// downloads symbol files.
type CoredumpsService struct{ client *Client }

// Coredump identifies a coredump. Other fields are unknown.
type Coredump struct {
	ID      int64 `json:"id"`
	IssueID int64 `json:"issue_id"`
}

// CoredumpListOptions selects a page of coredumps.
type CoredumpListOptions struct {
	ListOptions
}

// List returns the coredumps of a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in one program from 2026.
func (s *CoredumpsService) List(project ProjectRef, options CoredumpListOptions, opts ...CallOption) *Pager[Coredump] {
	return list[Coredump](clientOf(s), operation.CoredumpsList, project.path(), options, opts)
}

// ELFCoredump is a coredump of a Linux process. It contains the JSON of the response, because
// its fields are unknown.
type ELFCoredump struct{ json.RawMessage }

// ELFCoredumpListOptions filters coredumps of Linux processes.
type ELFCoredumpListOptions struct {
	ListOptions
	Device string `url:"device,omitempty"` // a serial
}

// ListELF returns the coredumps of Linux processes.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests.
func (s *CoredumpsService) ListELF(project ProjectRef, options ELFCoredumpListOptions, opts ...CallOption) *Pager[ELFCoredump] {
	return list[ELFCoredump](clientOf(s), operation.ELFCoredumpsList, project.path(), options, opts)
}
