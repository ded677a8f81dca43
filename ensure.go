package memfault

import "errors"

// mayExist reports whether the object that a request should create may exist after it failed
// with err: Memfault has such an object, or the response was lost.
func mayExist(err error) bool { return errors.Is(err, ErrConflict) || isLost(err) }

// isLost reports whether a request that failed with err may have been carried out.
func isLost(err error) bool { return errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrUnavailable) }
