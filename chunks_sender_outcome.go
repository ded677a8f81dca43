package memfault

import (
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/memfault-go/memfault/internal/ordered"
)

// chunkOutcome decides what the error of an upload means for the chunks, their device and
// the sender.
func chunkOutcome(err error) ordered.Outcome {
	outcome := ordered.Outcome{Err: err}
	var response *Error
	switch {
	case err == nil:
		outcome.Kind = ordered.Accepted
	case isLocalRefusal(err):
		outcome.Kind = ordered.Refused
	case errors.Is(err, ErrInvalidArgument):
		outcome.Kind = ordered.Rejected
	case errors.As(err, &response):
		outcome.Kind = statusOutcome(response)
		outcome.RetryAfter = response.RetryAfter
	case isNotSent(err):
		outcome.Kind = ordered.Unavailable
	default:
		outcome.Kind = ordered.Lost
	}
	return outcome
}

// statusOutcome decides what a response other than success means. A status of 200 to 399 is
// not a response of Memfault, but that of a captive portal or a proxy.
func statusOutcome(response *Error) ordered.Kind {
	switch status := response.StatusCode; status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return ordered.TooMuch
	case http.StatusUnauthorized, http.StatusForbidden:
		return ordered.Refused
	case http.StatusRequestTimeout: // the request did not arrive as a whole
		return ordered.Lost
	case http.StatusTooManyRequests:
		return ordered.Throttled
	case http.StatusUnprocessableEntity:
		return ordered.Rejected
	default:
		switch {
		case unavailable(status) || status < 400:
			return ordered.Unavailable
		case status >= 500:
			return ordered.Failed
		}
		return ordered.Misdirected // such as 404, 405 and 410
	}
}

// isLocalRefusal reports whether the Authenticator or the RateLimiter returned an error.
func isLocalRefusal(err error) bool {
	var hook *hookError
	return errors.As(err, &hook)
}

// isNotSent reports whether the connection failed before the request was sent.
func isNotSent(err error) bool {
	var certificate *tls.CertificateVerificationError
	return neverLeft(err) || errors.As(err, &certificate)
}
