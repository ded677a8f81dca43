package fakecloud

import (
	"net/http"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// Request is a request that reached the cloud.
type Request struct {
	Operation string
	Method    string
	URI       string // path and query as they came
	Header    http.Header
}

// recorder keeps what reached the cloud, and what should never have happened.
type recorder struct {
	requests   []Request
	violations []string
	inFlight   map[string]int // chunk uploads under way, by serial
}

// begin notes a request; done is called when it has been answered.
func (c *Cloud) begin(op *operation.Operation, r *http.Request) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recorder.requests = append(c.recorder.requests, Request{Operation: op.Name, Method: r.Method, URI: r.RequestURI, Header: r.Header.Clone()})
	if r.Header.Get("Authorization") != "" && r.Header.Get(projectKeyHeader) != "" {
		c.recorder.violations = append(c.recorder.violations, op.Name+": two credentials at once")
	}
	if op.Name != operation.Get(operation.ChunksUpload).Name {
		return func() {}
	}
	serial := r.PathValue("device_serial")
	if c.recorder.inFlight == nil {
		c.recorder.inFlight = map[string]int{}
	}
	if c.recorder.inFlight[serial]++; c.recorder.inFlight[serial] > 1 {
		c.recorder.violations = append(c.recorder.violations, "two chunk uploads at once for "+serial)
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

// Requests returns the requests for an operation, in their order; all, for an empty
// name.
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

// Violations returns what happened that never should: a credential on the wrong
// host, two credentials in one request, two chunk uploads at once for one device.
func (c *Cloud) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.recorder.violations)
}
