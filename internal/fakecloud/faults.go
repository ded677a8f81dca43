package fakecloud

import (
	"net/http"
	"strconv"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Fault is a failure of the cloud. The zero value matches every request and changes
// nothing.
type Fault struct {
	// Operation is the short name of the operation that fails. If it is empty, every
	// operation does.
	Operation string
	// Skip is the number of matching requests that succeed before the first one fails.
	Skip int
	// Times limits the number of requests that fail. 0 sets no limit.
	Times int
	// Every limits the fault to every nth matching request after the skipped ones. 0 and 1
	// set no limit.
	Every int

	// Before is called first, if it is not nil.
	Before func()
	// Delay is the time to wait after Before.
	Delay time.Duration
	// Drop closes the connection without a response. The operation is not carried out.
	Drop bool
	// DropResponse carries out the operation and then closes the connection without a
	// response.
	DropResponse bool
	// CutBodyAfter carries out the operation and closes the connection after this number of
	// bytes of the response body, or after the header if the number is negative.
	CutBodyAfter int
	// Status is the status code of the response. The operation is not carried out.
	Status int
	// RetryAfter, Body, ContentType and Header belong to the response with Status. If Body
	// is empty, the body is the API's error envelope, and ContentType is ignored.
	RetryAfter  string
	Body        string
	ContentType string
	Header      map[string]string
}

// HTMLBadGateway is a response of a proxy that cannot reach the cloud.
var HTMLBadGateway = Fault{
	Status: http.StatusBadGateway, ContentType: "text/html",
	Body: "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
}

type activeFault struct {
	Fault
	matched, failed int // number of requests
}

// Fail registers a fault. If several faults match a request, the one registered first
// applies.
func (c *Cloud) Fail(fault Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, &activeFault{Fault: fault})
}

// ClearFaults removes all faults.
func (c *Cloud) ClearFaults() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

func (c *Cloud) nextFault(op *operation.Operation) *Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		if f.Operation != "" && f.Operation != op.Name {
			continue
		}
		if f.matched++; f.matched <= f.Skip || f.Times > 0 && f.failed >= f.Times || f.Every > 0 && (f.matched-f.Skip)%f.Every != 0 {
			continue
		}
		f.failed++
		return &f.Fault
	}
	return &Fault{}
}

// replaceResponse applies the parts of the fault that precede the operation, and reports
// whether the request is finished with that.
func (f *Fault) replaceResponse(w http.ResponseWriter, r *http.Request) bool {
	if f.Before != nil {
		f.Before()
	}
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return true
		}
	}
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 {
		return false
	}
	response := fail(f.Status, "simulated failure")
	if f.Body != "" {
		response.body = []byte(f.Body)
		response = response.with("Content-Type", f.ContentType)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	response.write(w)
	return true
}

// send writes the response, or the part of it that the fault leaves.
func (f *Fault) send(w http.ResponseWriter, response reply) {
	if f.DropResponse {
		panic(http.ErrAbortHandler)
	}
	if f.CutBodyAfter == 0 {
		response.write(w)
		return
	}
	if response.serve != nil {
		response.write(&cutWriter{w, max(f.CutBodyAfter, 0)})
		return
	}
	whole := response.body
	response.body = whole[:min(max(f.CutBodyAfter, 0), len(whole))]
	for name, value := range response.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
	w.WriteHeader(response.status)
	_, _ = w.Write(response.body)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// cutWriter closes the connection as soon as more than left bytes of the body are written.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if len(p) <= c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}
