package memfault

import (
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// CoredumpsService reads coredumps: the memory of devices at a crash.
type CoredumpsService struct{ client *Client }

// Coredump names a coredump. Its other fields are unknown.
type Coredump struct {
	ID      int64 `json:"id"`
	IssueID int64 `json:"issue_id"`
}

// CoredumpListOptions selects coredumps.
type CoredumpListOptions struct {
	ListOptions
}

// List returns the coredumps of a project. Seen only in one program of 2026; not
// documented by Memfault.
func (s *CoredumpsService) List(project ProjectRef, options CoredumpListOptions, opts ...CallOption) *Pager[Coredump] {
	return list[Coredump](clientOf(s), operation.CoredumpsList, project.path(), options, opts)
}

// ELFCoredump is a coredump of a Linux process. It is the JSON that came: none of
// its fields is known.
type ELFCoredump struct{ json.RawMessage }

// ELFCoredumpListOptions selects coredumps of Linux processes.
type ELFCoredumpListOptions struct {
	ListOptions
	Device string `url:"device,omitempty"` // a serial
}

// ListELF returns the coredumps of Linux processes. Seen only in Memfault's own
// tests; not documented by Memfault.
func (s *CoredumpsService) ListELF(project ProjectRef, options ELFCoredumpListOptions, opts ...CallOption) *Pager[ELFCoredump] {
	return list[ELFCoredump](clientOf(s), operation.ELFCoredumpsList, project.path(), options, opts)
}
