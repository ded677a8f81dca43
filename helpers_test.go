package memfault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// The project and the credentials of every server of memfaulttest.
var (
	sink              = new(memfaulttest.Server).Project()
	organizationToken = new(memfaulttest.Server).OrganizationToken()
	projectKey        = new(memfaulttest.Server).ProjectKey()
	email             = new(memfaulttest.Server).Email()
	password          = new(memfaulttest.Server).Password()
	apiKey            = new(memfaulttest.Server).APIKey()
)

// quickRetries makes the waits between attempts too short to notice.
var quickRetries = memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Microsecond, MaxWait: time.Millisecond})

// newCloud starts a fake cloud, and returns a client with its organization token.
func newCloud(t testing.TB, opts ...memfault.Option) (*memfaulttest.Server, *memfault.Client) {
	t.Helper()
	cloud := memfaulttest.NewServer(t)
	cloud.AcceptDamagedChunks() // the tests of the client send any bytes as chunks
	opts = slices.Concat(cloud.Options(), []memfault.Option{quickRetries}, opts)
	return cloud, newClient(t, memfault.OrganizationToken(organizationToken), opts...)
}

func newClient(t testing.TB, auth memfault.Authenticator, opts ...memfault.Option) *memfault.Client {
	t.Helper()
	client, err := memfault.NewClient(auth, opts...)
	require.NoError(t, err)
	return client
}

// newServer starts a server with the given handler and returns a client for it.
func newServer(t testing.TB, handler http.HandlerFunc, opts ...memfault.Option) (*httptest.Server, *memfault.Client) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	opts = append([]memfault.Option{memfault.WithBaseURL(server.URL), quickRetries}, opts...)
	return server, newClient(t, memfault.OrganizationToken("oat_test"), opts...)
}

// requireError returns the *memfault.Error in err. It fails if there is none or if its status
// differs.
func requireError(t testing.TB, err error, status int) *memfault.Error {
	t.Helper()
	var apiError *memfault.Error
	require.ErrorAs(t, err, &apiError)
	require.Equal(t, status, apiError.StatusCode)
	return apiError
}

// failOnce returns a fault that makes the next request fail with a status.
func failOnce(status int) memfaulttest.Fault { return memfaulttest.Fault{Status: status, Times: 1} }

// requireRoundTrip decodes text into a T and encodes it again. It fails if the encoding lacks
// or changes anything of text. It returns the decoded value.
func requireRoundTrip[T any](t testing.TB, text string) T {
	t.Helper()
	var value T
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	var before, after any
	require.NoError(t, json.Unmarshal([]byte(text), &before))
	require.NoError(t, json.Unmarshal(encoded, &after))
	requireContains(t, "$", before, after)
	return value
}

// requireContains fails unless after contains everything that before contains.
func requireContains(t testing.TB, where string, before, after any) {
	t.Helper()
	switch before := before.(type) {
	case map[string]any:
		object, ok := after.(map[string]any)
		require.True(t, ok, where)
		for name, value := range before {
			require.Contains(t, object, name, where)
			requireContains(t, where+"."+name, value, object[name])
		}
	case []any:
		object, ok := after.([]any)
		require.True(t, ok, where)
		require.Len(t, object, len(before), where)
		for i := range before {
			requireContains(t, fmt.Sprintf("%s[%d]", where, i), before[i], object[i])
		}
	default:
		require.Equal(t, normalize(before), normalize(after), where)
	}
}

// normalize returns a timestamp in UTC, so that timestamps that differ only in form are equal.
// It returns any other value unchanged.
func normalize(value any) any {
	text, ok := value.(string)
	if at, err := time.Parse(time.RFC3339, text); ok && err == nil {
		return at.UTC()
	}
	return value
}
