package memfault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// breaking is a body that ends with an error instead of EOF.
type breaking struct {
	io.Reader
	err error
}

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = b.err
	}
	return n, err
}

func (b *breaking) Close() error { return nil }

// breaks responds with a body of the given length whose connection breaks after a part.
func breaks(code, length int, part string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		resp, err := newResponse(code, "", header...)
		resp.ContentLength, resp.Body = int64(length), &breaking{strings.NewReader(part), errReset}
		return resp, err
	}
}

func whole(code int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return newResponse(code, body, header...) }
}

// unsized responds with a body of unknown length.
func unsized(code int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		resp, err := newResponse(code, body, header...)
		resp.ContentLength = -1
		return resp, err
	}
}

func TestDownload_UnusableResponse(t *testing.T) {
	type answers []func() (*http.Response, error)
	first := breaks(200, 10, "01234", "ETag", `"v1"`)
	for name, c := range map[string]struct {
		answers answers
		fail    string
	}{
		"changed":               {answers{first, whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", `"v2"`)}, "the file changed"},
		"gone":                  {answers{first, status(404)}, "404 Not Found"},
		"first response is 202": {answers{whole(202, "accepted")}, "not the whole file"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{responses: c.answers}
				_, err := download(t.Context(), newScriptedClient(t, s), 1, io.Discard)
				require.ErrorContains(t, err, c.fail)
				var apiError *memfault.Error
				require.ErrorAs(t, err, &apiError)
				assert.Len(t, s.sentAt, len(c.answers))
			})
		})
	}
}

// A download without a strong validator is requested again whole, and its beginning is
// compared.
func TestDownload_NeverMixesFiles(t *testing.T) {
	old, changed := strings.Repeat("old file ", 100), strings.Repeat("new file ", 100)
	late := time.Now().UTC().Format(http.TimeFormat)
	for name, header := range map[string][]string{
		"no validator":       nil,
		"weak tag":           {"ETag", `W/"v1"`},
		"late Last-Modified": {"Last-Modified", late, "Date", late},
	} {
		for _, next := range []string{old, changed} {
			t.Run(name, func(t *testing.T) {
				attempts := 0
				_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
					for i := 0; i < len(header); i += 2 {
						w.Header().Set(header[i], header[i+1])
					}
					content := old
					if attempts++; attempts > 1 {
						content = next
					}
					if attempts == 1 {
						w.Header().Set("Content-Length", strconv.Itoa(len(content)))
						_, _ = io.WriteString(w, content[:500])
						_ = http.NewResponseController(w).Flush()
						panic(http.ErrAbortHandler)
					}
					assert.Empty(t, r.Header.Get("Range"))
					modified, _ := http.ParseTime(w.Header().Get("Last-Modified"))
					http.ServeContent(w, r, "", modified, strings.NewReader(content))
				})
				var file bytes.Buffer
				_, err := download(t.Context(), client, 1, &file)
				if next == old {
					require.NoError(t, err)
					assert.Equal(t, old, file.String())
					return
				}
				requireError(t, err, http.StatusOK)
				require.ErrorContains(t, err, "the file changed during the download")
				assert.Equal(t, old[:500], file.String())
			})
		}
	}
}

const tag = `"v1"`

// rest responds with the rest of a file of 10 bytes. The connection breaks after a part.
func rest(from int, part string) func() (*http.Response, error) {
	return breaks(206, 10-from, part, "Content-Range", fmt.Sprintf("bytes %d-9/10", from), "ETag", tag)
}

// At most MaxAttempts consecutive attempts bring no new byte, whatever makes them fail.
func TestDownload_LimitsAttempts(t *testing.T) {
	type answers []func() (*http.Response, error)
	start := breaks(200, 10, "01234", "ETag", tag)
	for name, c := range map[string]struct {
		answers answers
		option  memfault.Option
		want    int
	}{
		"no connection":             {answers{broken(errRefused)}, nil, 5},
		"lost":                      {answers{broken(errReset)}, nil, 5},
		"503":                       {answers{status(503)}, nil, 5},
		"404":                       {answers{status(404)}, nil, 1},
		"503 with long Retry-After": {answers{status(503, "Retry-After", "31")}, nil, 1},
		"never a byte":              {answers{breaks(200, 10, "")}, nil, 5},
		"then nothing":              {answers{start, rest(5, "")}, nil, 6},
		"then 503":                  {answers{start, status(503)}, nil, 6},
		"then 404":                  {answers{start, status(404)}, nil, 2},
		"then 503 with Retry-After": {answers{start, status(503, "Retry-After", "31")}, nil, 2},
		"then all kinds":            {answers{start, status(503), rest(5, ""), broken(errReset), rest(5, ""), status(503), rest(5, "")}, nil, 6},
		"then a byte, then nothing": {answers{start, status(503), rest(5, "5"), rest(6, "")}, nil, 8},
		"two attempts":              {answers{start, rest(5, "5"), rest(6, "")}, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 2}), 4},
		"one attempt":               {answers{start}, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 1}), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var options []memfault.Option
				if c.option != nil {
					options = append(options, c.option)
				}
				s := &script{responses: c.answers}
				var response memfault.Response
				_, err := download(t.Context(), newScriptedClient(t, s, options...), 1, io.Discard, memfault.WithResponse(&response))
				require.Error(t, err)
				assert.Len(t, s.sentAt, c.want)
				assert.Equal(t, c.want, response.Attempts)
			})
		})
	}
}

func TestDownload_Waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runs = 300
		var longest [5]time.Duration
		for range runs {
			s := &script{responses: []func() (*http.Response, error){breaks(200, 10, "01234", "ETag", tag), rest(5, ""), status(503), rest(5, "")}}
			_, err := download(t.Context(), newScriptedClient(t, s), 1, io.Discard)
			require.ErrorIs(t, err, errReset)
			require.ErrorContains(t, err, "(attempt 6)")
			require.Len(t, s.sentAt, 6, "one with new bytes and 5 without")
			for i, wait := range s.waits() {
				longest[i] = max(longest[i], wait)
			}
		}
		for i, window := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
			assert.LessOrEqual(t, longest[i], window)
			assert.Greater(t, longest[i], window*9/10, "wait %d must use its whole window", i)
		}
	})
}

func TestDownload_NewBytesResetWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s script
		for i := range 50 {
			s.responses = append(s.responses, breaks(206, 50-i, "x", "Content-Range", fmt.Sprintf("bytes %d-49/50", i), "ETag", tag))
		}
		s.responses[0] = breaks(200, 50, "x", "ETag", tag)
		got, err := download(t.Context(), newScriptedClient(t, &s), 1, io.Discard)
		require.NoError(t, err)
		assert.Equal(t, int64(50), got.Size)
		for _, wait := range s.waits() {
			assert.LessOrEqual(t, wait, 500*time.Millisecond)
		}
	})
}

func TestDownload_ContextCanceledDuringWait(t *testing.T) {
	for name, failure := range map[string]func() (*http.Response, error){
		"broken body":   breaks(200, 10, "01234"),
		"503":           status(503),
		"no connection": broken(errRefused),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				stopped := io.ErrClosedPipe
				s := &script{responses: []func() (*http.Response, error){failure}}
				policy := memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Hour, MaxWait: time.Hour})
				start := time.Now()
				time.AfterFunc(time.Millisecond, func() { cancel(stopped) })
				_, err := download(ctx, newScriptedClient(t, s, policy), 1, io.Discard)
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, stopped)
				require.ErrorIs(t, err, memfault.ErrNoAnswer)
				assert.Equal(t, name == "503", errors.Is(err, memfault.ErrUnavailable), "the error contains the last response")
				assert.Equal(t, time.Millisecond, time.Since(start))
				assert.Len(t, s.sentAt, 1)
			})
		})
	}
}

func TestDownload_RetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{responses: []func() (*http.Response, error){
			status(503, "Retry-After", "10"), breaks(200, 10, "01234", "ETag", tag),
			status(429, "Retry-After", "20"), whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", tag),
		}}
		_, err := download(t.Context(), newScriptedClient(t, s), 1, io.Discard)
		require.NoError(t, err)
		assert.InDelta(t, 10.25, s.waits()[0].Seconds(), 0.25)
		assert.LessOrEqual(t, s.waits()[1], 500*time.Millisecond)
		assert.InDelta(t, 20.5, s.waits()[2].Seconds(), 0.5)
	})
}

func TestDownload_FinalError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := breaks(200, 10, "01234", "ETag", tag)
		s := &script{responses: []func() (*http.Response, error){status(503), start, status(503), unsized(206, "", "Content-Range", "bytes 5-9/10", "ETag", tag)}}
		_, err := download(t.Context(), newScriptedClient(t, s), 1, io.Discard)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "a body that is too short is a broken connection")
		require.ErrorIs(t, err, memfault.ErrNoAnswer)
		require.NotErrorIs(t, err, memfault.ErrUnavailable, "that attempt was retried")

		s = &script{responses: []func() (*http.Response, error){start, status(503)}}
		_, err = download(t.Context(), newScriptedClient(t, s), 1, io.Discard)
		require.ErrorIs(t, err, memfault.ErrUnavailable)
	})
}

// stalled is a body that stalls until the context of its request ends.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func TestDownload_ResumesAfterStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			if attempts++; attempts > 1 {
				return newResponse(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", tag)
			}
			resp, err := newResponse(200, "", "ETag", tag)
			resp.ContentLength, resp.Body = 10, struct {
				io.Reader
				io.Closer
			}{io.MultiReader(strings.NewReader("01234"), stalled{req.Context()}), io.NopCloser(nil)}
			return resp, err
		})}))
		start := time.Now()
		var file bytes.Buffer
		_, err := download(t.Context(), client, 1, &file)
		require.NoError(t, err)
		assert.Equal(t, "0123456789", file.String())
		assert.InDelta(t, time.Minute, time.Since(start), float64(time.Second))
	})
}
