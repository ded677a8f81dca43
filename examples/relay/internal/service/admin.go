package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// admin returns the handler of what is for operators. It must not be reachable by devices.
func (r *relay) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", r.ready)
	mux.HandleFunc("POST /rejected/replay", r.replay)
	mux.HandleFunc("POST /rejected/discard", r.discard)
	return mux
}

// ready reports whether the relay accepts chunks, and otherwise why not.
func (r *relay) ready(w http.ResponseWriter, request *http.Request) {
	ctx, cancel := context.WithTimeout(request.Context(), 2*time.Second)
	defer cancel()
	if problems := r.problems(ctx); len(problems) > 0 {
		http.Error(w, strings.Join(problems, "\n"), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// problems returns the reasons why the relay does not accept chunks.
func (r *relay) problems(ctx context.Context) []string {
	if r.closing.Load() {
		return []string{"the relay is shutting down"}
	}
	var problems []string
	if !r.store.Conn.IsConnected() {
		problems = append(problems, "not connected to NATS")
	} else if _, err := r.store.Chunks.Info(ctx); err != nil {
		problems = append(problems, fmt.Sprintf("the store does not respond: %v", err))
	}
	if disk, ok := r.store.Disk(); ok && disk.Problem != nil {
		problems = append(problems, fmt.Sprintf("the store cannot write: %v", disk.Problem))
	}
	if r.bridge != nil {
		if status := r.bridge.Status(); status.Active && !status.Connected {
			problems = append(problems, fmt.Sprintf("the MQTT bridge is not connected: %v", status.Problem))
		}
	}
	return problems
}

// ConfirmHeader is the header that a request that changes something must have. A page in a browser cannot send it to
// another host without its consent.
const ConfirmHeader = "Relay-Confirm"

// Replayed is the response to POST /rejected/replay and /rejected/discard.
type Replayed struct {
	Chunks  int    `json:"chunks"`            // that were stored again, or discarded
	Left    int    `json:"left"`              // that are still there, because they cannot be sent
	Problem string `json:"problem,omitempty"` // why it ended early, or why the last one of Left is still there
}

// replay stores rejected chunks again, behind those that are stored, so that they are uploaded
// again. A chunk is deleted from the rejected ones after it was stored.
func (r *relay) replay(w http.ResponseWriter, request *http.Request) {
	r.eachRejected(w, request, func(ctx context.Context, c *rejected) error {
		switch {
		case c.Truncated:
			return errors.New("its end is missing")
		case c.Tenant == "":
			tenant, serial, known := r.config.Tenants.ByTopic(c.Serial)
			if !known {
				return fmt.Errorf("the topic %q belongs to no tenant", c.Serial)
			}
			c.Tenant, c.Serial = tenant, serial
		}
		return r.intake.Again(ctx, c.Tenant, c.Serial, c.Chunk)
	})
}

// discard deletes rejected chunks.
func (r *relay) discard(w http.ResponseWriter, request *http.Request) {
	r.eachRejected(w, request, func(context.Context, *rejected) error { return nil })
}
