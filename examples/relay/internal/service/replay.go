package service

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/memfault-go/memfault/examples/relay/internal/store"
)

type rejected = store.Rejected

// eachRejected passes the rejected chunks that exist when the request arrives to do, in order,
// and deletes those for which it returns nil. The parameter tenant selects a tenant.
func (r *relay) eachRejected(w http.ResponseWriter, request *http.Request, do func(context.Context, *rejected) error) {
	if request.Header.Get(ConfirmHeader) == "" {
		http.Error(w, "the header "+ConfirmHeader+" is required", http.StatusForbidden)
		return
	}
	ctx, response := request.Context(), Replayed{}
	status := r.walkRejected(ctx, request.FormValue("tenant"), &response, do)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(response); err != nil {
		r.config.Logger.Warn("the operator did not receive the response", "error", err)
	}
	r.config.Logger.Info("rejected chunks", "request", request.URL.Path, "tenant", request.FormValue("tenant"), "chunks", response.Chunks, "left", response.Left)
}

func (r *relay) walkRejected(ctx context.Context, tenant string, response *Replayed, do func(context.Context, *rejected) error) (status int) {
	last, err := r.store.LastRejected(ctx)
	for from := uint64(1); err == nil; {
		var next *rejected
		if next, err = r.store.NextRejected(ctx, tenant, from); err != nil || next == nil || next.Sequence > last {
			break
		}
		from = next.Sequence + 1
		switch err = do(ctx, next); {
		case err == nil:
			if err = r.store.DeleteRejected(ctx, next.Sequence); err == nil {
				response.Chunks++
			}
		case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFull):
			response.Left++ // so would the next one be
		default: // other devices may have room
			response.Left++
			response.Problem, err = err.Error(), nil
		}
	}
	if err != nil {
		response.Problem = err.Error()
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}
