package memfault

import (
	"context"
	"errors"
	"time"
)

// WaitOptions configures how often a method that waits polls. The first poll is immediate;
// the pauses between polls double from MinInterval to MaxInterval. If only one of them is
// set, the default of the other is adjusted: MinInterval to at most MaxInterval, MaxInterval
// to at least MinInterval.
type WaitOptions struct {
	MinInterval time.Duration // 0.5 s by default
	MaxInterval time.Duration // 30 s by default
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
// or fails, or until the context ends. If the context ends between two calls, the error is that
// of the context.
func poll[T any](ctx context.Context, options WaitOptions, look func() (T, bool, error)) (T, error) {
	var none T
	options, err := options.withDefaults()
	if err != nil {
		return none, err
	}
	for pause := options.MinInterval; ; pause = min(2*pause, options.MaxInterval) {
		found, done, err := look()
		if err != nil {
			return none, err
		}
		if done {
			return found, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return none, err
		}
	}
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
