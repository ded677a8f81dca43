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
// the [http.Server], except [http.ErrAbortHandler].
//
// Other requests are rejected: with 405 if the method is not POST, with 413 if the body is
// longer than 1 MiB, with 408 if the body is not complete within the ReadTimeout of the
// [http.Server] or, by default, within 1 minute, with 401 if the signature is missing or
// wrong, and with 400 if [ParseWebhook] fails. For each of these reasons, the first such request
// is written to the ErrorLog, too. If all secrets are empty, if there are none, if one begins or
// ends with white space or is in quotes, or if function is nil, the handler rejects every request
// with 500 and a text with the reason.
//
// UNCERTAIN(webhook-repeats): after which responses, and how often, Memfault repeats a delivery.
//
// Memfault: https://docs.memfault.com/docs/platform/webhooks
func NewWebhookHandler(options WebhookOptions, function func(context.Context, *WebhookEvent) error) http.Handler {
	h := &webhookHandler{function: function, secrets: slices.Clone(options.Secrets)}
	h.deliveries.limit = cmp.Or(options.Remember, defaultRemembered)
	switch {
	case !anyNotEmpty(h.secrets):
		h.misuse = "memfault: NewWebhookHandler: Secrets must not be empty"
	case slices.ContainsFunc(h.secrets, isWrapped):
		h.misuse = "memfault: NewWebhookHandler: Secrets: " + wrappedSecret
	case function == nil:
		h.misuse = "memfault: NewWebhookHandler: nil function"
	}
	return http.HandlerFunc(h.serve) // a printed function shows no secret
}

type webhookHandler struct {
	secrets    []string
	function   func(context.Context, *WebhookEvent) error
	misuse     string // why no request can be served
	deliveries webhookDeliveries
	rejections sync.Map // reasons that were logged
}

func (h *webhookHandler) serve(w http.ResponseWriter, r *http.Request) {
	if h.misuse != "" {
		http.Error(w, h.misuse, http.StatusInternalServerError)
		return
	}
	event, status, reason := h.receive(w, r)
	if event != nil {
		status = h.deliver(r, event)
	} else if _, logged := h.rejections.LoadOrStore(reason, true); !logged {
		logTo(r, h.hideSecrets(fmt.Sprintf("memfault: webhook request rejected with %d: %s; further ones are not logged", status, reason)))
	}
	if status == http.StatusOK {
		w.WriteHeader(status)
		return
	}
	http.Error(w, http.StatusText(status), status)
}

// receive returns the event of a request, or the status with which it is rejected and the reason.
func (h *webhookHandler) receive(w http.ResponseWriter, r *http.Request) (event *WebhookEvent, status int, reason string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed, "the method is not POST"
	}
	var body []byte
	if r.Body != nil { // nil only in tests that call the handler directly
		if body, status = readWebhook(w, r); status != http.StatusOK {
			return nil, status, "the body cannot be read: " + http.StatusText(status)
		}
	}
	if VerifyWebhook(r.Header, body, h.secrets...) != nil {
		switch {
		case r.Header.Get(signatureHeader) == "":
			return nil, http.StatusUnauthorized, "the header " + signatureHeader + " is missing"
		case len(body) == 0:
			return nil, http.StatusUnauthorized, "the body is empty, and its signature is wrong; a middleware may have read it"
		default:
			return nil, http.StatusUnauthorized, "the signature is wrong"
		}
	}
	event, err := ParseWebhook(r.Header, body)
	if err != nil {
		if len(body) == 0 {
			return nil, http.StatusBadRequest, "the body is empty"
		}
		return nil, http.StatusBadRequest, "the body is not an event"
	}
	return event, http.StatusOK, ""
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

// deliver calls the function, unless it has succeeded for the same delivery.
func (h *webhookHandler) deliver(r *http.Request, event *WebhookEvent) (status int) {
	if event.Delivery == "" {
		return h.call(r, event)
	}
	body := sha256.Sum256(event.Payload) // the header is not signed
	key := sha256.Sum256(append(body[:], event.Delivery...))
	for {
		delivery, first := h.deliveries.begin(key)
		if first {
			defer func() { h.deliveries.end(key, delivery, status == http.StatusOK) }() // also after runtime.Goexit
			return h.call(r, event)
		}
		select {
		case <-delivery.ended:
			if delivery.succeeded {
				return http.StatusOK
			}
		case <-r.Context().Done():
			return http.StatusServiceUnavailable
		}
	}
}

// call calls the function and returns the status of the response.
func (h *webhookHandler) call(r *http.Request, event *WebhookEvent) (status int) {
	defer func() {
		if v := recover(); v != nil {
			status = http.StatusInternalServerError
			if v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it in this way
				h.log(r, event, "panic: "+redact.URLs(fmt.Sprint(v)), debug.Stack())
			}
		}
	}()
	if err := h.function(r.Context(), event); err != nil {
		h.log(r, event, oneLine(redact.URLs(h.hideSecrets(err.Error())), maxErrorField), nil)
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

// log writes to the log that net/http uses for the request. A stack is written below the text.
func (h *webhookHandler) log(r *http.Request, event *WebhookEvent, text string, stack []byte) {
	if stack != nil {
		text += "\n" + string(stack)
	}
	logTo(r, h.hideSecrets("memfault: webhook "+oneLine(string(event.Type), 80)+": "+text))
}

func logTo(r *http.Request, text string) {
	logger := log.Default()
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.ErrorLog != nil {
		logger = server.ErrorLog
	}
	logger.Print(text)
}

// hideSecrets redacts the secrets of the webhook.
func (h *webhookHandler) hideSecrets(text string) string {
	for _, secret := range h.secrets {
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
