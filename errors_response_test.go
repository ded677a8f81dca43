package memfault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestDecodeError_QuotesNoJSON(t *testing.T) {
	for name, body := range map[string]string{
		"cut off":         `{"data":{"api_key":"NEWs3cret`,
		"not an envelope": `{"api_key":"NEWs3cret"}`,
		"string":          `"NEWs3cret"`,
		"list":            ` ["NEWs3cret"]`,
		"after a BOM":     "\ufeff" + `{"api_key":"NEWs3cret"}`,
		"after a guard":   `)]}',` + "\n" + `{"api_key":"NEWs3cret"}`,
		"number":          `12345678`,
	} {
		t.Run(name, func(t *testing.T) {
			_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)+10))
				_, _ = io.WriteString(w, body)
			})
			_, err := client.Projects.RefreshProjectKey(t.Context(), sink)
			got := requireError(t, err, http.StatusOK)
			assert.NotContains(t, printAll(err), "NEWs3cret")
			assert.NotContains(t, printAll(err), "12345678")
			assert.Equal(t, body, string(got.Body), "Body must keep a new key, because it cannot be recovered from anywhere else")
		})
	}
}

func TestDecodeError_QuotesNoUploadToken(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"token":"NEWs3cret","upload_url":7}}`)
	})
	_, err := client.Uploads.SBOM(t.Context(), sink, &memfault.File{Name: "a.json", Size: 2, Content: strings.NewReader("{}")}, memfault.SBOMOptions{SoftwareType: "main", SoftwareVersion: "1"})
	require.ErrorIs(t, err, memfault.ErrUnexpectedResponse)
	assert.NotContains(t, printAll(err), "NEWs3cret")
}

func TestDecodeError_QuotesHTMLAndText(t *testing.T) {
	for body, kind := range map[string]error{
		"<!DOCTYPE html><title>Sign in to the hotel</title>": memfault.ErrNoAnswer,
		"upstream: connection reset":                         memfault.ErrUnexpectedResponse,
	} {
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		err := get(t.Context(), client)
		require.ErrorContains(t, err, fmt.Sprintf("begins with %q", body))
		require.ErrorIs(t, err, kind)
	}
}

func TestError_ParsesLargeEnvelope(t *testing.T) {
	rejected := map[string]any{}
	for i := range 1500 {
		rejected[fmt.Sprint(i)] = map[string]any{"event_info": map[string]any{"metrics": []string{"Not a valid integer."}}}
	}
	body, err := json.Marshal(map[string]any{"error": map[string]any{"code": 1000, "type": "InvalidUsageError", "message": rejected}})
	require.NoError(t, err)
	require.Greater(t, len(body), 64<<10)
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(body)
	})
	got := requireError(t, get(t.Context(), client), http.StatusBadRequest)
	assert.Equal(t, 1000, got.Code)
	assert.Equal(t, "InvalidUsageError", got.Type)
	assert.Len(t, got.ItemErrors(), 1500)
	assert.Equal(t, 1499, got.ItemErrors()[1499].Index)
	assert.Len(t, got.Body, 64<<10)
}

func TestError_TextIsOneShortLine(t *testing.T) {
	message := "first\r\nforged: line\x1b[31m\u2028\x00" + strings.Repeat("ä", 40<<10)
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", strings.Repeat("r", 2000))
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "type": strings.Repeat("T\n", 1000)}})
	})
	got := requireError(t, get(t.Context(), client), http.StatusBadRequest)
	for _, text := range []string{got.Error(), fmt.Sprintf("%+v", got), got.LogValue().String()} {
		assert.Less(t, len(text), 1200)
		assert.NotContains(t, text, "\n")
		assert.NotContains(t, text, "\r")
		assert.NotContains(t, text, "\x1b")
		assert.NotContains(t, text, "\u2028")
		assert.NotContains(t, text, "\x00")
		assert.Contains(t, text, "first  forged: line\ufffd[31m", "control characters must be replaced")
	}
	assert.Equal(t, message, got.Message, "Message must contain the complete text")
}

func TestError_TextOfDetailsIsOneShortLine(t *testing.T) {
	details := `{"f": ["` + strings.Repeat("x", 40<<10) + "\"],\n\"g\":1}"
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":`+details+`}}`)
	})
	got := requireError(t, get(t.Context(), client), http.StatusBadRequest)
	for _, text := range []string{got.Error(), got.LogValue().String()} {
		assert.Less(t, len(text), 1200)
		assert.NotContains(t, text, "\n")
	}
	assert.Equal(t, details, string(got.Details), "Details must contain the complete object")
}

func TestError_NoResponseTextIsOneShortLine(t *testing.T) {
	client := newClient(t, memfault.OrganizationToken("oat_test"), quickRetries, memfault.WithHTTPClient(&http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("proxy error\n\x1b[31m" + strings.Repeat("x", 60<<10))
		}),
	}))
	err := get(t.Context(), client)
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	assert.Less(t, len(err.Error()), 1200)
	assert.NotContains(t, err.Error(), "\n")
	assert.NotContains(t, err.Error(), "\x1b")
}

func TestError_Says500CanBeWrongSlug(t *testing.T) {
	assert.Contains(t, (&memfault.Error{StatusCode: 500}).Error(), "slug does not exist")
	assert.NotContains(t, (&memfault.Error{StatusCode: 502}).Error(), "slug")
}

// dribble is a body that returns one byte per second forever.
type dribble struct {
	req  *http.Request
	text string
}

func (d *dribble) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		b := byte(' ')
		if d.text != "" {
			b, d.text = d.text[0], d.text[1:]
		}
		p[0] = b
		return 1, nil
	case <-d.req.Context().Done():
		return 0, d.req.Context().Err()
	}
}

func (d *dribble) Close() error { return nil }

func TestResponse_DribblingBodyEndsAfterSeconds(t *testing.T) {
	for status, remove := range map[int]bool{403: false, 404: false, 301: false, 204: true, 202: true} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithTimeout(0), memfault.WithHTTPClient(&http.Client{
					Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
						return &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: -1, Body: &dribble{req: req, text: "{}"}}, nil
					}),
				}))
				err := client.Devices.Delete(t.Context(), sink, "A", memfault.WithoutRetry())
				if remove {
					require.NoError(t, err)
				} else {
					requireError(t, err, status)
				}
				assert.LessOrEqual(t, time.Since(start), 6*time.Second)
				assert.NoError(t, t.Context().Err())
			})
		})
	}
}

// textThenDribble returns its text immediately, then one byte per second.
type textThenDribble struct {
	text io.Reader
	dribble
}

func (b *textThenDribble) Read(p []byte) (int, error) {
	if n, err := b.text.Read(p); err == nil {
		return n, nil
	}
	return b.dribble.Read(p)
}

// newDribblingClient returns a client whose server responds to each request with a status and a
// body that does not end, and the number of its requests.
func newDribblingClient(t *testing.T, status int) (client *memfault.Client, requests *int) {
	t.Helper()
	requests = new(int)
	transport := roundTripper(func(req *http.Request) (*http.Response, error) {
		*requests++
		body := &textThenDribble{text: strings.NewReader(`{"error":{"code":7,"message":"no"}}`), dribble: dribble{req: req}}
		return &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: -1, Body: body}, nil
	})
	return newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithTimeout(0), memfault.WithHTTPClient(&http.Client{Transport: transport})), requests
}

func TestResponse_DribblingBodyKeepsMessage(t *testing.T) {
	for status, want := range map[int]int{400: 1, 404: 1, 429: 5, 503: 5} {
		synctest.Test(t, func(t *testing.T) {
			client, requests := newDribblingClient(t, status)
			start := time.Now()
			got := requireError(t, get(t.Context(), client), status)
			assert.Equal(t, 7, got.Code)
			assert.Equal(t, "no", got.Message)
			assert.Equal(t, want, *requests)
			assert.LessOrEqual(t, time.Since(start), time.Duration(want)*5*time.Second+7500*time.Millisecond, "5 s for each body, and the waits between attempts")
		})
	}
}

func TestResponse_DribblingBodyOfDownloadEndsAfterSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newDribblingClient(t, 403)
		start := time.Now()
		_, err := client.Recordings.Download(t.Context(), sink, "7", io.Discard)
		assert.Equal(t, "no", requireError(t, err, 403).Message)
		assert.LessOrEqual(t, time.Since(start), 6*time.Second)
	})
}

func TestResponse_DribblingBodyContextCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newDribblingClient(t, 503)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		err := get(ctx, client)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, memfault.ErrUnavailable, "the error must also contain the last response")
		assert.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestError_CutOffBodyKeepsStatus(t *testing.T) {
	requests := 0
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"error":{"code":7`)
	})
	err := get(t.Context(), client)
	require.ErrorIs(t, err, memfault.ErrConflict)
	assert.Len(t, requireError(t, err, http.StatusConflict).Body, len(`{"error":{"code":7`))
	assert.Equal(t, 1, requests)
}

func TestEmptyResponse_HTMLPageIsNoSuccess(t *testing.T) {
	for _, start := range []string{"\r\n <!DOCTYPE HTML><html>", "<html>", "\ufeff\n<HTML lang=en>"} {
		requireNoSuccess(t, start+"<title>Welcome to the hotel</title>")
	}
}

// requireNoSuccess fails unless a successful response with this page is an error of each kind of
// call that returns nothing.
func requireNoSuccess(t *testing.T, page string) {
	t.Helper()
	requests := 0
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		_, _ = io.WriteString(w, page)
	})
	gateway := client.WithAuth(memfault.ProjectKey("d3b0"))
	for name, call := range map[string]func() error{
		"delete": func() error { return client.Devices.Delete(t.Context(), sink, "A") },
		"chunks": func() error { return gateway.Chunks.Upload(t.Context(), "A", [][]byte{{1}}) },
		"Do": func() error {
			return client.Do(t.Context(), memfault.Request{Method: http.MethodPost, Path: "/api/v0/x"}, nil)
		},
	} {
		requests = 0
		err := call()
		require.ErrorIs(t, err, memfault.ErrNoAnswer, name)
		require.ErrorContains(t, err, "Welcome to the hotel", name)
		assert.Equal(t, 1, requests, name)
	}
}

func TestErrors_EachHasAKind(t *testing.T) {
	for status := 100; status < 600; status++ {
		assert.Len(t, kindsOf(&memfault.Error{StatusCode: status}), 1, status)
	}
}
