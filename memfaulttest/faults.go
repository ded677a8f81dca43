package memfaulttest

import (
	"net/http"
	"time"

	"github.com/memfault-go/memfault/internal/fakecloud"
)

// Fault is a failure of the server. The first fields select requests; the others describe what
// happens to them.
//
// A request is selected if it is one of Operation and Device. The first Skip selected requests
// succeed. Of the others, every Every-th request fails, but only the share Share of them,
// until Times requests have failed. The zero value selects all requests, and does nothing.
//
// Status, Drop, DropResponse and CutBodyAfter exclude each other; Delay and Before can be
// combined with any of them, and can be used alone.
type Fault struct {
	Operation string  // name of the operation, for example "devices.update"; all by default
	Device    string  // serial of the device that the request is about; all by default
	Skip      int     // requests that succeed first
	Times     int     // requests that fail; no limit by default
	Every     int     // with 3, every third request fails; all by default
	Share     float64 // with 0.1, a random tenth of the requests fails; all by default
	Seed      uint64  // of the random choice; the same choice each time
	// For ends the fault after this time since the call of [Server.Fail], by the clock of the
	// server. By default, the fault does not end by itself.
	For time.Duration

	// Before is called first, if it is not nil. It may block, to hold requests.
	Before func()
	// Delay is the time to wait before anything else happens to the request.
	Delay time.Duration

	// Drop closes the connection without a response. The operation is not carried out.
	Drop bool
	// DropResponse carries out the operation and then closes the connection without a
	// response.
	DropResponse bool
	// CutBodyAfter carries out the operation, and closes the connection after so many bytes
	// of the response body; after the header if it is negative.
	CutBodyAfter int

	// Status is the status code of the response. The operation is not carried out.
	Status int
	// RetryAfter is the Retry-After header of the response with Status: seconds or a date.
	RetryAfter string
	// Body and ContentType replace the API's error response.
	Body        string
	ContentType string
	// Header contains other headers of the response with Status.
	Header http.Header
}

// BadGateway returns a fault like that of a proxy in front of Memfault that cannot reach
// it: status 502 and an HTML page.
func BadGateway() Fault {
	return Fault{
		Status: http.StatusBadGateway, ContentType: "text/html",
		Body: "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
	}
}

// Fail registers a fault, and returns a function that removes it. If several faults select a
// request, the one registered first applies. Neither Fail nor remove has an effect on requests
// that have arrived before. To remove all faults, call [Server.Heal].
func (s *Server) Fail(fault Fault) (remove func()) { return s.cloud.Fail(fakecloud.Fault(fault)) }

// Heal removes all faults. Requests that a fault delays are not affected.
func (s *Server) Heal() { s.cloud.Heal() }

// RejectChunks sets a function that decides which chunks the server rejects: if it returns a
// status other than 0 for a chunk of a request, the server responds with that status and
// accepts no chunk of the request.
func (s *Server) RejectChunks(status func(chunk []byte) int) { s.cloud.RejectChunks(status) }

// IgnoreRanges makes the server respond to downloads with the whole file, also if a part was
// requested.
func (s *Server) IgnoreRanges() { s.cloud.IgnoreRanges() }
