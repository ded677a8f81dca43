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
		resp, err := newResponse(code, "", header...)
		resp.ContentLength, resp.Body = int64(length), &breaking{strings.NewReader(part), errReset}
		return resp, err
	}
}

func whole(code int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return newResponse(code, body, header...) }
}

// unsized answers with a body whose length nobody says.
func unsized(code int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		resp, err := newResponse(code, body, header...)
		resp.ContentLength = -1
		return resp, err
	}
}

func TestHowDownloadsAreContinued(t *testing.T) {
	const v1, v2 = `"v1"`, `"v2"`
	const monday, tuesday = "Mon, 23 Feb 2026 10:00:00 GMT", "Tue, 24 Feb 2026 10:00:00 GMT"
	type answers []func() (*http.Response, error)
	first := breaks(200, 10, "01234", "ETag", v1, "Last-Modified", monday)
	plain := breaks(200, 10, "01234")
	open := breaks(200, -1, "01234")
	for name, c := range map[string]struct {
		answers answers
		fail    string // empty: "0123456789" has to come
	}{
		"the rest":                      {answers{first, whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", v1)}, ""},
		"the rest, nothing told":        {answers{plain, whole(206, "56789", "Content-Range", "bytes 5-9/10")}, ""},
		"the rest, whole unknown":       {answers{plain, whole(206, "56789", "Content-Range", "bytes 5-9/*")}, ""},
		"the rest in two parts":         {answers{first, whole(206, "56", "Content-Range", "bytes 5-6/10"), whole(206, "789", "Content-Range", "bytes 7-9/10")}, ""},
		"a part without error":          {answers{breaks(200, 10, "012"), unsized(206, "34", "Content-Range", "bytes 3-9/10"), whole(206, "56789", "Content-Range", "bytes 5-9/10")}, ""},
		"a weak tag":                    {answers{first, whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", "W/"+v1)}, ""},
		"broken again and again":        {answers{first, breaks(206, 5, "56", "Content-Range", "bytes 5-9/10"), broken(errReset), status(503), whole(206, "789", "Content-Range", "bytes 7-9/10")}, ""},
		"another part":                  {answers{first, whole(206, "6789", "Content-Range", "bytes 6-9/10")}, "another part"},
		"a part of nothing":             {answers{first, whole(206, "56789")}, "another part"},
		"a part that is no number":      {answers{first, whole(206, "56789", "Content-Range", "bytes x-9/10")}, "another part"},
		"the rest of another length":    {answers{first, whole(206, "56789A", "Content-Range", "bytes 5-10/11")}, "changed"},
		"the rest of another tag":       {answers{first, whole(206, "56789", "Content-Range", "bytes 5-9/10", "ETag", v2)}, "changed"},
		"the rest of another day":       {answers{breaks(200, 10, "01234", "Last-Modified", monday), whole(206, "56789", "Content-Range", "bytes 5-9/10", "Last-Modified", tuesday)}, "changed"},
		"more than there is":            {answers{first, unsized(206, "56789ABC", "Content-Range", "bytes 5-9/10")}, ""},
		"all again":                     {answers{first, whole(200, "0123456789", "ETag", v1)}, ""},
		"all again, of the same length": {answers{plain, whole(200, "0123456789")}, ""},
		"all again, of the same day":    {answers{breaks(200, -1, "01234", "Last-Modified", monday), unsized(200, "0123456789", "Last-Modified", monday)}, ""},
		"all again, broken early":       {answers{first, breaks(200, 10, "012", "ETag", v1), breaks(200, 10, "0123456", "ETag", v1), whole(200, "0123456789", "ETag", v1)}, ""},
		"all again, of another tag":     {answers{first, whole(200, "0123456789", "ETag", v2)}, "changed"},
		"all again, of another length":  {answers{first, whole(200, "0123456789A", "ETag", v1)}, "changed"},
		"all again, of another begin":   {answers{plain, whole(200, "ABCDE56789")}, "changed"},
		"all again, nothing told":       {answers{open, unsized(200, "0123456789")}, "cannot continue"},
		"a part beyond the whole":       {answers{open, whole(206, "56789", "Content-Range", "bytes 5-9/3")}, "another part"},
		"a whole below zero":            {answers{open, whole(206, "56789", "Content-Range", "bytes 5-9/-10")}, "another part"},
		"a whole too large":             {answers{first, whole(206, "56789", "Content-Range", "bytes 5-9/99999999999999999999")}, "another part"},
		"gone":                          {answers{first, status(404)}, "404 Not Found"},
		"shorter now":                   {answers{first, status(416, "Content-Range", "bytes */3")}, "416"},
		"a part at first":               {answers{whole(206, "01234", "Content-Range", "bytes 0-4/10")}, "not the whole file"},
		"a job at first":                {answers{whole(202, "accepted")}, "not the whole file"},
		"a whole that is no number":     {answers{first, whole(206, "56789", "Content-Range", "bytes 5-9/x")}, "another part"},
		"another file before any byte":  {answers{breaks(200, 3, "", "ETag", v2), whole(200, "0123456789", "ETag", v1)}, ""},
		"length unknown":                {answers{unsized(200, "0123456789")}, ""},
		"length unknown, the rest":      {answers{open, whole(206, "56789", "Content-Range", "bytes 5-9/10")}, ""},
		"length unknown, a short rest":  {answers{open, whole(206, "56", "Content-Range", "bytes 5-9/10"), whole(206, "789", "Content-Range", "bytes 7-9/10")}, ""},
		"length unknown, at the end":    {answers{breaks(200, -1, "0123456789"), status(416, "Content-Range", "bytes */10")}, ""},
		"length unknown, beyond":        {answers{breaks(200, -1, "0123456789"), status(416, "Content-Range", "bytes */4")}, "416"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{responses: c.answers}
				var file bytes.Buffer
				got, err := download(t.Context(), newScriptedClient(t, s), 1, &file)
				assert.Len(t, s.sentAt, len(c.answers))
				if c.fail != "" {
					require.ErrorContains(t, err, c.fail)
					var apiError *memfault.Error
					require.ErrorAs(t, err, &apiError)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, "0123456789", file.String())
				assert.Equal(t, int64(10), got.Size)
				assert.Equal(t, "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882", got.SHA256)
			})
		})
	}
}

func TestWhatARequestForTheRestNames(t *testing.T) {
	const monday = "Mon, 23 Feb 2026 10:00:00 GMT"
	for name, c := range map[string]struct {
		header []string
		want   string
	}{
		"strong tag": {[]string{"ETag", `"v1"`, "Last-Modified", monday}, `"v1"`},
		"weak tag":   {[]string{"ETag", `W/"v1"`, "Last-Modified", monday}, monday},
		"date":       {[]string{"Last-Modified", monday}, monday},
		"nothing":    {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen []http.Header
				client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
					if seen = append(seen, req.Header); len(seen) == 1 {
						return breaks(200, 10, "01234", c.header...)()
					}
					return newResponse(206, "56789", "Content-Range", "bytes 5-9/10")
				})}))
				_, err := download(t.Context(), client, 1, io.Discard)
				require.NoError(t, err)
				assert.NotContains(t, seen[0], "Range")
				assert.Equal(t, "bytes=5-", seen[1].Get("Range"))
				assert.Equal(t, c.want, seen[1].Get("If-Range"))
			})
		})
	}
}

func TestDownloadWaitsBeforeItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runs = 300
		var longest [4]time.Duration
		for range runs {
			s := &script{responses: []func() (*http.Response, error){breaks(200, 10, "01234"), breaks(206, 5, "", "Content-Range", "bytes 5-9/10")}}
			_, err := download(t.Context(), newScriptedClient(t, s), 1, io.Discard)
			require.ErrorIs(t, err, errReset)
			require.ErrorContains(t, err, "(attempt 5)")
			require.Len(t, s.sentAt, 5, "as many attempts as the policy allows")
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
			s.responses = append(s.responses, breaks(206, 50-i, "x", "Content-Range", "bytes "+string(rune('0'+i/10))+string(rune('0'+i%10))+"-49/50"))
		}
		s.responses[0] = breaks(200, 50, "x")
		got, err := download(t.Context(), newScriptedClient(t, &s), 1, io.Discard)
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
		s := &script{responses: []func() (*http.Response, error){breaks(200, 10, "01234")}}
		policy := memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Hour, MaxWait: time.Hour})
		start := time.Now()
		time.AfterFunc(time.Millisecond, func() { cancel(stopped) })
		_, err := download(ctx, newScriptedClient(t, s, policy), 1, io.Discard)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, stopped)
		assert.Equal(t, time.Millisecond, time.Since(start))
		assert.Len(t, s.sentAt, 1)
	})
}

func TestDownloadObeysRetryAfterWhenItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{responses: []func() (*http.Response, error){
			breaks(200, 10, "01234"), status(429, "Retry-After", "20"), whole(206, "56789", "Content-Range", "bytes 5-9/10"),
		}}
		_, err := download(t.Context(), newScriptedClient(t, s), 1, io.Discard)
		require.NoError(t, err)
		assert.Equal(t, 20*time.Second, s.waits()[1])
	})
}

func TestDownloadThatEndsTellsWhatBrokeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{responses: []func() (*http.Response, error){status(503), breaks(200, 10, "01234"), status(503), unsized(206, "", "Content-Range", "bytes 5-9/10")}}
		_, err := download(t.Context(), newScriptedClient(t, s), 1, io.Discard)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "a body that is too short is a broken connection")
		require.NotErrorIs(t, err, memfault.ErrUnavailable, "that was waited for")

		s = &script{responses: []func() (*http.Response, error){breaks(200, 10, "01234"), status(503)}}
		_, err = download(t.Context(), newScriptedClient(t, s), 1, io.Discard)
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
				return newResponse(206, "56789", "Content-Range", "bytes 5-9/10")
			}
			resp, err := newResponse(200, "")
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
