package main

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/memfault-go/memfault/memfaulttest"
)

const doorHelp = `Requests that control the fake Memfault. Bodies are JSON; unknown fields are rejected.
A request that changes something returns 204.

POST /fake/fail      makes requests fail. The fields are optional:
                       operation, device        which requests; all by default
                       skip, times, every       so many succeed first, so many fail, every nth fails
                       share, seed              this share fails at random, such as 0.1
                       status, retry_after, body, content_type
                                                the response; the operation is not carried out
                       delay                    such as "1.5s"
                       drop                     true: no response, not carried out
                       drop_response            true: no response, but carried out
                       cut_body_after           so many bytes of the response body
POST /fake/heal      removes all faults
GET  /fake/requests  returns the requests received; ?operation=devices.list those of one operation.
                     A body is encoded in base64.
GET  /fake/chunks/{device_serial}
                     returns the accepted chunks of a device, each encoded in base64
GET  /fake/live      server-sent events: the part of the page that shows what devices sent
GET  /fake/violations
                     describes the requests that no client should have sent
POST /fake/devices   adds devices: [{"serial": "ABCD1234", "cohort": "beta",
                     "hardware_version": "evt-1", "software_version": "1.0.0"}]
POST /fake/report    a device reports its version: {"serial": "ABCD1234", "version": "2.0.0"}
POST /fake/clock     sets the clock: {"now": "2026-01-31T12:00:00Z"}, or moves it:
                     {"advance": "24h"}. It runs on from there. {} sets the real time.
`

// door serves the requests that control the cloud.
type door struct {
	cloud *memfaulttest.Server

	mu     sync.Mutex    // held while devices are added, too
	offset time.Duration // of the cloud's clock
}

func (d *door) register(mux *http.ServeMux) {
	mux.HandleFunc("GET /fake/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, doorHelp)
	})
	mux.HandleFunc("/fake/", http.NotFound)
	mux.HandleFunc("POST /fake/fail", change(d.fail))
	mux.HandleFunc("POST /fake/heal", change(func(struct{}) error { d.cloud.Heal(); return nil }))
	mux.HandleFunc("POST /fake/devices", change(d.addDevices))
	mux.HandleFunc("POST /fake/report", change(d.report))
	mux.HandleFunc("POST /fake/clock", change(d.setClock))
	mux.HandleFunc("GET /fake/requests", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, requestViews(d.cloud.Requests(r.URL.Query().Get("operation"))))
	})
	mux.HandleFunc("GET /fake/chunks/{device_serial}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, d.cloud.Chunks(r.PathValue("device_serial")))
	})
	mux.HandleFunc("GET /fake/violations", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, d.cloud.Violations())
	})
}

// change returns a handler that decodes the request body and applies it. An empty body is
// the zero value.
func change[T any](apply func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<20))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&body)
		if err == io.EOF { //nolint:errorlint // Decode returns it unwrapped
			err = nil
		}
		if err == nil {
			err = apply(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// writeJSON writes a slice, an empty one as [].
func writeJSON[T any](w http.ResponseWriter, items []T) {
	if items == nil {
		items = []T{}
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(items) // the client may be gone
}
