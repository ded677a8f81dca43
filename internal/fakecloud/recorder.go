package fakecloud

import (
	"net/http"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// Request describes a request that the cloud received.
type Request struct {
	Operation string
	Method    string
	URI       string // escaped path and query
	Header    http.Header
}

// recorder records requests and violations.
type recorder struct {
	requests   []Request
	violations []string
	inFlight   map[string]int // number of chunk uploads, by serial
}

// begin records a request. The caller must call done after the response.
func (c *Cloud) begin(op *operation.Operation, r *http.Request) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recorder.requests = append(c.recorder.requests, Request{Operation: op.Name, Method: r.Method, URI: r.RequestURI, Header: r.Header.Clone()})
	if r.Header.Get("Authorization") != "" && r.Header.Get(projectKeyHeader) != "" {
		c.recorder.violations = append(c.recorder.violations, op.Name+": two credentials in one request")
	}
	if op.Name != operation.Get(operation.ChunksUpload).Name {
		return func() {}
	}
	serial := r.PathValue("device_serial")
	if c.recorder.inFlight == nil {
		c.recorder.inFlight = map[string]int{}
	}
	if c.recorder.inFlight[serial]++; c.recorder.inFlight[serial] > 1 {
		c.recorder.violations = append(c.recorder.violations, "two concurrent chunk uploads for "+serial)
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.recorder.inFlight[serial]--
	}
}

func (c *Cloud) violation(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recorder.violations = append(c.recorder.violations, text)
}

// Requests returns the requests for an operation, in the order of arrival. If the name is
// empty, it returns all requests.
func (c *Cloud) Requests(operationName string) []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	var seen []Request
	for _, s := range c.recorder.requests {
		if operationName == "" || s.Operation == operationName {
			seen = append(seen, s)
		}
	}
	return seen
}

// Violations describes the requests that a client must never send: a credential to the
// wrong host, two credentials in one request, or two concurrent chunk uploads for one device.
func (c *Cloud) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.recorder.violations)
}
