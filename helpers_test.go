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

// sink is the project that a new fake cloud holds.
var sink = memfault.ProjectRef{Organization: fakecloud.Organization, Project: fakecloud.Project}

// quickRetries makes the waits between attempts too short to notice.
var quickRetries = memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Microsecond, MaxWait: time.Millisecond})

// newCloud starts a fake cloud with each host at an address of its own, and returns
// a client that holds its organization token. The test fails if a request did what
// none ever should.
func newCloud(t testing.TB, opts ...memfault.Option) (*fakecloud.Cloud, *memfault.Client) {
	t.Helper()
	cloud := fakecloud.New()
	server := cloud.ServeHosts()
	t.Cleanup(server.Close)
	t.Cleanup(func() { require.Empty(t, cloud.Violations()) })
	opts = append([]memfault.Option{memfault.WithBaseURLs(memfault.BaseURLs(server.Hosts)), quickRetries}, opts...)
	return cloud, newClient(t, memfault.OrganizationToken(fakecloud.OrgToken), opts...)
}

func newClient(t testing.TB, auth memfault.Authenticator, opts ...memfault.Option) *memfault.Client {
	t.Helper()
	client, err := memfault.NewClient(auth, opts...)
	require.NoError(t, err)
	return client
}

// newServer starts a server of the test's own and returns a client for it.
func newServer(t testing.TB, handler http.HandlerFunc, opts ...memfault.Option) (*httptest.Server, *memfault.Client) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	opts = append([]memfault.Option{memfault.WithBaseURL(server.URL), quickRetries}, opts...)
	return server, newClient(t, memfault.OrganizationToken("oat_test"), opts...)
}

// requireError returns the *memfault.Error that err has to hold.
func requireError(t testing.TB, err error, status int) *memfault.Error {
	t.Helper()
	var apiError *memfault.Error
	require.ErrorAs(t, err, &apiError)
	require.Equal(t, status, apiError.StatusCode)
	return apiError
}

// exampleClient serves cloud and returns a client for it, for an Example.
func exampleClient(cloud *fakecloud.Cloud) (client *memfault.Client, stop func()) {
	server := cloud.Serve()
	client, err := memfault.NewClient(memfault.OrganizationToken(fakecloud.OrgToken), memfault.WithBaseURL(server.URL))
	if err != nil {
		panic(err)
	}
	return client, server.Close
}

// failOnce makes the next request fail with a status.
func failOnce(status int) fakecloud.Fault { return fakecloud.Fault{Status: status, Times: 1} }
