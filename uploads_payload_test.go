package memfault_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
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

// An upload must end with its context and its time limit, whatever code of the caller does.
func TestUpload_CallerBlocks(t *testing.T) {
	content := []byte(strings.Repeat("PK\x03\x04", 50_000))
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		for what, limit := range map[string]time.Duration{"context": 10 * time.Second, "time limit": time.Hour} {
			for where := range 3 {
				t.Run(fmt.Sprint(name, " ", what, " ", where), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						cloud := newForgetfulCloud(t, http2)
						release := make(chan struct{})
						defer close(release)
						file := &memfault.File{Name: "a.zip", Size: int64(len(content)), Content: bytes.NewReader(content)}
						var running atomic.Int32
						progress := func(sent, _ int64) {
							assert.EqualValues(t, 1, running.Add(1), "calls must not be concurrent")
							defer running.Add(-1)
							if where == 0 || where == 1 && sent > 0 {
								<-release
							}
						}
						if where == 2 {
							file.Content = readerAtFunc(func(p []byte, at int64) (int, error) {
								if at > 0 {
									<-release
								}
								return copy(p, content[at:]), nil
							})
						}
						ctx, cancel := context.WithTimeout(t.Context(), limit)
						defer cancel()
						start := time.Now()
						_, err := cloud.client.Uploads.BugReport(ctx, sink, file, memfault.BugReportOptions{}, memfault.WithProgress(progress))
						require.ErrorIs(t, err, memfault.ErrNoAnswer)
						if what == "context" {
							require.ErrorIs(t, err, context.DeadlineExceeded)
							assert.Equal(t, limit, time.Since(start))
						} else {
							assert.Less(t, time.Since(start), 6*time.Minute, "five attempts of a minute")
						}
					})
				})
			}
		}
	}
}

type readerAtFunc func([]byte, int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, at int64) (int, error) { return f(p, at) }

func TestUpload_CallerPanics(t *testing.T) {
	content := []byte(strings.Repeat("PK\x03\x04", 50_000))
	_, client := newCloud(t)
	for name, call := range map[string]func(file *memfault.File) memfault.CallOption{
		"progress": func(*memfault.File) memfault.CallOption {
			return memfault.WithProgress(func(int64, int64) { panic("no") })
		},
		"content": func(file *memfault.File) memfault.CallOption {
			file.Content = readerAtFunc(func(p []byte, at int64) (int, error) {
				if at > 0 {
					panic("no")
				}
				return copy(p, content[at:]), nil
			})
			return nil
		},
		"exit": func(*memfault.File) memfault.CallOption {
			return memfault.WithProgress(func(int64, int64) { runtime.Goexit() })
		},
	} {
		file := &memfault.File{Name: "a.zip", Size: int64(len(content)), Content: bytes.NewReader(content)}
		_, err := client.Uploads.BugReport(t.Context(), sink, file, memfault.BugReportOptions{}, call(file))
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		require.ErrorContains(t, err, "WithProgress or File.Content", name)
	}
}

// The start of a file is read before anything is sent, also within the context of the call.
func TestUpload_CallerBlocksAtStart(t *testing.T) {
	for name, call := range map[string]func(context.Context, *memfault.Client, *memfault.Client, *memfault.File) error{
		"checked kind": func(ctx context.Context, client, _ *memfault.Client, file *memfault.File) error {
			_, err := client.Uploads.BugReport(ctx, sink, file, memfault.BugReportOptions{})
			return err
		},
		"symbols": func(ctx context.Context, client, _ *memfault.Client, file *memfault.File) error {
			_, err := client.Uploads.Symbols(ctx, sink, file, memfault.SymbolsOptions{})
			return err
		},
		"raw coredump": func(ctx context.Context, _, device *memfault.Client, file *memfault.File) error {
			_, err := device.Uploads.RawCoredump(ctx, file)
			return err
		},
		"offer": func(ctx context.Context, _, device *memfault.Client, file *memfault.File) error {
			return device.Releases.VerifyOffer(ctx, memfault.LatestReleaseQuery{DeviceSerial: "A", HardwareVersion: "evt", SoftwareType: "main"}, file)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, client := newCloudInBubble(t)
				device := client.WithAuth(memfault.ProjectKey(projectKey))
				release := make(chan struct{})
				defer close(release)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				err := call(ctx, client, device, &memfault.File{Name: "a", Size: 100, Content: readerAtFunc(func([]byte, int64) (int, error) {
					<-release
					return 0, io.EOF
				})})
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, memfault.ErrNoAnswer)
				require.NotErrorIs(t, err, memfault.ErrTemporary)
				assert.Equal(t, 10*time.Second, time.Since(start))

				err = call(t.Context(), client, device, &memfault.File{Name: "a", Size: 100, Content: readerAtFunc(func([]byte, int64) (int, error) { panic("no") })})
				require.ErrorIs(t, err, memfault.ErrInvalidArgument)
				assert.Empty(t, cloud.Requests(""), "nothing was sent")
			})
		})
	}
}
