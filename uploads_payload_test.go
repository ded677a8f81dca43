package memfault_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// newStorageClient returns a client whose requests to storage are sent to put.
func newStorageClient(t *testing.T, put roundTripper, opts ...memfault.Option) *memfault.Client {
	t.Helper()
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPut {
			return put(r)
		}
		return newResponse(200, `{"data":{"upload_url":"https://storage.example/a?sig=1","token":"t"}}`)
	})
	opts = append([]memfault.Option{memfault.WithHTTPClient(&http.Client{Transport: transport}), quickRetries}, opts...)
	return newClient(t, memfault.OrganizationToken("oat_test"), opts...)
}

// net/http may continue to read the request body of an attempt after its response.
func TestUpload_BodyOfFinishedAttemptIsNotRead(t *testing.T) {
	var first io.ReadCloser
	client := newStorageClient(t, func(r *http.Request) (*http.Response, error) {
		part := make([]byte, 600)
		_, err := io.ReadFull(r.Body, part)
		require.NoError(t, err)
		if first == nil {
			first = r.Body
			return newResponse(503, "")
		}
		n, err := first.Read(part)
		assert.Zero(t, n)
		require.Error(t, err, "the body of a finished attempt must not be read")
		_, err = io.Copy(io.Discard, r.Body)
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		_, err = r.Body.Read(part)
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF, "io.EOF would complete the request")
		return newResponse(200, "")
	})
	file, content := fileOf("a.bin", "", 1000)
	var progress progressLog
	result, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions, progress.option())
	require.NoError(t, err)
	assert.Equal(t, md5Of(content), result.MD5)
	assert.Equal(t, []int64{0, 600, 0, 600, 1000}, progress.sent)
}

// If a kept connection turns out to be closed, net/http opens the request body again within
// the same attempt.
func TestUpload_ReopenedBodyRestartsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newStorageClient(t, func(r *http.Request) (*http.Response, error) {
			_, _ = r.Body.Read(make([]byte, 100))
			require.NoError(t, r.Body.Close())
			body, err := r.GetBody()
			require.NoError(t, err)
			for {
				time.Sleep(8 * time.Second)
				if _, err := body.Read(make([]byte, 300)); err != nil {
					break
				}
			}
			if r.Context().Err() != nil {
				return nil, context.Cause(r.Context())
			}
			return newResponse(200, "")
		}, memfault.WithTimeout(10*time.Second))
		file, content := fileOf("a.bin", "", 1000)
		result, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
		require.NoError(t, err)
		assert.Equal(t, md5Of(content), result.MD5)
	})
}

func TestUpload_PresignedURLIsNotInError(t *testing.T) {
	client := newStorageClient(t, func(*http.Request) (*http.Response, error) {
		return newResponse(403, `<Error><Code>SignatureDoesNotMatch</Code><URL>https://storage.example/a?sig=s3cret</URL></Error>`)
	})
	file, _ := fileOf("a.bin", "", 1000)
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
	require.ErrorIs(t, err, memfault.ErrForbidden)
	requireNoSecret(t, printAll(err)+string(requireError(t, err, 403).Body))
}
