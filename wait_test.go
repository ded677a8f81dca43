package memfault_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/fakecloud"
)

// newCloudInBubble returns a fake cloud and a client that reaches it without a network. In a
// synctest bubble, a network would keep the clock from advancing.
func newCloudInBubble(t testing.TB, opts ...memfault.Option) (*fakecloud.Cloud, *memfault.Client) {
	t.Helper()
	cloud := fakecloud.New()
	handler := cloud.Handler()
	transport := roundTripper(func(req *http.Request) (*http.Response, error) {
		if err := req.Context().Err(); err != nil {
			return nil, err
		}
		incoming := httptest.NewRequestWithContext(req.Context(), req.Method, req.URL.String(), req.Body)
		incoming.Header = req.Header.Clone()
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, incoming)
		return recorder.Result(), nil
	})
	opts = append(opts, memfault.WithHTTPClient(&http.Client{Transport: transport}))
	return cloud, newClient(t, memfault.OrganizationToken(fakecloud.OrgToken), opts...)
}

func TestWaitOptions_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddTask("t", "SUCCESS")
	for _, options := range []memfault.WaitOptions{
		{MinInterval: -1},
		{MaxInterval: -1},
		{MinInterval: 2 * time.Second, MaxInterval: time.Second},
	} {
		_, err := client.Tasks.Wait(t.Context(), "t", options)
		requireUnsent(t, cloud, err, "WaitOptions")
	}
	for _, options := range []memfault.WaitOptions{{}, {MinInterval: time.Hour}, {MaxInterval: time.Millisecond}} {
		_, err := client.Tasks.Wait(t.Context(), "t", options)
		require.NoError(t, err)
	}
}
