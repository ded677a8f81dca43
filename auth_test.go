package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// authFunc is a custom Authenticator.
type authFunc func(*http.Request) error

func (f authFunc) Authenticate(req *http.Request) error { return f(req) }

func TestAuth_HeaderOfEachCredential(t *testing.T) {
	for name, c := range map[string]struct {
		auth   memfault.Authenticator
		header string
		want   string
	}{
		"password": {memfault.BasicPassword("jane@acme.example", "pass:wörd "), "Authorization", "Basic amFuZUBhY21lLmV4YW1wbGU6cGFzczp3w7ZyZCA="},
		"api key":  {memfault.BasicAPIKey("jane@acme.example", "5f1d"), "Authorization", "Basic amFuZUBhY21lLmV4YW1wbGU6NWYxZA=="},
		"token":    {memfault.OrganizationToken("oat_1"), "Authorization", "Bearer oat_1"},
		"key":      {memfault.ProjectKey("d3b0"), "Memfault-Project-Key", "d3b0"},
	} {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			require.NoError(t, c.auth.Authenticate(req))
			assert.Equal(t, http.Header{c.header: {c.want}}, req.Header)
		})
	}
}

func TestAuth_FakeCloudAcceptsEachCredential(t *testing.T) {
	_, client := newCloud(t)
	for name, auth := range map[string]memfault.Authenticator{
		"password": memfault.BasicPassword(email, password),
		"api key":  memfault.BasicAPIKey(email, apiKey),
		"token":    memfault.OrganizationToken(organizationToken),
	} {
		_, err := client.WithAuth(auth).Projects.Get(t.Context(), sink)
		require.NoError(t, err, name)
	}
	_, err := client.WithAuth(memfault.OrganizationToken("oat_wrong")).Projects.Get(t.Context(), sink)
	require.ErrorIs(t, err, memfault.ErrUnauthorized)
}

func TestAuth_InvalidInput(t *testing.T) {
	for name, auth := range map[string]memfault.Authenticator{
		"nil":                 nil,
		"empty token":         memfault.OrganizationToken(""),
		"token line break":    memfault.OrganizationToken("oat_s3cret\n"),
		"token with space":    memfault.OrganizationToken("oat_s3cret x"),
		"key with umlaut":     memfault.ProjectKey("s3cretü"),
		"key line break":      memfault.ProjectKey("s3cret\r\nX-Evil: 1"),
		"empty key":           memfault.ProjectKey(""),
		"empty email":         memfault.BasicPassword("", "s3cret"),
		"empty password":      memfault.BasicPassword("jane@acme.example", ""),
		"colon in email":      memfault.BasicAPIKey("jane:x", "s3cret"),
		"password line break": memfault.BasicPassword("jane@acme.example", "s3cret\n"),
	} {
		t.Run(name, func(t *testing.T) {
			client, err := memfault.NewClient(auth)
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			assert.Nil(t, client)
			assert.NotContains(t, err.Error(), "s3cret")

			cloud, good := newCloud(t)
			_, err = good.WithAuth(auth).Projects.Get(t.Context(), sink)
			require.ErrorIs(t, err, memfault.ErrInvalidArgument, "WithAuth returns no error, so the call must")
			assert.NotContains(t, err.Error(), "s3cret")
			assert.Empty(t, cloud.Requests(""))
		})
	}
}

func TestAuth_WrongCredential(t *testing.T) {
	cloud, client := newCloud(t)
	for name, call := range map[string]func() error{
		"project key for a console operation": func() error {
			_, err := client.WithAuth(memfault.ProjectKey(projectKey)).Devices.Get(t.Context(), sink, "A")
			return err
		},
		"project key for a list": func() error {
			_, err := client.WithAuth(memfault.ProjectKey(projectKey)).Devices.List(sink, memfault.DeviceListOptions{}).Collect(t.Context())
			return err
		},
		"token for a user's API key": func() error {
			_, err := client.Account.GenerateAPIKey(t.Context())
			return err
		},
	} {
		err := call()
		require.ErrorIs(t, err, memfault.ErrWrongCredential, name)
	}
	_, err := client.WithAuth(memfault.ProjectKey(projectKey)).Devices.Get(t.Context(), sink, "A")
	require.ErrorContains(t, err, "devices.retrieve accepts email+password,email+api-key,organization-token")
	require.ErrorContains(t, err, "but the client uses project-key")
	assert.Empty(t, cloud.Requests(""))
}

func TestAuth_CustomAuthenticator(t *testing.T) {
	cloud, client := newCloud(t)
	auth := authFunc(func(req *http.Request) error {
		req.SetBasicAuth("", organizationToken) // the form of the official command-line tool
		return nil
	})
	_, err := client.WithAuth(auth).Projects.Get(t.Context(), sink)
	require.NoError(t, err)

	failed := errors.New("the vault is locked")
	_, err = client.WithAuth(authFunc(func(*http.Request) error { return failed })).Projects.Get(t.Context(), sink)
	require.ErrorIs(t, err, failed)
	assert.Len(t, cloud.Requests(""), 1)
}

func TestAuth_CalledForEachAttempt(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.Fault{Status: 503, Times: 2})
	calls := 0
	_, err := client.WithAuth(authFunc(func(req *http.Request) error {
		calls++
		req.Header.Set("Authorization", "Bearer "+organizationToken)
		return nil
	})).Projects.Get(t.Context(), sink)
	require.NoError(t, err)
	assert.Equal(t, 3, calls)
}

func TestAuthFromEnv_ReadsVariables(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want http.Header
	}{
		"token first":        {map[string]string{"MEMFAULT_ORG_TOKEN": "oat_1", "MEMFAULT_EMAIL": "j@x", "MEMFAULT_PASSWORD": "p", "MEMFAULT_PROJECT_KEY": "k"}, http.Header{"Authorization": {"Bearer oat_1"}}},
		"email and password": {map[string]string{"MEMFAULT_EMAIL": "j@x", "MEMFAULT_PASSWORD": "p"}, http.Header{"Authorization": {"Basic akB4OnA="}}},
		"email and API key":  {map[string]string{"MEMFAULT_EMAIL": "j@x", "MEMFAULT_API_KEY": "k"}, http.Header{"Authorization": {"Basic akB4Oms="}}},
		"project key":        {map[string]string{"MEMFAULT_PROJECT_KEY": "k"}, http.Header{"Memfault-Project-Key": {"k"}}},
		"email alone":        {map[string]string{"MEMFAULT_EMAIL": "j@x"}, nil},
		"nothing":            {nil, nil},
		"line break":         {map[string]string{"MEMFAULT_ORG_TOKEN": "oat_1\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{"MEMFAULT_ORG_TOKEN", "MEMFAULT_EMAIL", "MEMFAULT_PASSWORD", "MEMFAULT_API_KEY", "MEMFAULT_PROJECT_KEY"} {
				t.Setenv(variable, c.env[variable])
			}
			auth, err := memfault.AuthFromEnv()
			if c.want == nil {
				require.ErrorIs(t, err, memfault.ErrInvalidArgument)
				return
			}
			require.NoError(t, err)
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			require.NoError(t, auth.Authenticate(req))
			assert.Equal(t, c.want, req.Header)
		})
	}
}

func TestProjectFromEnv_ReadsVariables(t *testing.T) {
	t.Setenv("MEMFAULT_ORG", "acme")
	t.Setenv("MEMFAULT_PROJECT", "")
	_, err := memfault.ProjectFromEnv()
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	require.ErrorContains(t, err, "MEMFAULT_PROJECT")
	t.Setenv("MEMFAULT_PROJECT", "smart-sink")
	ref, err := memfault.ProjectFromEnv()
	require.NoError(t, err)
	assert.Equal(t, memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}, ref)
}

// setEnv sets the variables that the package reads; those that are not given are empty.
func setEnv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, variable := range []string{
		"MEMFAULT_ORG_TOKEN", "MEMFAULT_EMAIL", "MEMFAULT_PASSWORD", "MEMFAULT_API_KEY", "MEMFAULT_PROJECT_KEY", "MEMFAULT_ORG", "MEMFAULT_PROJECT", "MEMFAULT_BASE_URL",
	} {
		t.Setenv(variable, env[variable])
	}
}

func TestNewClientFromEnv(t *testing.T) {
	cloud, _ := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A"})
	full := map[string]string{
		"MEMFAULT_ORG_TOKEN": cloud.OrganizationToken(), "MEMFAULT_ORG": "acme", "MEMFAULT_PROJECT": "smart-sink", "MEMFAULT_BASE_URL": cloud.URL,
	}
	setEnv(t, full)
	client, project, err := memfault.NewClientFromEnv()
	require.NoError(t, err)
	assert.Equal(t, sink, project)
	device, err := client.Devices.Get(t.Context(), project, "A")
	require.NoError(t, err)
	assert.Equal(t, "A", device.DeviceSerial)

	other := memfaulttest.NewServer(t)
	client, _, err = memfault.NewClientFromEnv(memfault.WithBaseURL(other.URL))
	require.NoError(t, err)
	_, err = client.Devices.Get(t.Context(), project, "A")
	require.ErrorIs(t, err, memfault.ErrNotFound, "an option applies after the environment")

	setEnv(t, map[string]string{"MEMFAULT_PROJECT_KEY": cloud.ProjectKey(), "MEMFAULT_BASE_URL": cloud.URL})
	client, project, err = memfault.NewClientFromEnv()
	require.NoError(t, err)
	assert.Zero(t, project, "a project key identifies the project")
	require.NoError(t, client.Chunks.Upload(t.Context(), "A", [][]byte{{0x08, 1}}))

	for name, change := range map[string][2]string{
		"no credential":      {"MEMFAULT_ORG_TOKEN", ""},
		"no project":         {"MEMFAULT_PROJECT", ""},
		"no organization":    {"MEMFAULT_ORG", ""},
		"plain http":         {"MEMFAULT_BASE_URL", "http://api.acme.example"},
		"not an address":     {"MEMFAULT_BASE_URL", "cloud"},
		"address with space": {"MEMFAULT_BASE_URL", "http://127.0.0.1:1 x"},
	} {
		t.Run(name, func(t *testing.T) {
			setEnv(t, full)
			t.Setenv(change[0], change[1])
			client, project, err := memfault.NewClientFromEnv()
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			assert.Nil(t, client)
			assert.Zero(t, project)
		})
	}
	setEnv(t, map[string]string{"MEMFAULT_PROJECT_KEY": "k", "MEMFAULT_ORG": "acme"})
	_, _, err = memfault.NewClientFromEnv()
	require.ErrorIs(t, err, memfault.ErrInvalidArgument, "half a project")
}

func ExampleNewClientFromEnv() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234"})
	for name, value := range map[string]string{ // of the shell, or of the CI system
		"MEMFAULT_ORG_TOKEN": cloud.OrganizationToken(), "MEMFAULT_ORG": "acme", "MEMFAULT_PROJECT": "smart-sink",
		"MEMFAULT_BASE_URL": cloud.URL, // not set for the real cloud
	} {
		_ = os.Setenv(name, value)
		defer os.Unsetenv(name)
	}

	client, project, err := memfault.NewClientFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	device, err := client.Devices.Get(context.Background(), project, "ABCD1234")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(device.DeviceSerial)
	// Output: ABCD1234
}

func TestCredentials_CopiedWithSurroundings(t *testing.T) {
	for name, auth := range map[string]memfault.Authenticator{
		"newline":       memfault.OrganizationToken("oat_s3cret\n"),
		"space":         memfault.OrganizationToken(" oat_s3cret"),
		"quotes":        memfault.OrganizationToken(`"oat_s3cret"`),
		"single quotes": memfault.ProjectKey("'s3cret'"),
		"backquotes":    memfault.ProjectKey("`s3cret`"),
		"API key":       memfault.BasicAPIKey("jane@acme.example", `"s3cret"`),
		"space at key":  memfault.BasicAPIKey("jane@acme.example", "s3cret "),
		"email":         memfault.BasicAPIKey(" jane@acme.example", "s3cret"),
		"wide space":    memfault.BasicAPIKey("jane@acme.example", "s3cret\u00a0"),
	} {
		_, err := memfault.NewClient(auth)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		assert.NotContains(t, err.Error(), "s3cret")
	}
	for name, auth := range map[string]memfault.Authenticator{
		"password": memfault.BasicPassword("jane@acme.example", ` "p w" `), "a quote": memfault.ProjectKey(`"`), "a quote inside": memfault.ProjectKey(`a"b`),
	} {
		_, err := memfault.NewClient(auth)
		require.NoError(t, err, name)
	}
	t.Setenv("MEMFAULT_ORG", "acme")
	for _, slug := range []string{"sink ", "sink\n", `"sink"`, "\tsink"} {
		t.Setenv("MEMFAULT_PROJECT", slug)
		_, err := memfault.ProjectFromEnv()
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, slug)
	}
}
