package fakecloud

import (
	"net/http"
	"strconv"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Fault is a failure that the cloud is told to show. What it leaves zero happens
// as usual.
type Fault struct {
	Operation string // short name of the operation that fails; empty for all
	Skip      int    // so many matching requests pass before
	Times     int    // so many requests fail then; 0 for all
	Every     int    // of those, only each so-manieth does

	Before       func()        // called before anything else
	Delay        time.Duration // after that
	Drop         bool          // close the connection without an answer
	DropResponse bool          // carry out the request, then close the connection
	CutBodyAfter int           // close it after so many bytes of the answer's body; after its header when negative
	Status       int           // answer with this status, and do nothing else
	RetryAfter   string        // the Retry-After header of that answer
	Body         string        // its body; the API's error envelope when empty
	ContentType  string        // of Body
	Header       map[string]string
}

// HTMLBadGateway is the page that a proxy shows when the cloud is away.
var HTMLBadGateway = Fault{
	Status: http.StatusBadGateway, ContentType: "text/html",
	Body: "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
}

type activeFault struct {
	Fault
	met, failed int
}

// Fail makes the cloud fail as told. Of several faults that match a request, the
// one told first is shown.
func (c *Cloud) Fail(fault Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, &activeFault{Fault: fault})
}

// ClearFaults takes all faults back.
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
		if f.met++; f.met <= f.Skip || f.Times > 0 && f.failed >= f.Times || f.Every > 0 && (f.met-f.Skip)%f.Every != 0 {
			continue
		}
		f.failed++
		return &f.Fault
	}
	return &Fault{}
}

// replaceResponse shows the fault in place of an answer, and reports whether it did.
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
	answer := fail(f.Status, "the fake cloud was told to fail")
	if f.Body != "" {
		answer.body = []byte(f.Body)
		answer = answer.with("Content-Type", f.ContentType)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	answer.write(w)
	return true
}

// send writes an answer, or as much of it as the fault lets through.
func (f *Fault) send(w http.ResponseWriter, answer reply) {
	if f.DropResponse {
		panic(http.ErrAbortHandler)
	}
	if f.CutBodyAfter == 0 {
		answer.write(w)
		return
	}
	if answer.serve != nil {
		answer.write(&cutWriter{w, max(f.CutBodyAfter, 0)})
		return
	}
	whole := answer.body
	answer.body = whole[:min(max(f.CutBodyAfter, 0), len(whole))]
	for name, value := range answer.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// cutWriter closes the connection when more than left bytes of a body are written.
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
