// Package operation contains the table of the operations of the Memfault API. From its
// rows the client builds requests, names operations in errors and log lines, and decides
// which requests it may retry. The fake cloud routes requests by the same rows.
package operation

import (
	"net/http"
	"slices"
	"strings"
)

// Operation is one method on one path of the API.
type Operation struct {
	// Name is the short name in the API's terms, such as devices.list.
	Name   string
	Method string
	Host   Host
	// Path is a template in which each {placeholder} stands for one path segment.
	Path        string
	Credentials Credential
	Reply       Reply
	traits      trait
	// Success lists the status codes of successful responses that are known.
	Success []int
	// Unsent is the reason why no method of the client sends the operation, as the rest of a
	// sentence. It is empty if a method sends it.
	Unsent string
}

// Host is the role of the host that serves an operation.
type Host int

// The hosts. A Presigned operation is sent to the URL in an earlier response.
const (
	API Host = iota
	Chunks
	Ingress
	Files
	Device
	NRFCloud
	Presigned
)

func (h Host) String() string {
	return [...]string{"api", "chunks", "ingress", "files", "device", "nrfcloud", "presigned"}[h]
}

// Credential is a set of ways to authenticate.
type Credential int

// The four ways to authenticate, and the sets of them that operations accept.
const (
	Password Credential = 1 << iota
	APIKey
	OrganizationToken
	ProjectKey

	NoCredential Credential = 0
	Basic                   = Password | APIKey
	Console                 = Basic | OrganizationToken
)

// Has reports whether c contains all of other.
func (c Credential) Has(other Credential) bool { return c&other == other }

func (c Credential) String() string {
	names := []string{"email+password", "email+api-key", "organization-token", "project-key"}
	var contained []string
	for i, name := range names {
		if c&(1<<i) != 0 {
			contained = append(contained, name)
		}
	}
	if len(contained) == 0 {
		return "none"
	}
	return strings.Join(contained, ",")
}

// Reply is the form of a successful response body.
type Reply int

// The forms of a response body.
const (
	Data   Reply = iota // an object in the field data
	List                // a list in the field data, beside the field paging
	Bare                // an object without an envelope
	Text                // plain text
	Empty               // no body, or one without content of interest
	Stream              // a file
)

type trait int

const (
	idempotent trait = 1 << iota // although the method is POST or PATCH
	documented                   // by Memfault
	assumed                      // neither documented nor observed, so that it may not exist
)

// Idempotent reports whether it is safe to repeat the request. It is for the methods GET,
// HEAD, PUT and DELETE, and for the POST and PATCH operations that are marked in their row.
func (o *Operation) Idempotent() bool {
	switch o.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	default:
		return o.traits&idempotent != 0
	}
}

// Source returns where the operation is known from: "documented" by Memfault, "observed"
// only in programs that use it, or "assumed", from an outline of the API by others or from
// similar operations.
func (o *Operation) Source() string {
	switch {
	case o.traits&documented != 0:
		return "documented"
	case o.traits&assumed != 0:
		return "assumed"
	default:
		return "observed"
	}
}

// without returns the row of an operation that the client does not send.
func (o *Operation) without(reason string) *Operation {
	o.Unsent = reason
	return o
}

// All returns the rows of the table.
func All() []*Operation { return slices.Clone(table) }
