package memfault_test

import (
	"bytes"
	"context"
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

// breaking is a body that ends with an error.
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

// breaks answers with a body of the given length of which only a part comes.
func breaks(code, length int, part string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		resp, err := answer(code, "", header...)
		resp.ContentLength, resp.Body = int64(length), &breaking{strings.NewReader(part), errReset}
		return resp, err
	}
}

func whole(code int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return answer(code, body, header...) }
}

// unsized answers with a body whose length nobody says.
func unsized(code int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		resp, err := answer(code, body, header...)
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
		"changed":        {answers{first, whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", `"v2"`)}, "the file changed"},
		"gone":           {answers{first, status(404)}, "404 Not Found"},
		"a job at first": {answers{whole(202, "accepted")}, "not the whole file"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: c.answers}
				_, err := download(t.Context(), scripted(t, s), 1, io.Discard)
				require.ErrorContains(t, err, c.fail)
				var apiError *memfault.Error
				require.ErrorAs(t, err, &apiError)
				assert.Len(t, s.asked, len(c.answers))
			})
		})
	}
}

func TestDownloadWaitsBeforeItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runs = 300
		var longest [4]time.Duration
		for range runs {
			s := &script{answers: []func() (*http.Response, error){breaks(200, 10, "01234"), breaks(206, 5, "", "Content-Range", "bytes 5-9/10")}}
			_, err := download(t.Context(), scripted(t, s), 1, io.Discard)
			require.ErrorIs(t, err, errReset)
			require.ErrorContains(t, err, "(attempt 5)")
			require.Len(t, s.asked, 5, "as many attempts as the policy allows")
			for i, wait := range s.waits() {
				longest[i] = max(longest[i], wait)
			}
		}
		for i, window := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second} {
			assert.LessOrEqual(t, longest[i], window)
			assert.Greater(t, longest[i], window*9/10, "wait %d uses its whole window", i)
		}
	})
}

func TestDownloadThatGetsOnWaitsAsAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s script
		for i := range 50 {
			s.answers = append(s.answers, breaks(206, 50-i, "x", "Content-Range", "bytes "+string(rune('0'+i/10))+string(rune('0'+i%10))+"-49/50"))
		}
		s.answers[0] = breaks(200, 50, "x")
		got, err := download(t.Context(), scripted(t, &s), 1, io.Discard)
		require.NoError(t, err)
		assert.Equal(t, int64(50), got.Size)
		for _, wait := range s.waits() {
			assert.LessOrEqual(t, wait, 500*time.Millisecond)
		}
	})
}

func TestDownloadEndsWithItsContextWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := io.ErrClosedPipe
		s := &script{answers: []func() (*http.Response, error){breaks(200, 10, "01234")}}
		policy := memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Hour, MaxWait: time.Hour})
		start := time.Now()
		time.AfterFunc(time.Millisecond, func() { cancel(stopped) })
		_, err := download(ctx, scripted(t, s, policy), 1, io.Discard)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, stopped)
		assert.Equal(t, time.Millisecond, time.Since(start))
		assert.Len(t, s.asked, 1)
	})
}

func TestDownloadObeysRetryAfterWhenItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []func() (*http.Response, error){
			breaks(200, 10, "01234"), status(429, "Retry-After", "20"), whole(206, "56789", "Content-Range", "bytes 5-9/10"),
		}}
		_, err := download(t.Context(), scripted(t, s), 1, io.Discard)
		require.NoError(t, err)
		assert.Equal(t, 20*time.Second, s.waits()[1])
	})
}

func TestDownloadThatEndsTellsWhatBrokeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []func() (*http.Response, error){status(503), breaks(200, 10, "01234"), status(503), unsized(206, "", "Content-Range", "bytes 5-9/10")}}
		_, err := download(t.Context(), scripted(t, s), 1, io.Discard)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "a body that is too short is a broken connection")
		require.NotErrorIs(t, err, memfault.ErrUnavailable, "that was waited for")

		s = &script{answers: []func() (*http.Response, error){breaks(200, 10, "01234"), status(503)}}
		_, err = download(t.Context(), scripted(t, s), 1, io.Discard)
		require.ErrorIs(t, err, memfault.ErrUnavailable)
	})
}

// standing is a body that stands still until its request ends.
type standing struct{ ctx context.Context }

func (s standing) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func TestDownloadThatStandsStillIsContinued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			if attempts++; attempts > 1 {
				return answer(206, "56789", "Content-Range", "bytes 5-9/10")
			}
			resp, err := answer(200, "")
			resp.ContentLength, resp.Body = 10, struct {
				io.Reader
				io.Closer
			}{io.MultiReader(strings.NewReader("01234"), standing{req.Context()}), io.NopCloser(nil)}
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
