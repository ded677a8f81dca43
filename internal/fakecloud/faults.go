package fakecloud

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// Fault is a failure of the cloud. The zero value matches every request and changes
// nothing.
//
// Operation and Device decide which requests match. Of those, the conditions decide in this
// order which ones fail: Skip, Every, Times, Share.
type Fault struct {
	// Operation is the short name of the operation that fails. If it is empty, every
	// operation does.
	Operation string
	// Device is the serial of a device. If it is not empty, a request matches only if it names
	// that device: in the path, in the query parameter device_serial or device, or in its JSON
	// body, as device_serial at the top level, in device, or in the first element of an array.
	Device string
	// Skip is the number of matching requests that succeed before the first one fails.
	Skip int
	// Times limits the number of requests that fail. 0 sets no limit.
	Times int
	// Every limits the fault to every nth matching request after the skipped ones. 0 and 1
	// set no limit.
	Every int
	// Share limits the fault to a share of the requests that are left, from 0 to 1. Which ones
	// follows from Seed: the same each time. 0 and 1 set no limit.
	Share float64
	Seed  uint64
	// For ends the fault after this time since Fail, by the clock of the cloud. 0 sets no limit.
	For time.Duration

	// Before is called first, if it is not nil.
	Before func()
	// Delay is the time to wait after Before. It ends when the server closes; the connection
	// is then closed without a response.
	Delay time.Duration
	// Drop closes the connection without a response, before the operation is carried out.
	Drop bool
	// DropResponse closes the connection without a response, after the operation was carried
	// out.
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
	Header      http.Header
}

// HTMLBadGateway is a response of a proxy that cannot reach the cloud.
var HTMLBadGateway = Fault{
	Status: http.StatusBadGateway, ContentType: "text/html",
	Body: "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
}

type activeFault struct {
	Fault
	matched, failed int // number of requests
	random          *rand.Rand
	until           time.Time // the end of a fault with For
}

// Fail registers a fault, and returns a function that removes it. If several faults match a
// request, the one registered first applies.
func (c *Cloud) Fail(fault Fault) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkName(fault.Operation)
	random := rand.New(rand.NewPCG(fault.Seed, 0)) //nolint:gosec // the same sequence each time
	added := &activeFault{Fault: fault, random: random, until: c.now().Add(fault.For)}
	c.faults = append(c.faults, added)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.faults = slices.DeleteFunc(c.faults, func(f *activeFault) bool { return f == added })
	}
}

// Heal removes all faults.
func (c *Cloud) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

// nextFault returns the fault of a request, or an empty fault that changes nothing.
func (c *Cloud) nextFault(op *operation.Operation, r *http.Request, body []byte) *Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.faults = slices.DeleteFunc(c.faults, func(f *activeFault) bool { return f.For > 0 && !now.Before(f.until) })
	for _, f := range c.faults {
		if f.Operation != "" && f.Operation != op.Name || f.Device != "" && !concerns(r, body, f.Device) {
			continue
		}
		if f.applies() {
			return &f.Fault
		}
	}
	return &Fault{}
}

// applies reports whether the next matching request fails.
func (f *activeFault) applies() bool {
	f.matched++
	switch {
	case f.matched <= f.Skip,
		f.Every > 0 && (f.matched-f.Skip)%f.Every != 0,
		f.Times > 0 && f.failed >= f.Times,
		f.Share > 0 && f.Share < 1 && f.random.Float64() >= f.Share:
		return false
	}
	f.failed++
	return true
}
