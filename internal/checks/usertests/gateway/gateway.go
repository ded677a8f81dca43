// Package gateway is a gateway between devices and Memfault that loses nothing when it is switched
// off. It is a small program of a user, whose tests use nothing of this project but its public
// packages.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/chunkqueue"
)

// Config configures a gateway.
type Config struct {
	Queue   string            // path of the queue
	KeyFile string            // contains the project key, and is replaced when the key changes
	Client  []memfault.Option // such as the address of a fake
}

// Run serves devices on the listener until ctx ends: POST /chunks/{serial} with a chunk as the
// body, and GET /metrics.
func Run(ctx context.Context, config Config, listener net.Listener) error {
	client, err := memfault.NewClient(memfault.ProjectKeyFunc(func(context.Context) (string, error) {
		key, err := os.ReadFile(config.KeyFile)
		return strings.TrimSpace(string(key)), err
	}), config.Client...)
	if err != nil {
		return err
	}
	queue, err := chunkqueue.Open(config.Queue, chunkqueue.Options{
		MaxBytes: 64 << 20, MaxBytesPerDevice: 1 << 20,
		OnDrop:   func(d chunkqueue.Drop) { slog.Warn("dropped", "device", d.Serial, "chunks", d.Chunks) },
		OnReject: func(r chunkqueue.Rejected) { slog.Warn("rejected", "device", r.Serial, "reason", r.Reason) },
		OnPause:  func(err error) { slog.Error("delivery paused", "err", err) },
	})
	if err != nil {
		return err
	}
	if r := queue.Recovery(); r != nil {
		slog.Error("the queue was damaged", "err", r.Err, "aside", r.Aside, "recovered", r.Chunks, "lost", r.Lost, "unreadable", r.Unreadable)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	delivered := make(chan error, 1)
	go func() {
		delivered <- queue.Run(ctx, client.Chunks)
		cancel()
	}()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /chunks/{serial}", func(w http.ResponseWriter, r *http.Request) { accept(queue, w, r) })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { metrics(queue, w) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err = server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	cancel()
	return errors.Join(err, <-delivered, queue.Close())
}

// accept answers 202 when the chunk is on the disk: the device can delete it.
func accept(queue *chunkqueue.Queue, w http.ResponseWriter, r *http.Request) {
	chunk, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		http.Error(w, "chunk too large or cut", http.StatusBadRequest)
		return
	}
	switch err := queue.Add(r.Context(), r.PathValue("serial"), chunk); {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, memfault.ErrInvalidArgument):
		http.Error(w, err.Error(), http.StatusBadRequest)
	default: // the device sends it again
		slog.Error("not queued", "err", err)
		http.Error(w, "not queued", http.StatusServiceUnavailable)
	}
}

// metrics answers in the text format of Prometheus.
func metrics(queue *chunkqueue.Queue, w io.Writer) {
	s := queue.Stats()
	paused, oldest := 0, 0.0
	if s.Paused != nil {
		paused = 1
	}
	if !s.Oldest.IsZero() {
		oldest = time.Since(s.Oldest).Seconds()
	}
	_, _ = fmt.Fprintf(w, "chunks_queued %d\nchunks_queued_bytes %d\nchunks_oldest_seconds %.0f\nchunks_paused %d\n",
		s.Chunks, s.Bytes, oldest, paused)
	_, _ = fmt.Fprintf(w, "chunks_delivered_total %d\nchunks_rejected_total %d\nchunks_dropped_total %d\n",
		s.Delivered, s.Rejected, s.Dropped)
}
