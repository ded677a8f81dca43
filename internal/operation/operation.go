// Package operation holds the one table of the Memfault API's operations. The
// client builds its requests from the rows, names them in errors and log lines,
// and retries by them; the fake cloud routes by the same rows.
package operation

import (
	"net/http"
	"slices"
	"strings"
)

// ID names a row of the table.
type ID int

// Operation is one method on one path of the API.
type Operation struct {
	// Name is the API's own short name, such as devices.list.
	Name   string
	Method string
	Host   Host
	// Path is the template: each {placeholder} is one path segment.
	Path        string
	Credentials Credential
	Reply       Reply
	traits      trait
	// Success lists the statuses with which the API is known to answer.
	Success []int
}

// Host is the role of the host that serves an operation.
type Host int

// The hosts. A Presigned operation goes to the URL that an earlier answer named.
const (
	API Host = iota
	Chunks
	Ingress
	Files
	Device
	Presigned
)

func (h Host) String() string {
	return [...]string{"api", "chunks", "ingress", "files", "device", "presigned"}[h]
}

// Credential is a set of ways to authenticate.
type Credential int

// The four ways to authenticate, and the sets of them that operations take.
const (
	Password Credential = 1 << iota
	APIKey
	OrganizationToken
	ProjectKey

	NoCredential Credential = 0
	Basic                   = Password | APIKey
	Console                 = Basic | OrganizationToken
)

// Has reports whether the set holds all of other.
func (c Credential) Has(other Credential) bool { return c&other == other }

func (c Credential) String() string {
	names := []string{"email+password", "email+api-key", "organization-token", "project-key"}
	var held []string
	for i, name := range names {
		if c&(1<<i) != 0 {
			held = append(held, name)
		}
	}
	if len(held) == 0 {
		return "none"
	}
	return strings.Join(held, ",")
}

// Reply is the form of a successful answer.
type Reply int

// The forms of an answer: an object below data, a list below data with paging
// beside it, an object as it is, plain text, nothing, or bytes to be streamed.
const (
	Data Reply = iota
	List
	Bare
	Text
	Empty
	Stream
)

type trait int

const (
	repeatable trait = 1 << iota
	documented
	planned
)

// Idempotent reports whether repeating the request does no harm: by its method,
// or because the row says so of a POST or a PATCH.
func (o *Operation) Idempotent() bool {
	switch o.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	default:
		return o.traits&repeatable != 0
	}
}

// Documented reports whether Memfault documents the operation. The others were
// seen only in programs that use them.
func (o *Operation) Documented() bool { return o.traits&documented != 0 }

// Implemented reports whether the client has a method for the operation.
func (o *Operation) Implemented() bool { return o.traits&planned == 0 }

// Get returns the row of an ID.
func Get(id ID) *Operation { return &table[id] }

// All returns a copy of the table, in its order.
func All() []Operation { return slices.Clone(table[:]) }
