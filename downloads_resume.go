package memfault

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/memfault-go/memfault/internal/resume"
)

// download is a file that is being downloaded.
type download struct {
	ctx    context.Context
	call   *call
	target *url.URL
	file   *resume.Reader
	err    error // the final error of Read
}

func (d *download) open() error {
	file, err := resume.Open(resume.Source{Fetch: d.fetch, Wait: d.wait})
	d.file = file
	return d.translate(err)
}

// Read continues on a new connection if the last one broke.
func (d *download) Read(p []byte) (int, error) {
	n, err := d.file.Read(p)
	if err != nil {
		d.err = d.translate(err)
	}
	return n, d.err
}

func (d *download) close() { _ = d.file.Close() } // never fails

func (d *download) fetch(header http.Header) (*http.Response, error) {
	d.call.header = header
	return d.call.do(d.ctx, d.target, nil, nil)
}

// wait waits as the policy demands, if it allows another attempt.
func (d *download) wait(failures int, cause error) error {
	d.call.lastError = nil // of an attempt before the connection broke
	policy := d.call.client.core.config.retry
	if d.call.options.withoutRetry || failures >= policy.MaxAttempts {
		return d.call.failure(d.ctx, nil, cause)
	}
	wait := time.NewTimer(policy.backoff(0, 0, failures-1, nil))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-d.ctx.Done():
		return d.call.failure(d.ctx, nil, cause)
	}
}

// translate returns an error of the Reader as an error of the package.
func (d *download) translate(err error) error {
	var unusable *resume.UnusableError
	if errors.As(err, &unusable) {
		return newDecodeError(d.call, unusable.Response, nil, unusable.Problem, nil)
	}
	return err
}
