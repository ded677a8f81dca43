package memfault

import (
	"context"
	"errors"
	"sync"

	"github.com/memfault-go/memfault/internal/ordered"
)

// rejectedCredential is the rotating credential of the last request of a chunk sender that
// Memfault rejected.
type rejectedCredential struct {
	auth rotating

	mu    sync.Mutex
	value string
	known bool // false if the request was rejected for another reason
}

// sendChunks returns the functions with which the engine sends a batch, and, if the
// credential rotates, with which it asks whether the credential has changed.
func (s *ChunksService) sendChunks() (
	send func(ctx context.Context, serial string, chunks [][]byte) ordered.Outcome, changed func(context.Context) bool,
) {
	auth, ok := s.client.auth.(rotating)
	if !ok {
		return func(ctx context.Context, serial string, chunks [][]byte) ordered.Outcome {
			return chunkOutcome(s.Upload(ctx, serial, chunks, WithoutRetry()))
		}, nil
	}
	rejected := &rejectedCredential{auth: auth}
	send = func(ctx context.Context, serial string, chunks [][]byte) (outcome ordered.Outcome) {
		outcome.Kind = ordered.Refused // also if Upload panics
		var used string
		defer func() { rejected.note(outcome, used) }()
		return chunkOutcome(s.Upload(ctx, serial, chunks, WithoutRetry(), func(o *callOptions) { o.credential = &used }))
	}
	return send, rejected.changed
}

// note stores the credential that a rejected request used. used is empty if the function of
// the credential failed.
func (r *rejectedCredential) note(outcome ordered.Outcome, used string) {
	if outcome.Kind != ordered.Refused {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var hook *hookError
	asked := errors.As(outcome.Err, &hook) && hook.hook == authenticatorHook
	r.value, r.known = used, used != "" || asked
}

// changed reports, once for each value, whether the credential is another one now.
func (r *rejectedCredential) changed(ctx context.Context) bool {
	r.mu.Lock()
	value, known := r.value, r.known
	r.mu.Unlock()
	if !known {
		return false
	}
	now, _, err := r.auth.ask(ctx)
	if err != nil || now == value {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value = now
	return true
}
