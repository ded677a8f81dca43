package memfault_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestHostNRFCloud_OrganizationTokenOnly(t *testing.T) {
	var sent []string
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.URL.String()+" "+r.Header.Get("Authorization"))
		return newResponse(200, `{"data":[]}`)
	})
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: transport}))
	request := memfault.Request{Host: memfault.HostNRFCloud, Path: "/v1/organizations/acme/projects/sink/location/history"}
	require.NoError(t, client.Do(t.Context(), request, nil))
	_, err := memfault.NewPager[item](client, request).Page(t.Context())
	require.NoError(t, err)
	require.Len(t, sent, 2)
	assert.Equal(t, "https://api.nrfcloud.com/v1/organizations/acme/projects/sink/location/history Bearer oat_test", sent[0])
	for name, auth := range map[string]memfault.Authenticator{
		"project key": memfault.ProjectKey(projectKey), "password": memfault.BasicPassword(email, password), "API key": memfault.BasicAPIKey(email, apiKey),
	} {
		other := client.WithAuth(auth)
		require.ErrorIs(t, other.Do(t.Context(), request, nil), memfault.ErrWrongCredential, name)
		require.ErrorIs(t, failing(memfault.NewPager[item](other, request)), memfault.ErrWrongCredential, name)
	}
	assert.Len(t, sent, 2)
}

func TestHostNRFCloud_NoRedirectFromOtherHosts(t *testing.T) {
	for _, host := range []memfault.Host{memfault.HostAPI, memfault.HostDevice} {
		var hosts []string
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			resp, err := newResponse(http.StatusFound, "")
			resp.Header = http.Header{"Location": {"https://api.nrfcloud.com/v1/x"}}
			return resp, err
		})
		client := newClient(t, memfault.ProjectKey(projectKey), memfault.WithHTTPClient(&http.Client{Transport: transport}))
		require.Error(t, client.Do(t.Context(), memfault.Request{Host: host, Path: "/x"}, nil))
		assert.Len(t, hosts, 1)
	}
}

// With all hosts at one address, a redirect within it is not one to nRF Cloud.
func TestHostNRFCloud_SharedAddress(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x" {
			http.Redirect(w, r, "/y", http.StatusFound)
		}
	})
	require.NoError(t, client.WithAuth(memfault.ProjectKey(projectKey)).Do(t.Context(), memfault.Request{Path: "/x"}, nil))
}

func TestHostNRFCloud_NotServedByTestServer(t *testing.T) {
	cloud, client := newCloud(t)
	err := client.Do(t.Context(), memfault.Request{Host: memfault.HostNRFCloud, Path: "/v1/x"}, nil)
	requireError(t, err, http.StatusNotFound)
	assert.Empty(t, cloud.Violations())
}

func TestWithBaseURLs_NRFHostsAsGiven(t *testing.T) {
	var addresses []string
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		addresses = append(addresses, r.URL.String()+" "+r.Header.Get("Memfault-Project-Key"))
		if r.Method == http.MethodPost {
			return newResponse(202, "Accepted")
		}
		return newResponse(200, `{"data":{}}`)
	})
	client := newClient(t, memfault.ProjectKey("key"), memfault.WithHTTPClient(&http.Client{Transport: transport}),
		memfault.WithBaseURLs(memfault.BaseURLs{Chunks: "https://chunks-nrf.memfault.com", Device: "https://device-nrf.memfault.com"}))
	require.NoError(t, client.Chunks.Upload(t.Context(), "A", [][]byte{{1}}))
	require.NoError(t, client.Do(t.Context(), memfault.Request{Host: memfault.HostDevice, Path: "/api/v0/sdk-settings"}, nil))
	assert.Equal(t, []string{
		"https://chunks-nrf.memfault.com/api/v0/chunks/A key", "https://device-nrf.memfault.com/api/v0/sdk-settings key",
	}, addresses)
}

// Lists of nRF Cloud are read page by page with pageNextToken.
func ExampleClient_Do_nRFCloud() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // instead of nRF Cloud
		if r.URL.Query().Get("pageNextToken") == "" {
			_, _ = io.WriteString(w, `{"items":[{"uncertainty":12}],"pageNextToken":"t2"}`)
			return
		}
		_, _ = io.WriteString(w, `{"items":[{"uncertainty":7}]}`)
	}))
	defer server.Close()
	client, err := memfault.NewClient(memfault.OrganizationToken("oat_example"), memfault.WithBaseURLs(memfault.BaseURLs{NRFCloud: server.URL}))
	if err != nil {
		log.Fatal(err)
	}

	query := url.Values{}
	for {
		var page struct {
			Items []struct {
				Uncertainty float64 `json:"uncertainty"`
			} `json:"items"`
			PageNextToken string `json:"pageNextToken"`
		}
		request := memfault.Request{Host: memfault.HostNRFCloud, Path: "/v1/organizations/acme/projects/smart-sink/location/history", Query: query}
		if err := client.Do(context.Background(), request, &page); err != nil {
			log.Fatal(err)
		}
		for _, item := range page.Items {
			fmt.Println(item.Uncertainty)
		}
		if page.PageNextToken == "" {
			break
		}
		query.Set("pageNextToken", page.PageNextToken)
	}
	// Output:
	// 12
	// 7
}
