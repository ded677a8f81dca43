package faultmatrix

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/memfault-go/memfault"
)

const (
	webhookSecret    = "webhook_s3cret"
	webhookBody      = `{"type":"issue.created","project":{"id":1,"slug":"sink"}}`
	webhookBodyLimit = time.Minute // in the documentation of NewWebhookHandler
)

// delivery is what Memfault, or another client, sends to a webhook.
type delivery struct {
	name string
	send func(c *conn) // writes requests

	statuses []int // of the responses; none if there is no connection to respond on
	calls    int   // of the function of the user
	took     time.Duration
	fail     func(call int) error // what the function returns
}

// signed returns a request with a valid signature.
func signed(method, body string) string { return request(method, body, webhookSecret, len(body)) }

// request returns a request that announces a body of a size.
func request(method, body, secret string, size int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s /hook HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nMemfault-Delivery: d1\r\n", method, home, size)
	if secret != "" {
		_ = memfault.SignWebhook(secret, []byte(body)).Write(&b)
	}
	return b.String() + "\r\n" + body
}

func sendText(texts ...string) func(*conn) {
	return func(c *conn) {
		for _, text := range texts {
			_, _ = io.WriteString(c, text)
		}
	}
}

// unfinished is a signed request without the end of its body.
var unfinished = signed("POST", webhookBody)[:len(signed("POST", webhookBody))-10]

var deliveries = []delivery{
	{name: "none: a valid delivery", send: sendText(signed("POST", webhookBody)), statuses: []int{200}, calls: 1},
	{name: "repeated delivery", send: sendText(signed("POST", webhookBody), signed("POST", webhookBody)), statuses: []int{200, 200}, calls: 1},
	{
		name: "error of the function, then a repetition", send: sendText(signed("POST", webhookBody), signed("POST", webhookBody)), statuses: []int{500, 200}, calls: 2,
		fail: func(call int) error {
			if call == 1 {
				return errors.New("busy")
			}
			return nil
		},
	},
	{
		name: "panic of the function", send: sendText(signed("POST", webhookBody)), statuses: []int{500}, calls: 1,
		fail: func(int) error { panic("broken") },
	},
	{name: "wrong signature", send: sendText(request("POST", webhookBody, "wrong", len(webhookBody))), statuses: []int{401}},
	{name: "missing signature", send: sendText(request("POST", webhookBody, "", len(webhookBody))), statuses: []int{401}},
	{name: "GET", send: sendText(signed("GET", webhookBody)), statuses: []int{405}},
	{name: "connection closed within the body", send: func(c *conn) { sendText(unfinished)(c); _ = c.Close() }},
	{name: "connection reset within the body", send: func(c *conn) { sendText(unfinished)(c); c.reset() }},
	{name: "connection reset within the header", send: func(c *conn) { sendText("POST /hook HTTP/1.1\r\nHost")(c); c.reset() }},
	{name: "connection lost while the function runs", send: func(c *conn) {
		sendText(signed("POST", webhookBody))(c)
		synctest.Wait()
		c.reset()
	}, calls: 1, fail: func(int) error { return errWait }},
	{name: "function runs for 3 minutes", send: sendText(signed("POST", webhookBody)), statuses: []int{200}, calls: 1, took: 3 * time.Minute, fail: func(int) error {
		time.Sleep(3 * time.Minute)
		return nil
	}},
	{name: "body in 10 parts, 5 s apart", send: func(c *conn) {
		text := signed("POST", webhookBody)
		for i := range 9 {
			start := len(text) - 9 + i
			if i == 0 {
				sendText(text[:start])(c)
			}
			time.Sleep(5 * time.Second)
			sendText(text[start : start+1])(c)
		}
	}, statuses: []int{200}, calls: 1, took: 45 * time.Second},
	{name: "body that stops", send: sendText(unfinished), statuses: []int{408}, took: webhookBodyLimit},
	{name: "100 Continue requested", send: sendText(strings.Replace(signed("POST", webhookBody), "\r\n", "\r\nExpect: 100-continue\r\n", 1)), statuses: []int{100, 200}, calls: 1},
	{name: "body of 1 MiB and a byte", send: sendText(signed("POST", strings.Repeat(" ", 1<<20+1))), statuses: []int{413}},
	{name: "body of 65 MiB", send: func(c *conn) {
		sendText(request("POST", "", webhookSecret, 65<<20))(c)
		go writeLarge(c)
	}, statuses: []int{413}},
	{name: "body of 65 MiB in chunks", send: func(c *conn) {
		sendText("POST /hook HTTP/1.1\r\nHost: hook.test\r\nTransfer-Encoding: chunked\r\n\r\n")(c)
		go writeLarge(httputil.NewChunkedWriter(c))
	}, statuses: []int{413}},
	{name: "gzip bomb without a signature", send: func(c *conn) { sendText(request("POST", string(bomb()), "", len(bomb())))(c) }, statuses: []int{401}},
	{name: "gzip bomb with a valid signature", send: func(c *conn) { sendText(signed("POST", string(bomb())))(c) }, statuses: []int{400}},
	{name: "truncated JSON", send: sendText(signed("POST", webhookBody[:20])), statuses: []int{400}},
	{name: "JSON of the wrong type", send: sendText(signed("POST", `["issue.created"]`)), statuses: []int{400}},
	{name: "null", send: sendText(signed("POST", "null")), statuses: []int{400}},
	{name: "empty body", send: sendText(signed("POST", "")), statuses: []int{400}},
	{name: "HTML page", send: sendText(signed("POST", "<!DOCTYPE html><html></html>")), statuses: []int{400}},
}

// errWait makes the function wait for the end of its context.
var errWait = errors.New("wait for the context")

// deliveryOf maps the name of a fault of the matrix to that of the corresponding delivery.
var deliveryOf = map[string]string{
	"connection reset after the request":          "connection lost while the function runs",
	"connection reset within the response header": "connection reset within the header",
	"connection reset within the response body":   "connection reset within the body",
	"response body in 10 parts, 30 s apart":       "body in 10 parts, 5 s apart",
	"response body that stops":                    "body that stops",
	"100 Continue that never comes":               "100 Continue requested",
	"200 with an HTML page":                       "HTML page",
	"200 with truncated JSON":                     "truncated JSON",
	"200 with JSON of the wrong type":             "JSON of the wrong type",
	"200 with null":                               "null",
	"200 with null as data":                       "null",
	"200 without a body":                          "empty body",
	"200 with 65 MiB":                             "body of 65 MiB",
	"200 with 65 MiB in chunks":                   "body of 65 MiB in chunks",
	"200 with a gzip bomb":                        "gzip bomb with a valid signature",
}

const (
	beforeHandler = "These faults occur before a request, in the http.Server of the user or below it:"
	noResponse    = "These faults are in a response, but the handler sends responses and receives none:"
)

// inapplicable returns why a webhook cannot have a fault of the matrix, or "".
func inapplicable(f *fault) string {
	switch {
	case deliveryOf[f.name] != "":
		return ""
	case f.fresh || f.idle != nil:
		return beforeHandler
	default:
		return noResponse
	}
}

func TestWebhook(t *testing.T) {
	for _, d := range deliveries {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testDelivery(t, d) })
		})
	}
}

func testDelivery(t *testing.T, d delivery) {
	running := goleak.IgnoreCurrent()
	var mu sync.Mutex
	calls := 0
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{webhookSecret}}, func(ctx context.Context, _ *memfault.WebhookEvent) error {
		mu.Lock()
		calls++
		call := calls
		mu.Unlock()
		if d.fail == nil {
			return nil
		}
		err := d.fail(call)
		if errors.Is(err, errWait) {
			<-ctx.Done()
		}
		return err
	})
	var logged bytes.Buffer
	server := &http.Server{Handler: handler, ErrorLog: log.New(&logged, "", 0), ReadHeaderTimeout: time.Minute}
	var on network
	l := on.listen("hook.test:80")
	go func() { _ = server.Serve(l) }()
	client, err := on.dial(t.Context(), "tcp", "hook.test:80")
	require.NoError(t, err)

	start := time.Now()
	go d.send(client.(*conn))
	responses := bufio.NewReader(client)
	for _, want := range d.statuses {
		resp, err := http.ReadResponse(responses, nil)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		assert.Equal(t, want, resp.StatusCode)
	}
	assert.Equal(t, d.took, time.Since(start))
	time.Sleep(time.Millisecond) // of the bubble: until everything else has happened
	synctest.Wait()
	assert.Equal(t, d.calls, calls)
	assert.NotContains(t, logged.String(), "s3cret")

	_ = client.Close()
	time.Sleep(time.Second) // net/http waits half a second for the client
	_ = server.Close()
	synctest.Wait()
	assert.NoError(t, goleak.Find(running))
}

func TestWebhook_DeliveriesExist(t *testing.T) {
	for _, name := range deliveryOf {
		assert.True(t, slices.ContainsFunc(deliveries, func(d delivery) bool { return d.name == name }), name)
	}
}
