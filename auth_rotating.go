package memfault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/internal/shared"
)

// OrganizationTokenFunc authenticates like [OrganizationToken], with a token that can change
// while the program runs. token is called before each attempt. After a 401 it is called again;
// if it then returns another token, the request is retried with it, once per call. This
// includes POST requests, because Memfault does not carry out a request that it rejects with
// 401. This attempt does not count against [RetryPolicy.MaxAttempts] and [WithoutRetry], but
// [Response.Attempts] includes it. Requests in flight keep the token that they were sent with.
//
// Attempts that wait for a token at the same time share one call of token. No token is kept
// for later attempts, so token should be fast: it can return a value that another goroutine
// keeps up to date.
//
// The context of token has no values, because the attempts of several callers share it. It
// ends when no attempt waits any more, or after 1 minute: then the attempts fail. A call
// that ends earlier does not wait. token is called concurrently with itself only if it
// continues to run after its context has ended.
//
// If token returns an error, panics or ends its goroutine, the call fails with [ErrNoAnswer].
// If token returns an empty or unusable text, it fails with [ErrInvalidArgument]. Neither is
// retried.
func OrganizationTokenFunc(token func(ctx context.Context) (string, error)) Authenticator {
	return newRotating(operation.OrganizationToken, token)
}

// ProjectKeyFunc authenticates like [ProjectKey], with a key that can change while the
// program runs. It calls key as [OrganizationTokenFunc] calls its function, and after a 403
// as well, because Memfault rejects a wrong project key with 403. The operations that other
// credentials can use too, such as those of [Client.Do], are the exception: there, only a 401
// counts.
//
// While a [ChunkSender] is paused after a 401 or 403, or after an error of key, it calls key
// about once a second, and sends a probe as soon as the key has changed.
func ProjectKeyFunc(key func(ctx context.Context) (string, error)) Authenticator {
	return newRotating(operation.ProjectKey, key)
}

// askLimit is how long an attempt waits for a credential if no context ends earlier.
const askLimit = time.Minute

// rotating is a built-in Authenticator that gets its secret from a function. The last secret
// is behind two pointers, like that of a credential.
type rotating struct {
	kind   operation.Credential
	hidden *hiddenFunc
}

type hiddenFunc struct{ *shared.Func }

func newRotating(kind operation.Credential, ask func(context.Context) (string, error)) rotating {
	if ask == nil {
		return rotating{kind, &hiddenFunc{}}
	}
	return rotating{kind, &hiddenFunc{shared.New(askLimit, func(ctx context.Context) (string, error) {
		value, err := ask(ctx)
		if err == nil {
			err = newCredential(kind, "", value).validate()
		}
		return value, err
	})}}
}

func (r rotating) String() string   { return "memfault credential (" + r.kind.String() + ", rotating)" }
func (r rotating) GoString() string { return r.String() }

func (r rotating) validate() error {
	if r.hidden.Func == nil {
		return invalid("credential %s: nil function", r.kind)
	}
	return nil
}

// errNoCredential is the failure of a function that does not return.
const errNoCredential = timeoutError("the function returned no credential within 1 minute")

func (r rotating) ask(ctx context.Context) (value string, joined bool, err error) {
	value, joined, err = r.hidden.Ask(ctx)
	if errors.Is(err, shared.ErrLimit) {
		err = errNoCredential
	}
	return value, joined, err
}

func (r rotating) Authenticate(req *http.Request) error {
	value, _, err := r.ask(req.Context())
	if err != nil {
		return err
	}
	return newCredential(r.kind, "", value).Authenticate(req)
}

// askAfter returns the credential that is valid after old was rejected. A result that can
// be older than the rejection counts only if it differs from old.
func (r rotating) askAfter(ctx context.Context, old string) (string, error) {
	if latest := r.hidden.Latest(); latest != "" && latest != old {
		return latest, nil
	}
	value, joined, err := r.ask(ctx)
	if joined && (err != nil || value == old) && ctx.Err() == nil {
		value, _, err = r.ask(ctx)
	}
	return value, err
}

// sign adds the credential to an attempt. If the credential rotates and given is empty, sign
// calls its function.
func (c *call) sign(req *http.Request, given string) error {
	held, ok := c.client.auth.(rotating)
	if !ok {
		return c.client.auth.Authenticate(req)
	}
	if given == "" {
		var err error
		if given, _, err = held.ask(req.Context()); err != nil {
			return err
		}
	}
	c.credential = given
	return newCredential(held.kind, "", given).Authenticate(req)
}

// rejected reports whether a response means that the rotating credential of the attempt is
// wrong, for the first time in the call.
func (c *call) rejected(resp *http.Response) bool {
	held, ok := c.client.auth.(rotating)
	if !ok || c.renewed || c.credential == "" { // not sent: a redirect led elsewhere
		return false
	}
	return resp.StatusCode == http.StatusUnauthorized ||
		resp.StatusCode == http.StatusForbidden && held.kind == operation.ProjectKey && c.op.Credentials == operation.ProjectKey
}

// renew keeps the response that rejected the credential, and returns the credential to try
// instead, or "" if there is none.
func (c *call) renew(ctx context.Context, resp *http.Response) string {
	c.renewed = true
	c.lastResponse = resp
	c.keepError(resp)
	value, err := c.client.auth.(rotating).askAfter(ctx, c.credential) //nolint:forcetypeassert // rejected checked it
	switch {
	case err == nil && value != c.credential:
		return value
	case err != nil && ctx.Err() == nil:
		c.lastError.hint = "asking for another credential failed: " + oneLine(c.redactor().Text(err.Error()), maxErrorField)
		if !errors.Is(err, ErrInvalidArgument) { // an Error is of one kind
			c.lastError.cause = c.hideCause(err)
		}
	}
	return ""
}

// reopened returns a copy of the request whose body is read from its start.
func reopened(req *http.Request) (*http.Request, error) {
	again := *req
	if req.GetBody == nil {
		return &again, nil
	}
	var body io.ReadCloser
	body, err := req.GetBody()
	again.Body = body
	return &again, err
}
