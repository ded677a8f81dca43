package main

import (
	"context"
	"errors"

	"github.com/memfault-go/memfault"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2   // the flags, the environment or a local file; nothing was sent
	exitRefused     = 3   // by Memfault
	exitNoAnswer    = 4   // worth a retry
	exitInterrupted = 130 // by SIGINT or SIGTERM
)

// blockedError is a fact in Memfault that makes the release impossible.
type blockedError struct{ text string }

func (e *blockedError) Error() string { return e.text }

// exitCode returns the exit code for an error. Only a signal ends ctx.
func exitCode(ctx context.Context, err error) int {
	isOne := func(kinds ...error) bool {
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				return true
			}
		}
		return false
	}
	input, blocked, offer := (*inputError)(nil), (*blockedError)(nil), (*memfault.OfferError)(nil)
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &input), isOne(memfault.ErrWrongCredential):
		return exitUsage
	case errors.As(err, &offer):
		return exitFailed
	case isOne(memfault.ErrNoAnswer, memfault.ErrUnavailable, memfault.ErrRateLimited):
		return exitNoAnswer
	case errors.As(err, &blocked), isOne(memfault.ErrBadRequest, memfault.ErrUnauthorized, memfault.ErrForbidden,
		memfault.ErrNotFound, memfault.ErrConflict, memfault.ErrTooLarge):
		return exitRefused
	default:
		return exitFailed
	}
}

// advise returns what to do about an error of Memfault, or "".
func advise(err error) string {
	step, wait := (*stepError)(nil), (*memfault.VersionWaitError)(nil)
	errors.As(err, &step)
	switch {
	case errors.As(err, &wait) && errors.Is(err, context.DeadlineExceeded):
		return "Run the same command again to wait longer, or raise -wait-timeout"
	case errors.Is(err, memfault.ErrUnauthorized):
		return "Memfault does not know the credential: check MEMFAULT_ORG_TOKEN"
	case errors.Is(err, memfault.ErrForbidden):
		return "The credential lacks the permission: extend it in the settings of the organization, or use another one"
	case errors.Is(err, memfault.ErrWrongCredential):
		return "Set MEMFAULT_ORG_TOKEN, or MEMFAULT_EMAIL with MEMFAULT_API_KEY"
	case errors.Is(err, memfault.ErrConflict) && step != nil && step.step == stepPayload:
		return "Build the payload again for this version, and a different one for each board: -payload BOARD=FILE"
	case errors.Is(err, memfault.ErrRateLimited), errors.Is(err, memfault.ErrNoAnswer), errors.Is(err, memfault.ErrUnavailable):
		return "Run the same command again to continue"
	default:
		return ""
	}
}
