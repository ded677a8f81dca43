package memfault

import (
	"context"
	"fmt"
	"time"
)

// WaitOptions says how often a method that waits asks. The first time is at once;
// the pauses between double from MinInterval to MaxInterval.
type WaitOptions struct {
	MinInterval time.Duration // 0.5 s by default
	MaxInterval time.Duration // 30 s by default
}

func (o WaitOptions) withDefaults() (WaitOptions, error) {
	if o.MinInterval < 0 || o.MaxInterval < 0 {
		return o, invalid("WaitOptions: a negative interval")
	}
	if o.MaxInterval == 0 {
		o.MaxInterval = max(30*time.Second, o.MinInterval)
	}
	if o.MinInterval == 0 {
		o.MinInterval = min(500*time.Millisecond, o.MaxInterval)
	}
	if o.MinInterval > o.MaxInterval {
		return o, invalid("WaitOptions: MinInterval %v is above MaxInterval %v", o.MinInterval, o.MaxInterval)
	}
	return o, nil
}

// poll calls look, at once and then after growing pauses, until it reports that it
// is done or fails, or until the context ends. what names in the latter's error what
// was waited for.
func poll[T any](ctx context.Context, what string, options WaitOptions, look func() (T, bool, error)) (T, error) {
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
			return none, fmt.Errorf("memfault: waiting for %s: %w", what, err)
		}
	}
}

// sleep returns early, with why, when the context ends.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}
