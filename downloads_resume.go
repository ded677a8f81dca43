package memfault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/memfault-go/memfault/internal/resume"
)

// download is a file that is being downloaded. Its Reader counts all attempts, so each call
// makes only one.
type download struct {
	ctx      context.Context
	call     *call
	target   *url.URL
	once     bool // WithoutRetry is set
	file     *resume.Reader
	response *http.Response // of the last attempt; nil if there was none
	err      error          // the final error of Read
}

// open requests the file.
func (d *download) open() error {
	attempts := d.call.client.core.config.retry.MaxAttempts
	if d.once {
		attempts = 1
	}
	var err error
	d.file, err = resume.Open(resume.Source{Fetch: d.fetch, Retry: d.retry, MaxAttempts: attempts})
	return d.translate(err)
}

// Read requests the file if that was not done before, and continues on a new connection if
// the last one broke.
func (d *download) Read(p []byte) (int, error) {
	if d.file == nil && d.err == nil {
		d.err = d.open()
	}
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.file.Read(p)
	d.err = d.translate(err)
	return n, d.err
}

func (d *download) close() {
	if d.file != nil {
		_ = d.file.Close() // never fails
	}
}

// fetch makes one attempt.
func (d *download) fetch(header http.Header) (*http.Response, error) {
	d.call.header = header
	resp, err := d.call.do(d.ctx, d.target, nil, nil)
	d.response = resp
	if resp != nil && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && header.Get("Range") != "" {
		err = nil
	}
	if err == nil {
		d.call.lastError, d.call.renewed = nil, false // of an earlier attempt
		err = d.htmlPage(resp)
	}
	return resp, err
}

// htmlPage returns an error if the response is an HTML page, such as that of a captive portal,
// but the operation downloads a file that is never HTML.
func (d *download) htmlPage(resp *http.Response) error {
	name := d.call.op.Name
	if name != "coredumps.download" && name != "symbols.download" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return nil
	}
	defer resp.Body.Close() //nolint:errcheck // the response is not used
	d.call.timer.Finish(lateBodyLimit, errLateBody)
	start, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // the error shows what arrived
	return newDecodeError(d.call, resp, start, "unexpected HTML page", nil)
}

// retry waits as the client's policy demands, if it allows another attempt.
func (d *download) retry(waits int, cause error) error {
	policy := d.call.client.core.config.retry
	var lost *resume.LostError
	if errors.As(cause, &lost) {
		d.response = nil // its Retry-After is not about the broken connection
	} else if !d.retryable(policy, cause) {
		if d.call.tooLate > 0 {
			return d.call.failure(d.ctx, d.response, nil)
		}
		return cause
	}
	wait := time.NewTimer(policy.backoff(0, 0, waits, d.response))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-d.ctx.Done():
		return d.call.failure(d.ctx, nil, cause)
	}
}

// retryable reports whether the policy retries a call that failed as the last attempt did.
func (d *download) retryable(policy RetryPolicy, cause error) bool {
	call := *d.call
	call.options.withoutRetry = false
	var failed *noResponseError
	switch {
	case errors.As(cause, &failed):
		cause = failed.cause
	case d.response != nil:
		cause = nil
	default: // nothing was sent
		return false
	}
	again, _ := policy.check(context.WithValue(d.ctx, callKey{}, &call), d.response, cause) // never fails
	d.call.tooLate = call.tooLate
	return again
}

// translate returns an error of the Reader as an error of the package.
func (d *download) translate(err error) error {
	var unusable *resume.UnusableError
	var lost *resume.LostError
	switch {
	case errors.As(err, &unusable):
		return newDecodeError(d.call, unusable.Response, nil, unusable.Problem, nil)
	case errors.As(err, &lost):
		return d.call.failure(d.ctx, nil, lost.Err)
	}
	return err
}
