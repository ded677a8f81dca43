package memfaulttest

import (
	"net/http"
	"net/url"
	"time"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// Request is a request that the server received.
type Request struct {
	Operation  string // name, for example "devices.update"
	Method     string
	Path       string // escaped
	Query      url.Values
	Header     http.Header // credentials are replaced by REDACTED
	Body       []byte      // at most the first 64 KiB; empty for uploaded files
	Truncated  bool        // whether the body was longer
	Credential string      // kind, for example "organization token"; empty if there was none
	StatusCode int         // of the response, also that of a [Fault]; 0 if none was sent
	Time       time.Time   // when the request arrived, by the clock of the server
}

// Requests returns the requests for an operation, in the order of arrival, including those
// that failed because of a [Fault]. If operation is empty, it returns all requests. The server
// keeps the last 100,000 requests and 64 MiB of bodies; see [Server.RequestCount].
func (s *Server) Requests(operation string) []Request {
	return convert(s.cloud.Requests(operation), func(r fakecloud.Request) Request { return Request(r) })
}

// RequestCount returns the number of requests for an operation, or of all requests if
// operation is empty.
func (s *Server) RequestCount(operation string) int { return s.cloud.RequestCount(operation) }

// Violations describes the requests that no client should have sent:
//
//   - a credential sent to the wrong host, to storage, or together with another one;
//   - two concurrent chunk uploads of one device;
//   - a chunk that arrived after a later one of its device, although a request with the chunk had
//     failed before;
//   - damaged chunks, see [Server.DamagedChunks], unless [Server.AcceptDamagedChunks] was called. At
//     the end of the test, this includes messages whose last chunks did not arrive. It does not
//     include damage that the server caused: chunks that were repeated after a request failed or
//     lost its response, and what is missing because the server refused or dropped a chunk.
//
// The server cannot notice that a chunk went to another device if the chunk is a whole message.
//
// It also describes mistakes of the test: names of operations that do not exist, in a [Fault] or in a
// call of [Server.Requests] or [Server.RequestCount], and names in what an Add method should add
// that are empty or refer to nothing. The method then adds nothing.
//
// They fail the test of [NewServer].
func (s *Server) Violations() []string { return s.cloud.Violations() }
