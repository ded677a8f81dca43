package memfault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestPath_EscapesEachSegment(t *testing.T) {
	var got *http.Request
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = io.WriteString(w, `{"data":{"id":1}}`)
	})
	for serial, want := range map[string]string{
		"0.0.1+8219de": "0.0.1%2B8219de",
		"a/b":          "a%2Fb",
		"a b":          "a%20b",
		"a?b#c&d=e:f":  "a%3Fb%23c%26d%3De%3Af",
		"Küche":        "K%C3%BCche",
		"%2e%2e":       "%252e%252e",
		"...":          "...",
	} {
		_, err := client.Devices.Get(t.Context(), sink, serial)
		require.NoError(t, err)
		assert.Equal(t, "/api/v0/organizations/acme/projects/smart-sink/devices/"+want, got.RequestURI)
	}
}

func TestPath_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	for _, bad := range []string{"", ".", ".."} {
		for name, call := range map[string]func() error{
			"device_serial": func() error {
				_, err := client.Devices.Get(t.Context(), sink, bad)
				return err
			},
			"cohort_slug": func() error { return client.Cohorts.Delete(t.Context(), sink, bad) },
			"project_slug": func() error {
				_, err := client.Projects.Get(t.Context(), memfault.ProjectRef{Organization: "acme", Project: bad})
				return err
			},
			"organization_slug": func() error {
				_, err := client.Devices.List(memfault.ProjectRef{Organization: bad, Project: "x"}, memfault.DeviceListOptions{}).Collect(t.Context())
				return err
			},
		} {
			err := call()
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			require.ErrorContains(t, err, name, "%q", bad)
		}
	}
	assert.Empty(t, cloud.Requests(""))
}

func TestList_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	for name, options := range map[string]memfault.DeviceListOptions{
		"page":     {ListOptions: memfault.ListOptions{Page: -1}},
		"per page": {ListOptions: memfault.ListOptions{PerPage: -1}},
		"time":     {LastSeenSince: memfault.NewTimestamp(time.Date(12025, 1, 1, 0, 0, 0, 0, time.UTC))},
	} {
		pager := client.Devices.List(sink, options)
		_, err := pager.Page(t.Context())
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		require.ErrorContains(t, err, "devices.list", name)
		_, err = pager.Prefetch(4).Collect(t.Context())
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
	}
	_, err := client.Devices.Get(nil, sink, "A") //nolint:staticcheck // the mistake that is tested
	require.ErrorContains(t, err, "nil context")
	_, err = client.Devices.List(sink, memfault.DeviceListOptions{}).Collect(nil) //nolint:staticcheck // the mistake that is tested
	require.ErrorContains(t, err, "nil context")
	assert.Empty(t, cloud.Requests(""))
}

func TestQuery_EscapesValuesAndRepeatsNames(t *testing.T) {
	var uri string
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		uri = r.RequestURI
		_, _ = io.WriteString(w, `{"data":[]}`)
	})
	options := memfault.DeviceListOptions{
		ListOptions:     memfault.ListOptions{Page: 2, PerPage: 50, Sort: "-last_seen"},
		LastSeenSince:   memfault.NewTimestamp(time.Date(2025, 2, 27, 1, 0, 0, 0, time.FixedZone("", 3600))),
		Release:         []string{"0.0.5+0", "1.0 0"},
		HardwareVersion: []string{"evt&1"},
	}
	_, err := client.Devices.List(sink, options).Page(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "/api/v0/organizations/acme/projects/smart-sink/devices?hardware_version=evt%261&last_seen_since=2025-02-27T00%3A00%3A00Z"+
		"&page=2&per_page=50&release=0.0.5%2B0&release=1.0+0&sort=-last_seen", uri)
}

func TestRequest_Headers(t *testing.T) {
	cloud, client := newCloud(t, memfault.WithUserAgent("acme-relay/1.2"))
	_, err := client.Cohorts.Create(t.Context(), sink, memfault.CohortCreate{Name: "x"}, memfault.WithHeader("X-Trace", "7"))
	require.NoError(t, err)
	_, err = client.Projects.Get(t.Context(), sink)
	require.NoError(t, err)
	post, get := cloud.Requests("cohorts.create")[0].Header, cloud.Requests("projects.retrieve")[0].Header
	assert.Equal(t, "application/json", post.Get("Content-Type"))
	assert.Equal(t, "application/json", post.Get("Accept"))
	assert.Equal(t, "acme-relay/1.2 memfault-go/"+memfault.Version, post.Get("User-Agent"))
	assert.Equal(t, "7", post.Get("X-Trace"))
	assert.Empty(t, get.Get("Content-Type"), "the request has no body")
	assert.Empty(t, get.Get("X-Trace"), "a call option must not affect the next call")
}

func TestWithHeader_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	for name, value := range map[string]string{
		"Authorization": "x", "memfault-project-key": "x", "Cookie": "x", "Host": "x", "content-length": "1", "Content-Type": "x",
		"": "x", "X Y": "x", "X-Break": "a\r\nb",
		"Idempotency-Key": "x", "x-idempotency-key": "x", "Accept-Encoding": "gzip", "Upgrade": "h2c", "TE": "trailers", "Trailer": "X", "Expect": "100-continue",
		"Connection": "close", "Keep-Alive": "x", "Proxy-Connection": "x", "Transfer-Encoding": "chunked",
	} {
		err := get(t.Context(), client, memfault.WithHeader(name, value))
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, "%q", name)
		require.ErrorContains(t, err, "WithHeader", "%q", name)
	}
	assert.Empty(t, cloud.Requests(""))
}

// unreadableResponses are successful responses that contain no result.
var unreadableResponses = map[string]struct {
	body string
	text string // part of the error
}{
	"not JSON":     {"<html>login</html>", "not the expected JSON"},
	"empty":        {"", "no body"},
	"truncated":    {`{"data":{"id":1`, "not the expected JSON"},
	"lacks data":   {`{"id":1}`, "contains no data"},
	"null data":    {`{"data":null}`, "contains no data"},
	"null":         {`null`, "contains no data"},
	"another type": {`{"data":"x"}`, "not the expected JSON"},
	"bad time":     {`{"data":[{"created_date":"yesterday"}]}`, "not the expected JSON"},
	"two values":   {`{"data":{"id":1}} {"data":{"id":2}}`, "not the expected JSON"},
}

func TestDecode_UnreadableResponse(t *testing.T) {
	for name, c := range unreadableResponses {
		t.Run(name, func(t *testing.T) {
			_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.body) })
			project, err := client.Projects.Get(t.Context(), sink)
			assert.Nil(t, project)
			got := requireError(t, err, 200)
			assert.Equal(t, "projects.retrieve", got.Operation)
			assert.Equal(t, c.body, string(got.Body))
			require.ErrorContains(t, err, c.text)
			require.ErrorContains(t, err, "projects.retrieve: 200 OK")

			page, err := client.Cohorts.List(sink, memfault.CohortListOptions{}).Page(t.Context())
			assert.Nil(t, page)
			assert.Equal(t, "cohorts.list", requireError(t, err, 200).Operation)
		})
	}
}

func TestDecode_BareNullIsError(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "null") })
	_, err := client.Account.Me(t.Context())
	require.ErrorContains(t, err, "is null")
}

func TestDecode_204IsErrorForObject(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	_, err := client.Projects.Get(t.Context(), sink)
	requireError(t, err, http.StatusNoContent)
	require.NoError(t, client.Projects.Delete(t.Context(), sink))
}

func TestRetry_CutOffResponse(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A"})
	cloud.Fail(memfaulttest.Fault{CutBodyAfter: 40, Times: 2})
	device, err := client.Devices.Get(t.Context(), sink, "A")
	require.NoError(t, err, "a GET must be retried")
	assert.Equal(t, "A", device.DeviceSerial)

	cloud.Heal()
	cloud.Fail(memfaulttest.Fault{CutBodyAfter: 40})
	_, err = client.Devices.Get(t.Context(), sink, "A")
	got := requireError(t, err, 200)
	assert.Equal(t, "devices.retrieve", got.Operation)
	assert.Len(t, got.Body, 40)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	before := len(cloud.Requests("cohorts.create"))
	_, err = client.Cohorts.Create(t.Context(), sink, memfault.CohortCreate{Name: "x"})
	requireError(t, err, 200)
	assert.Len(t, cloud.Requests("cohorts.create"), before+1, "a POST must not be retried")
}

func TestRetry_POSTNotRetriedAfterLostResponse(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.Fault{DropResponse: true, Times: 1})
	_, err := client.Cohorts.Create(t.Context(), sink, memfault.CohortCreate{Name: "x", Slug: "x"})
	require.Error(t, err)
	assert.Len(t, cloud.Requests("cohorts.create"), 1)
	_, err = client.Cohorts.Get(t.Context(), sink, "x")
	require.NoError(t, err, "the cohort must exist: the request was carried out")
}

func TestResponse_AboveLimitIsError(t *testing.T) {
	t.Parallel()
	const limit = 64 << 20
	for name, declare := range map[string]bool{"declared": true, "undeclared": false} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				requests++
				if declare {
					w.Header().Set("Content-Length", fmt.Sprint(len(`{"data":"`)+limit))
				}
				_, _ = io.WriteString(w, `{"data":"`)
				for range limit / 4096 {
					_, _ = w.Write(bytes.Repeat([]byte("x"), 4096))
				}
			})
			err := get(t.Context(), client)
			got := requireError(t, err, 200)
			require.ErrorContains(t, err, "larger than 64 MiB")
			assert.True(t, strings.HasPrefix(string(got.Body), `{"data":"xx`))
			assert.LessOrEqual(t, len(got.Body), 64<<10)
			assert.Equal(t, 1, requests)
		})
	}
}

func TestDecode_IgnoresUnknownFields(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"warnings":[],"data":{"id":1,"slug":"smart-sink","brand_new":{"x":[1,2]}}}`)
	})
	project, err := client.Projects.Get(t.Context(), sink)
	require.NoError(t, err)
	assert.Equal(t, "smart-sink", project.Slug)
}

// everyCredential returns the four kinds of credentials and a custom Authenticator.
func everyCredential() map[string]memfault.Authenticator {
	return map[string]memfault.Authenticator{
		"password": memfault.BasicPassword("jane@acme.example", "s3cret-password"),
		"api key":  memfault.BasicAPIKey("jane@acme.example", "s3cret-api-key"),
		"token":    memfault.OrganizationToken("oat_s3cret"),
		"key":      memfault.ProjectKey("s3cret-project-key"),
		"custom":   authFunc(func(r *http.Request) error { r.Header.Set("X-Acme-Token", "s3cret-custom"); return nil }),
	}
}

func TestRedirect_OtherHostGetsNoCredential(t *testing.T) {
	var there http.Header
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there = r.Header
		_, _ = io.WriteString(w, `{"data":{"id":1}}`)
	}))
	defer other.Close()
	for name, auth := range everyCredential() {
		for _, code := range []int{301, 302, 303, 307, 308} {
			_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/x?y=z", code) })
			there = nil
			err := client.WithAuth(auth).Do(t.Context(), memfault.Request{Path: "/api/v0/x", Query: url.Values{"q": {"1"}}}, nil, memfault.WithHeader("X-Mine", "s3cret-header"))
			require.NoError(t, err, name)
			require.NotNil(t, there)
			assert.NotContains(t, fmt.Sprint(there), "s3cret", name)
			for _, header := range []string{"Authorization", "Memfault-Project-Key", "X-Acme-Token", "Cookie", "Referer"} {
				assert.Empty(t, there.Values(header), "%s %s", name, header)
			}
		}
	}
}

func TestRedirect_SameHostGetsCredential(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		_, _ = fmt.Fprintf(w, `{"data":{"slug":%q}}`, r.Header.Get("Authorization"))
	})
	var response memfault.Response
	project, err := client.Projects.Get(t.Context(), sink, memfault.WithResponse(&response))
	require.NoError(t, err)
	assert.Equal(t, "Bearer oat_test", project.Slug)
	assert.Equal(t, 1, response.Attempts)
}

func TestRedirect_NotFollowedByWrites(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		requests := 0
		_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			requests++
			http.Redirect(w, r, "/there", code)
		})
		requireError(t, post(t.Context(), client), code)
		requireError(t, patch(t.Context(), client), code)
		requireError(t, client.Projects.Delete(t.Context(), sink), code)
		assert.Equal(t, 3, requests)
	}
}

func TestRedirect_Limits(t *testing.T) {
	requests := 0
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		http.Redirect(w, r, "/there", http.StatusFound)
	})
	require.ErrorContains(t, get(t.Context(), client), "10 redirects")
	assert.Equal(t, 10, requests, "the call must not be retried")

	_, client = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
	})
	require.ErrorContains(t, get(t.Context(), client), "redirect to plain http")
}

func TestWithHTTPClient_KeepsRedirectPolicy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) }))
	defer server.Close()
	given := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL), memfault.WithHTTPClient(given))
	requireError(t, get(t.Context(), client), http.StatusFound)
	assert.Nil(t, given.Transport, "the given client must not be modified")

	requests, errPolicy := 0, errors.New("not there")
	given.CheckRedirect = func(*http.Request, []*http.Request) error { requests++; return errPolicy }
	client = newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL), memfault.WithHTTPClient(given), quickRetries)
	require.ErrorIs(t, get(t.Context(), client), errPolicy)
	assert.Equal(t, 1, requests, "a call that the policy ends must not be retried")
}

func TestWithResponse_FillsResponse(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.Fault{Operation: "projects.retrieve", Status: 503, Times: 1})
	var response memfault.Response
	require.NoError(t, get(t.Context(), client, nil, memfault.WithResponse(&response), memfault.WithResponse(&response)))
	assert.Equal(t, 200, response.StatusCode)
	assert.Equal(t, 2, response.Attempts)
	assert.NotEmpty(t, response.RequestID)
	assert.Equal(t, "application/json", response.Header.Get("Content-Type"))

	_, err := client.Devices.Get(context.Background(), sink, "B", memfault.WithResponse(&response))
	require.Error(t, err)
	assert.Equal(t, 404, response.StatusCode, "Response must also be filled if the call fails")

	for name, fails := range map[string]func() error{
		"path": func() error {
			_, err := client.Devices.Get(t.Context(), sink, "", memfault.WithResponse(&response))
			return err
		},
		"credential": func() error { return client.Account.DeleteAPIKey(t.Context(), memfault.WithResponse(&response)) },
		"request":    func() error { return client.Do(t.Context(), memfault.Request{}, nil, memfault.WithResponse(&response)) },
	} {
		response = memfault.Response{StatusCode: 200, Attempts: 1}
		require.Error(t, fails(), name)
		assert.Zero(t, response, "%s: Response must be zero if nothing was sent", name)
	}
}

func TestDecode_NullItemOrKeyIsError(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/api_key") {
			_, _ = io.WriteString(w, `{"data":{}}`)
			return
		}
		_, _ = io.WriteString(w, `{"data":[{"id":1},{},null]}`)
	})
	page, err := client.Cohorts.List(sink, memfault.CohortListOptions{}).Page(t.Context())
	assert.Nil(t, page)
	requireError(t, err, 200)
	require.ErrorContains(t, err, "item 2 of the page is null")
	_, err = client.Projects.GetProjectKey(t.Context(), sink)
	require.ErrorContains(t, err, "projects.get_client_key: 200 OK: the response contains no api_key")
}

func TestRedirect_FollowedByHEAD(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			http.Redirect(w, r, "/there", http.StatusFound)
		}
	})
	require.NoError(t, client.Do(t.Context(), memfault.Request{Method: http.MethodHead, Path: "/x"}, nil))
}

func TestWithHTTPClient_KeepsTimeoutAndJar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		visits := 0
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			if visits++; visits == 1 {
				return newResponse(200, `{"data":{"id":1}}`, "Set-Cookie", "visit=1; Path=/")
			}
			if _, err := r.Cookie("visit"); err != nil {
				return nil, err
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: transport, Jar: jar, Timeout: 7 * time.Second}))
		require.NoError(t, get(t.Context(), client))
		start := time.Now()
		err = get(t.Context(), client, memfault.WithoutRetry())
		assert.True(t, isTimeout(err), "%v", err)
		assert.Equal(t, 7*time.Second, time.Since(start))
	})
}

func TestRetry_InvalidCertificateNotRetried(t *testing.T) {
	requests := 0
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL), memfault.WithObserver(func(_ context.Context, _ memfault.Attempt) { requests++ }))
	require.ErrorContains(t, get(t.Context(), client), "certificate")
	assert.Equal(t, 1, requests)
}
