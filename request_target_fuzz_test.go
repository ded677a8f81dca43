package memfault_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// FuzzPath checks that a server reads the segments of a path as the caller gave them, and that
// nothing is sent for a segment that a path cannot contain.
func FuzzPath(f *testing.F) {
	f.Add("acme", "smart-sink", "ABCD1234")
	f.Add("a b", "c/d", "e?f#g%2F+h")
	f.Add("..", "ä\x00\r\n", "\xff%")
	f.Add(".", "...", "")
	f.Add(" ", "a\u2003", "b\u0085c")
	f.Add("%2e%2e", "//", "a;b=c,d&e")
	f.Fuzz(func(t *testing.T, organization, project, serial string) {
		var wire bytes.Buffer
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL("https://gateway.example/pre%2Ffix/"),
			memfault.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				require.NoError(t, req.Write(&wire))
				return newResponse(http.StatusOK, `{"data":{"id":1,"device_serial":"A"}}`)
			})}))
		_, err := client.Devices.Get(t.Context(), memfault.ProjectRef{Organization: organization, Project: project}, serial)
		segments := []string{organization, project, serial}
		if slices.ContainsFunc(segments, isNoName) {
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			require.Zero(t, wire.Len())
			return
		}
		require.NoError(t, err)
		req, err := http.ReadRequest(bufio.NewReader(&wire))
		require.NoError(t, err)
		assert.Equal(t, []string{"", "pre/fix", "api", "v0", "organizations", organization, "projects", project, "devices", serial}, segmentsOf(t, req.RequestURI))
		assert.Equal(t, "gateway.example", req.Host)
		assert.Empty(t, req.URL.RawQuery)
	})
}

func isNoSegment(segment string) bool { return segment == "" || segment == "." || segment == ".." }

// isNoName reports whether a text can be no serial, slug or version.
func isNoName(text string) bool {
	return isNoSegment(text) || !utf8.ValidString(text) || strings.TrimSpace(text) != text || strings.ContainsFunc(text, unicode.IsControl)
}

// segmentsOf returns the unescaped segments of an escaped path.
func segmentsOf(t *testing.T, path string) []string {
	t.Helper()
	var segments []string
	for segment := range strings.SplitSeq(path, "/") {
		unescaped, err := url.PathUnescape(segment)
		require.NoError(t, err)
		segments = append(segments, unescaped)
	}
	return segments
}

// plainPresigned are URLs of a usual form, which must be accepted.
var plainPresigned = regexp.MustCompile(`^https://[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?/([A-Za-z0-9/_.~-]|%[0-9A-F]{2})*(\?([A-Za-z0-9/_.~=&+-]|%[0-9A-F]{2})+)?$`)

// FuzzPresignedURL checks that a file is sent to the URL that Memfault returned, byte for byte
// and without a credential, or not at all.
func FuzzPresignedURL(f *testing.F) {
	f.Add("https://bucket.example/a?X-Signature=s3cret")
	f.Add("https://bucket.example/a%2Fb//c/../d;e?x=%2f+%20&y")
	f.Add("http://127.0.0.1:9000/minio?a")
	f.Add("http://bucket.example/a")
	f.Add("https://user:s3cret@bucket.example/a")
	f.Add("https://bucket.example?X-Signature=s3cret#fragment")
	f.Add("HTTPS://BUCKET.example/ä|{}^`\\")
	f.Add("//bucket.example/a")
	f.Add("https:bucket.example/a")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // JSON cannot contain it
		}
		var put *http.Request
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{
			Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				switch {
				case req.Method == http.MethodPut:
					put = req
					_, err := io.Copy(io.Discard, req.Body)
					require.NoError(t, err)
					return newResponse(http.StatusOK, "")
				case put == nil:
					return newResponse(http.StatusOK, jsonText(map[string]any{"data": map[string]any{"upload_url": text, "token": "t"}}))
				}
				return newResponse(http.StatusOK, `{"data":{}}`)
			}),
		}))
		file := &memfault.File{Name: "a.xed", Size: 3, Content: strings.NewReader("abc")}
		_, err := client.Uploads.XED(t.Context(), sink, file, memfault.XEDOptions{DeviceSerial: "A", HardwareVersion: "evt-1"})
		if put == nil {
			require.Error(t, err)
			assert.False(t, plainPresigned.MatchString(text), "a usual URL must be accepted: %v", err)
			if _, query, _ := strings.Cut(text, "?"); len(query) >= 12 {
				assert.NotContains(t, err.Error(), query)
			}
			return
		}
		require.NoError(t, err)
		scheme, rest, _ := strings.Cut(text, ":")
		assert.Equal(t, put.URL.Scheme, strings.ToLower(scheme))
		assert.Equal(t, rest, "//"+put.URL.Host+put.URL.RequestURI(), "the URL must be used unchanged")
		for _, name := range []string{"Authorization", "Memfault-Project-Key", "Cookie"} {
			assert.Empty(t, put.Header.Values(name))
		}
		assert.Equal(t, int64(3), put.ContentLength)
		if put.URL.Scheme == "http" {
			assert.True(t, isThisMachine(put.URL.Hostname()), "plain http must stay on this machine")
		}
	})
}
