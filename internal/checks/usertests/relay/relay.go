// Package relay relays the chunks that devices post to an HTTP server. It is a small program
// of a user, whose tests use nothing of this project but its public packages.
package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/memfault-go/memfault"
)

// Relay accepts POST /chunks/{serial} and sends the chunks to Memfault.
type Relay struct {
	sender *memfault.ChunkSender
	mux    *http.ServeMux
}

// New returns a [Relay]. The credential of client must be a project key.
func New(client *memfault.Client) *Relay {
	r := &Relay{
		sender: client.Chunks.NewSender(memfault.ChunkSenderOptions{
			OnPause: func(err error) { slog.Error("relay paused", "err", err) },
		}),
		mux: http.NewServeMux(),
	}
	r.mux.HandleFunc("POST /chunks/{serial}", r.accept)
	return r
}

// ServeHTTP implements http.Handler.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }

// accept responds only after Memfault has accepted the chunk, so that the device keeps it
// until then.
func (r *Relay) accept(w http.ResponseWriter, req *http.Request) {
	chunk, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		http.Error(w, "chunk too large", http.StatusRequestEntityTooLarge)
		return
	}
	result := make(chan error, 1)
	err = r.sender.Send(req.Context(), req.PathValue("serial"), chunk, func(err error) { result <- err })
	if err == nil {
		select {
		case err = <-result:
		case <-req.Context().Done():
			err = req.Context().Err()
		}
	}
	switch {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, memfault.ErrInvalidArgument):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case errors.Is(err, memfault.ErrDeviceFull):
		w.Header().Set("Retry-After", "60")
		http.Error(w, "too many chunks of this device", http.StatusTooManyRequests)
	default:
		http.Error(w, "not delivered", http.StatusBadGateway)
	}
}

// Close delivers what is pending, for at most a limit.
func (r *Relay) Close(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return r.sender.Close(ctx)
}
