package memfault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WaitOptions configures how often a method that waits polls. The first poll is immediate;
// the pauses between polls double from MinInterval to MaxInterval. If only one of them is
// set, the default of the other is adjusted: MinInterval to at most MaxInterval, MaxInterval
// to at least MinInterval.
//
// A poll that fails with [ErrTemporary] does not end the wait: the next poll follows after the
// usual pause, but not before the time in Retry-After, of which an hour at most is honored. Each
// request is also retried by the client's [RetryPolicy]. Any other error ends the wait. If the
// context ends, the error also contains that of the last poll, if it failed.
type WaitOptions struct {
	MinInterval time.Duration // 0.5 s by default
	MaxInterval time.Duration // 30 s by default

	// OnError is called for each failed poll after which the wait continues.
	OnError func(error)
	// OnPoll is called with the result of each successful poll of a wait for a version, also
	// of the last one. [TasksService.Wait] does not call it.
	OnPoll func(VersionCounts)
}

func (o WaitOptions) withDefaults() (WaitOptions, error) {
	if o.MinInterval < 0 || o.MaxInterval < 0 {
		return o, invalid("WaitOptions: MinInterval and MaxInterval must not be negative")
	}
	if o.MaxInterval == 0 {
		o.MaxInterval = max(30*time.Second, o.MinInterval)
	}
	if o.MinInterval == 0 {
		o.MinInterval = min(500*time.Millisecond, o.MaxInterval)
	}
	if o.MinInterval > o.MaxInterval {
		return o, invalid("WaitOptions: MinInterval %v is greater than MaxInterval %v", o.MinInterval, o.MaxInterval)
	}
	return o, nil
}

// poll calls look, immediately and then after growing pauses, until it reports that it is done
// or fails for good, or until the context ends. If the context ends between two calls, the error
// is that of the context, with that of the last call if it failed.
func poll[T any](ctx context.Context, options WaitOptions, look func() (T, bool, error)) (T, error) {
	var none T
	options, err := options.withDefaults()
	if err != nil {
		return none, err
	}
	var last error // of the last poll
	for pause := options.MinInterval; ; pause = min(2*pause, options.MaxInterval) {
		found, done, err := look()
		wait := pause
		switch {
		case err == nil && done:
			return found, nil
		case err == nil:
			last = nil
		case isContextError(err) && !errors.Is(err, ErrTemporary):
			return none, afterError(err, last)
		case !errors.Is(err, ErrTemporary):
			return none, err
		default:
			last = err
			if options.OnError != nil {
				options.OnError(err)
			}
			wait = max(pause, retryAfterOf(err))
		}
		if err := sleep(ctx, wait); err != nil {
			return none, afterError(err, last)
		}
	}
}

// afterError adds the error of an earlier poll to the one that ended a wait.
func afterError(err, earlier error) error {
	if earlier == nil {
		return err
	}
	return fmt.Errorf("%w; last error: %w", err, &earlierError{earlier})
}

func isContextError(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// sleep returns early if the context ends, with its error.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}
