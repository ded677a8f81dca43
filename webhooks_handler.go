package memfault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/memfault-go/memfault/internal/redact"
)

const (
	maxWebhookBody    = 1 << 20 // bytes
	webhookBodyLimit  = time.Minute
	defaultRemembered = 10_000 // deliveries
)

// WebhookOptions are the options of [NewWebhookHandler].
//
// The handler distinguishes deliveries by their Memfault-Delivery header and their body, because
// the signature does not cover the header. If Memfault repeats
// one of the last deliveries for which the function succeeded, the handler responds with 200
// and does not call the function. A repeated delivery that arrives while the function runs
// waits for the outcome. After a success it gets the same response; otherwise the function is
// called again. If the header is missing, the function is called for each request.
//
// The handler keeps a hash of 32 bytes for each delivery, whatever the length of the header,
// and only in memory. After a restart the function may receive a delivery again.
type WebhookOptions struct {
	// Secrets are the secrets of the webhook; at least one is required. Several secrets allow
	// a rotation: a delivery is accepted if it is signed with one of them. Empty secrets are
	// ignored.
	Secrets []string `json:"-"`
	// SecretsFunc returns further secrets, for a rotation without a new handler. It is called for
	// each delivery, concurrently, and should be fast. If it panics, if there is no secret with
	// those of Secrets, or if one begins or ends with white space or is in quotes, the delivery is
	// rejected with 500.
	SecretsFunc func() []string `json:"-"`
	// OnError receives each error that the function returns, and each panic as an error, instead
	// of the ErrorLog; the stack of a panic is written to the ErrorLog all the same. It is called
	// before the response is sent, and concurrently.
	OnError func(event *WebhookEvent, err error) `json:"-"`
	// OnReject receives each request that is rejected, with the reason, instead of the ErrorLog.
	// The reason is of the kind [ErrWebhookSignature] if the signature is missing or wrong,
	// [ErrTooLarge] if the body is too long, and [ErrInvalidArgument] otherwise. It contains no
	// secret. The body of the request has been read. OnReject is called before the response is
	// sent, and concurrently.
	OnReject func(r *http.Request, reason error) `json:"-"`
	// Remember is how many successful deliveries the handler remembers; 10,000 by default. If
	// it is negative, the handler remembers none.
	Remember int
}

// Format writes the options without the secrets, for every verb.
func (o WebhookOptions) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "memfault.WebhookOptions{Secrets: %s, Remember: %d}", redact.Mark, o.Remember)
}

// NewWebhookHandler returns a handler that calls function for each webhook delivery with a
// valid signature, with the context of the request. If function returns nil, the handler
// responds with 200. [WebhookOptions] describes the handling of repeated deliveries. The
// handler is safe for concurrent use by multiple goroutines; function must be, too.
//
// If function returns an error or panics, the handler responds with 500, so that Memfault
// repeats the delivery. The error, or the panic with its stack, is written to the ErrorLog of
// the [http.Server], except [http.ErrAbortHandler]. With [WebhookOptions.OnError], errors are not
// written.
//
// Other requests are rejected: with 405 if the method is not POST, with 413 if the body is
// longer than 1 MiB, with 408 if the body is not complete within the ReadTimeout of the
// [http.Server] or, by default, within 1 minute, with 401 if the signature is missing or
// wrong, and with 400 if [ParseWebhook] fails. For each of these reasons, the first such request
// is written to the ErrorLog, too, unless there is a [WebhookOptions.OnReject]. If all secrets are
// empty, if there are none, if one begins or ends with white space or is in quotes, or if function
// is nil, the handler rejects every request with 500 and a text with the reason.
//
// UNCERTAIN(webhook-repeats): after which responses, and how often, Memfault repeats a delivery.
//
// Memfault: https://docs.memfault.com/docs/platform/webhooks
func NewWebhookHandler(options WebhookOptions, function func(context.Context, *WebhookEvent) error) http.Handler {
	h := &webhookHandler{WebhookOptions: options, function: function}
	h.Secrets = slices.Clone(options.Secrets)
	h.deliveries.limit = cmp.Or(options.Remember, defaultRemembered)
	if function == nil {
		h.misuse = "memfault: NewWebhookHandler: nil function"
	} else if options.SecretsFunc == nil || anyNotEmpty(h.Secrets) {
		h.misuse = misusedSecrets(h.Secrets)
	}
	return http.HandlerFunc(h.serve) // a printed function shows no secret
}

// misusedSecrets returns why secrets cannot verify a delivery, or "".
func misusedSecrets(secrets []string) string {
	switch {
	case !anyNotEmpty(secrets):
		return "memfault: NewWebhookHandler: Secrets must not be empty"
	case slices.ContainsFunc(secrets, isWrapped):
		return "memfault: NewWebhookHandler: Secrets: " + wrappedSecret
	}
	return ""
}

type webhookHandler struct {
	WebhookOptions

	function   func(context.Context, *WebhookEvent) error
	misuse     string // why no request can be served
	deliveries webhookDeliveries
	rejections sync.Map // reasons that were logged
}

// webhookRejection is why a request is not delivered.
type webhookRejection struct {
	status int
	kind   error
	reason string
}

func (h *webhookHandler) serve(w http.ResponseWriter, r *http.Request) {
	request := webhookRequest{webhookHandler: h, Request: r}
	event, rejected := request.receive(w)
	if rejected == nil {
		if status := request.deliver(r.Context(), event); status != http.StatusOK {
			http.Error(w, http.StatusText(status), status)
		} else {
			w.WriteHeader(status)
		}
		return
	}
	request.reject(rejected)
	text := http.StatusText(rejected.status)
	if rejected.status == http.StatusInternalServerError {
		text = rejected.reason
	}
	http.Error(w, text, rejected.status)
}

// webhookRequest is one request of a handler.
type webhookRequest struct {
	*webhookHandler
	*http.Request

	secrets []string // those of SecretsFunc too
}

// receive returns the event of a request, or why it is rejected.
func (r *webhookRequest) receive(w http.ResponseWriter) (*WebhookEvent, *webhookRejection) {
	if r.misuse != "" {
		return nil, &webhookRejection{http.StatusInternalServerError, ErrInvalidArgument, r.misuse}
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &webhookRejection{http.StatusMethodNotAllowed, ErrInvalidArgument, "the method is not POST"}
	}
	var body []byte
	if r.Body != nil { // nil only in tests that call the handler directly
		var status int
		if body, status = readWebhook(w, r.Request); status != http.StatusOK {
			kind := ErrInvalidArgument
			if status == http.StatusRequestEntityTooLarge {
				kind = ErrTooLarge
			}
			return nil, &webhookRejection{status, kind, "the body cannot be read: " + http.StatusText(status)}
		}
	}
	if reason := r.readSecrets(); reason != "" {
		return nil, &webhookRejection{http.StatusInternalServerError, ErrInvalidArgument, reason}
	}
	if VerifyWebhook(r.Header, body, r.secrets...) != nil {
		rejected := &webhookRejection{http.StatusUnauthorized, ErrWebhookSignature, "the signature is wrong"}
		switch {
		case r.Header.Get(signatureHeader) == "":
			rejected.reason = "the header " + signatureHeader + " is missing"
		case len(body) == 0:
			rejected.reason = "the body is empty, and its signature is wrong; a middleware may have read it"
		}
		return nil, rejected
	}
	event, err := ParseWebhook(r.Header, body)
	if err != nil {
		rejected := &webhookRejection{http.StatusBadRequest, ErrInvalidArgument, "the body is not an event"}
		if len(body) == 0 {
			rejected.reason = "the body is empty"
		}
		return nil, rejected
	}
	return event, nil
}

// readSecrets asks for the secrets, and returns why they cannot be used, or "".
func (r *webhookRequest) readSecrets() (problem string) {
	r.secrets = r.Secrets
	if r.SecretsFunc == nil {
		return ""
	}
	defer func() {
		if v := recover(); v != nil {
			problem = "memfault: NewWebhookHandler: SecretsFunc panicked"
			logTo(r.Request, "memfault: webhook SecretsFunc: panic:\n"+string(debug.Stack()))
		}
	}()
	r.secrets = slices.Concat(r.Secrets, r.SecretsFunc())
	return misusedSecrets(r.secrets)
}

// reject reports a rejected request: each one to OnReject, or the first of its reason to the log.
func (r *webhookRequest) reject(rejected *webhookRejection) {
	text := r.hideSecrets(fmt.Sprintf("webhook request rejected with %d: %s", rejected.status, strings.TrimPrefix(rejected.reason, "memfault: ")))
	if r.OnReject != nil {
		defer r.recoverHook("OnReject")
		r.OnReject(r.Request, newKindError(rejected.kind, "%s", text))
	} else if _, logged := r.rejections.LoadOrStore(rejected.reason, true); !logged {
		logTo(r.Request, "memfault: "+text+"; further ones are not logged")
	}
}

// recoverHook keeps a panic of a hook from changing the response.
func (r *webhookRequest) recoverHook(name string) {
	if v := recover(); v != nil {
		logTo(r.Request, r.hideSecrets("memfault: webhook "+name+": panic: "+redact.URLs(fmt.Sprint(v))+"\n"+string(debug.Stack())))
	}
}

// readWebhook returns the body of a request, or the status with which it is rejected. It limits
// the time of the body unless the server does, which by default waits forever. It does not need
// a deadline of the connection, which many a ResponseWriter does not offer: once the response
// is sent, net/http ends the Read that is still in flight.
func readWebhook(w http.ResponseWriter, r *http.Request) (body []byte, status int) {
	read := make(chan error, 1)
	go func() {
		err := errors.New("reading the body panicked")
		defer func() { _ = recover(); read <- err }()
		body, err = io.ReadAll(io.LimitReader(r.Body, maxWebhookBody+1))
	}()
	var late <-chan time.Time // never, if the server has a limit
	if server, _ := r.Context().Value(http.ServerContextKey).(*http.Server); server == nil || server.ReadTimeout <= 0 {
		timer := time.NewTimer(webhookBodyLimit)
		defer timer.Stop()
		late = timer.C
	}
	reject := func(status int) ([]byte, int) {
		w.Header().Set("Connection", "close") // net/http would wait for the rest of the body
		return nil, status
	}
	select {
	case <-late:
		return reject(http.StatusRequestTimeout)
	case err := <-read:
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return reject(http.StatusRequestTimeout)
		case err != nil:
			return nil, http.StatusBadRequest
		case len(body) > maxWebhookBody:
			return reject(http.StatusRequestEntityTooLarge)
		}
		return body, http.StatusOK
	}
}

// deliver calls the function, unless it has succeeded for the same delivery, and returns the
// status of the response.
func (r *webhookRequest) deliver(ctx context.Context, event *WebhookEvent) (status int) {
	if event.Delivery == "" {
		return r.call(ctx, event)
	}
	body := sha256.Sum256(event.Payload) // the header is not signed
	key := sha256.Sum256(append(body[:], event.Delivery...))
	for {
		delivery, first := r.deliveries.begin(key)
		if first {
			defer func() { r.deliveries.end(key, delivery, status == http.StatusOK) }() // also after runtime.Goexit
			return r.call(ctx, event)
		}
		select {
		case <-delivery.ended:
			if delivery.succeeded {
				return http.StatusOK
			}
		case <-ctx.Done():
			return http.StatusServiceUnavailable
		}
	}
}

// call calls the function and returns the status of the response.
func (r *webhookRequest) call(ctx context.Context, event *WebhookEvent) (status int) {
	defer func() {
		if v := recover(); v != nil {
			status = http.StatusInternalServerError
			if v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it in this way
				text := "panic: " + redact.URLs(fmt.Sprint(v))
				r.log(event, text+"\n"+string(debug.Stack()))
				r.fail(event, errors.New(r.hideSecrets(text)))
			}
		}
	}()
	err := r.function(ctx, event)
	if err == nil {
		return http.StatusOK
	}
	if r.OnError == nil {
		r.log(event, oneLine(redact.URLs(r.hideSecrets(err.Error())), maxErrorField))
	}
	r.fail(event, err)
	return http.StatusInternalServerError
}

func (r *webhookRequest) fail(event *WebhookEvent, err error) {
	if r.OnError != nil {
		defer r.recoverHook("OnError")
		r.OnError(event, err)
	}
}

// log writes to the log that net/http uses for the request.
func (r *webhookRequest) log(event *WebhookEvent, text string) {
	logTo(r.Request, r.hideSecrets("memfault: webhook "+oneLine(string(event.Type), 80)+": "+text))
}

func logTo(r *http.Request, text string) {
	logger := log.Default()
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.ErrorLog != nil {
		logger = server.ErrorLog
	}
	logger.Print(text)
}

// hideSecrets redacts the secrets of the webhook.
func (r *webhookRequest) hideSecrets(text string) string {
	for _, secret := range r.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redact.Mark)
		}
	}
	return text
}

// webhookDeliveries are the deliveries for which the function of the user runs, and the last
// deliveries for which it succeeded.
type webhookDeliveries struct {
	limit int // the number of succeeded deliveries that are kept; none if negative

	mu     sync.Mutex
	byKey  map[[sha256.Size]byte]*webhookDelivery
	oldest int                 // index in kept, once kept is full
	kept   [][sha256.Size]byte // a ring
}

type webhookDelivery struct {
	ended     chan struct{}
	succeeded bool // valid once ended is closed
}

// begin returns the delivery that is in flight or remembered under key. If there is none, begin
// registers a new delivery and first is true; the caller must then call end.
func (d *webhookDeliveries) begin(key [sha256.Size]byte) (delivery *webhookDelivery, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if delivery := d.byKey[key]; delivery != nil {
		return delivery, false
	}
	if d.byKey == nil {
		d.byKey = map[[sha256.Size]byte]*webhookDelivery{}
	}
	delivery = &webhookDelivery{ended: make(chan struct{})}
	d.byKey[key] = delivery
	return delivery, true
}

// end remembers the delivery if it succeeded; otherwise it removes the delivery.
func (d *webhookDeliveries) end(key [sha256.Size]byte, delivery *webhookDelivery, succeeded bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !succeeded || d.limit < 0:
		delete(d.byKey, key)
	case len(d.kept) < d.limit:
		d.kept = append(d.kept, key)
	default:
		delete(d.byKey, d.kept[d.oldest])
		d.kept[d.oldest] = key
		d.oldest = (d.oldest + 1) % d.limit
	}
	delivery.succeeded = succeeded
	close(delivery.ended)
}
