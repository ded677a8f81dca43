package fakecloud

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// concerns reports whether a request names a device.
func concerns(r *http.Request, body []byte, serial string) bool {
	q := r.URL.Query()
	if r.PathValue("device_serial") == serial || slices.Contains(q["device_serial"], serial) || slices.Contains(q["device"], serial) {
		return true
	}
	var decoded any
	if json.Unmarshal(body, &decoded) != nil {
		return false
	}
	if items, ok := decoded.([]any); ok && len(items) > 0 {
		decoded = items[0]
	}
	fields, _ := decoded.(map[string]any)
	device, _ := fields["device"].(map[string]any)
	return fields["device_serial"] == serial || device["device_serial"] == serial
}

// replaces applies the parts of the fault that precede the operation, and reports whether the
// request is finished with that. If so, it calls ended with the status, or with 0 if the
// request gets no response.
func (f *Fault) replaces(w http.ResponseWriter, r *http.Request, ended func(status int)) bool {
	if f.Before != nil {
		f.Before()
	}
	if f.Delay > 0 {
		wait := time.NewTimer(f.Delay)
		defer wait.Stop()
		closing, _ := r.Context().Value(closingKey{}).(chan struct{})
		select {
		case <-wait.C:
		case <-r.Context().Done():
			ended(0)
			return true // the client is gone
		case <-closing:
			ended(0)
			panic(http.ErrAbortHandler)
		}
	}
	if f.Drop {
		ended(0)
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 {
		return false
	}
	ended(f.Status)
	response := fail(f.Status, "simulated failure")
	if f.Body != "" {
		response.body = []byte(f.Body)
		response = response.with("Content-Type", f.ContentType)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	for name, values := range f.Header {
		delete(response.header, http.CanonicalHeaderKey(name))
		w.Header()[http.CanonicalHeaderKey(name)] = values
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
