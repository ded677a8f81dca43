package fakecloud

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Limits of what the cloud remembers of requests. The oldest requests go first.
const (
	maxRequests      = 100_000
	maxRequestBodies = 64 << 20 // bytes, in all
	maxRequestBody   = 64 << 10 // bytes
	maxViolations    = 1_000
)

// Request describes a request that the cloud received.
type Request struct {
	Operation string // empty if the cloud serves no such operation
	Method    string
	Path      string // escaped, as it was sent
	Query     url.Values
	Header    http.Header // credentials are replaced by REDACTED
	Body      []byte      // at most the first 64 KiB; empty for a file that goes to storage
	Truncated bool        // whether the body was longer than Body
	// Credential is the kind of the credential: "organization token", "email and password",
	// "email and API key", "project key" or, without a credential, "".
	Credential string
	// StatusCode is the status code of the response, or 0 if none was sent.
	StatusCode int
	Time       time.Time // when the request arrived
}

// recorder records requests and violations.
type recorder struct {
	requests   []*Request // the oldest first
	bodies     int        // bytes of the bodies in requests
	counts     map[string]int
	violations []string
	inFlight   map[deviceKey]int // number of chunk uploads
}

// deviceKey identifies a device by the project key of a request and its serial.
type deviceKey struct{ projectKey, serial string }

// begin records a request, so far without its body. The caller must call done before the client
// can have the whole response: it may send its next request then. A second call does nothing.
func (c *Cloud) begin(op *operation.Operation, r *http.Request) (record *Request, done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	record = &Request{
		Operation: op.Name, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.Query(),
		Header: redacted(r.Header), Credential: c.credentialName(r), Time: c.now(),
	}
	c.recorder.keep(record)
	if r.Header.Get("Authorization") != "" && r.Header.Get(projectKeyHeader) != "" {
		c.recorder.addViolation(op.Name + ": two credentials in one request")
	}
	if op.Name != operation.ChunksUpload.Name {
		return record, func() {}
	}
	key := deviceKey{r.Header.Get(projectKeyHeader), r.PathValue("device_serial")}
	if c.recorder.inFlight[key]++; c.recorder.inFlight[key] > 1 {
		c.recorder.addViolation("two concurrent chunk uploads for " + key.serial)
	}
	ended := false
	return record, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if ended {
			return
		}
		ended = true
		if c.recorder.inFlight[key]--; c.recorder.inFlight[key] == 0 {
			delete(c.recorder.inFlight, key)
		}
	}
}

// recordStatus returns a ResponseWriter that adds the status code to the record of a request,
// before the client can have the response.
func (c *Cloud) recordStatus(w http.ResponseWriter, record *Request) http.ResponseWriter {
	return &recordedResponse{w, c, record}
}

type recordedResponse struct {
	http.ResponseWriter
	cloud  *Cloud
	record *Request
}

func (w *recordedResponse) WriteHeader(status int) {
	w.cloud.mu.Lock()
	w.record.StatusCode = status
	w.cloud.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *recordedResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func redacted(header http.Header) http.Header {
	header = header.Clone()
	for _, name := range []string{"Authorization", projectKeyHeader} {
		if header.Get(name) != "" {
			header.Set(name, "REDACTED")
		}
	}
	return header
}

func (c *Cloud) credentialName(r *http.Request) string {
	switch {
	case r.Header.Get(projectKeyHeader) != "":
		return "project key"
	case r.Header.Get("Authorization") == "":
		return ""
	}
	switch c.byAuthorization(r.Header.Get("Authorization"), r).kind {
	case operation.OrganizationToken:
		return "organization token"
	case operation.APIKey:
		return "email and API key"
	case operation.Password:
		return "email and password"
	}
	if name, password, ok := r.BasicAuth(); ok && name != "" && password != "" {
		return "email and password" // or a wrong API key: the two look the same
	}
	return "organization token"
}

// keep adds a request, and removes the oldest if there are too many.
func (rec *recorder) keep(record *Request) {
	if rec.counts == nil {
		rec.counts, rec.inFlight = map[string]int{}, map[deviceKey]int{}
	}
	rec.counts[""]++
	if record.Operation != "" {
		rec.counts[record.Operation]++
	}
	rec.requests = append(rec.requests, record)
	rec.trim()
}

func (rec *recorder) trim() {
	for len(rec.requests) > maxRequests || rec.bodies > maxRequestBodies {
		rec.bodies -= len(rec.requests[0].Body)
		rec.requests[0].Operation = "" // keepBody ignores it from now on
		rec.requests[0] = nil
		rec.requests = rec.requests[1:]
	}
}

// keepBody adds the start of the body to a request that begin recorded.
func (c *Cloud) keepBody(record *Request, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if record.Operation == "" {
		return
	}
	record.Body, record.Truncated = slices.Clone(body[:min(len(body), maxRequestBody)]), len(body) > maxRequestBody
	c.recorder.bodies += len(record.Body)
	c.recorder.trim()
}

// checkName reports an operation that does not exist: a fault for it would never occur, and a
// test that counts its requests would always find none. c.mu must be held.
func (c *Cloud) checkName(operationName string) {
	known := func(op *operation.Operation) bool { return op.Name == operationName }
	if operationName != "" && operationName != cdnOperation && !slices.ContainsFunc(operation.All(), known) {
		c.recorder.addViolation(fmt.Sprintf("the test asks for operation %q, which does not exist", operationName))
	}
}

func (c *Cloud) violation(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recorder.addViolation(text)
}

func (rec *recorder) addViolation(text string) {
	if len(rec.violations) < maxViolations {
		rec.violations = append(rec.violations, text)
	}
}

// Requests returns the requests for an operation, in the order of arrival. If the name is
// empty, it returns all requests. The cloud remembers the last 100,000 requests and 64 MiB of
// their bodies. The caller must not change what the requests refer to.
func (c *Cloud) Requests(operationName string) []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkName(operationName)
	var seen []Request
	for _, s := range c.recorder.requests {
		if operationName == "" || s.Operation == operationName {
			seen = append(seen, *s)
		}
	}
	return seen
}

// RequestCount returns the number of requests for an operation since the cloud exists,
// including those that it no longer remembers. If the name is empty, it counts all requests.
func (c *Cloud) RequestCount(operationName string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkName(operationName)
	return c.recorder.counts[operationName]
}

// Violations describes the requests that a client must never send: a credential to the
// wrong host, two credentials in one request, two concurrent chunk uploads for one device, or
// the chunks of a device out of order. It returns at most the first 1,000.
func (c *Cloud) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.recorder.violations)
}
