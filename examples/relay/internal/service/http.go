package service

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func (r *relay) handler() http.Handler {
	mux := http.NewServeMux()
	r.intake.Register(mux)
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", r.ready)
	return mux
}

// ready reports whether the relay accepts chunks: it is not shutting down, and the store
// responds.
func (r *relay) ready(w http.ResponseWriter, request *http.Request) {
	if r.closing.Load() {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(request.Context(), 2*time.Second)
	defer cancel()
	if _, err := r.store.Chunks.Info(ctx); err != nil {
		http.Error(w, "the store does not respond", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
