package memfault_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

const projectPath = "/api/v0/organizations/acme/projects/smart-sink"

func TestDo_DecodesDataOrWholeResponse(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A"})
	request := memfault.Request{Method: http.MethodGet, Path: projectPath + "/devices/A"}

	var device struct {
		memfault.Device
		Extra string `json:"attributes_resolution"`
	}
	require.NoError(t, client.Do(t.Context(), request, &device))
	assert.Equal(t, "A", device.DeviceSerial, "a struct without a data field must be filled from data")

	var envelope struct {
		Data struct {
			Serial string `json:"device_serial"`
		} `json:"data"`
	}
	require.NoError(t, client.Do(t.Context(), request, &envelope))
	assert.Equal(t, "A", envelope.Data.Serial, "a struct with a data field must be filled from the whole response")

	var whole map[string]map[string]any
	require.NoError(t, client.Do(t.Context(), request, &whole))
	assert.Equal(t, "A", whole["data"]["device_serial"])

	var raw json.RawMessage
	require.NoError(t, client.Do(t.Context(), request, &raw))
	assert.True(t, bytes.HasPrefix(raw, []byte(`{"data":`)))

	var devices []memfault.Device
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: projectPath + "/devices"}, &devices))
	assert.Len(t, devices, 1)

	var me struct {
		Email string `json:"email"`
	}
	require.NoError(t, client.WithAuth(memfault.BasicAPIKey(email, apiKey)).Do(t.Context(), memfault.Request{Path: "/auth/me"}, &me))
	assert.Equal(t, email, me.Email, "a response without an envelope")
}

func TestDo_SendsQueryAndBody(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(map[string]string{"uri": r.RequestURI, "method": r.Method, "body": string(body), "type": r.Header.Get("Content-Type")})
	})
	var got map[string]string
	require.NoError(t, client.Do(t.Context(), memfault.Request{
		Method: http.MethodPut, Host: memfault.HostFiles, Path: "/a%2Fb/c+d", Query: url.Values{"v": {"1+2", "3"}}, Body: map[string]int{"x": 1},
	}, &got))
	assert.Equal(t, map[string]string{"uri": "/a%2Fb/c+d?v=1%2B2&v=3", "method": "PUT", "body": `{"x":1}`, "type": "application/json"}, got)
}

func TestDo_UsesHostOfRequest(t *testing.T) {
	credentials := map[string]string{} // by host
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		credentials[r.URL.Host] = r.Header.Get("Authorization")
		return newResponse(204, "")
	})
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: transport}))
	for _, host := range []memfault.Host{memfault.HostAPI, memfault.HostChunks, memfault.HostIngress, memfault.HostFiles, memfault.HostDevice} {
		require.NoError(t, client.Do(t.Context(), memfault.Request{Host: host, Path: "/x"}, nil))
	}
	assert.Equal(t, map[string]string{
		"api.memfault.com": "Bearer oat_test", "chunks.memfault.com": "Bearer oat_test", "ingress.memfault.com": "Bearer oat_test",
		"files.memfault.com": "Bearer oat_test", "device.memfault.com": "Bearer oat_test",
	}, credentials)
}

func TestDo_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	for name, request := range map[string]memfault.Request{
		"no path":          {},
		"relative":         {Path: "api/v0/x"},
		"absolute URL":     {Path: "https://evil.example/x"},
		"another host":     {Path: "//evil.example/x"},
		"user info":        {Path: "@evil.example/x"},
		"dots":             {Path: "/api/../x"},
		"escaped dots":     {Path: "/api/%2e%2E/x"},
		"empty segment":    {Path: "/api//x"},
		"trailing slash":   {Path: "/api/"},
		"query":            {Path: "/api?x=1"},
		"fragment":         {Path: "/api#x"},
		"bad escape":       {Path: "/api/%zz"},
		"line break":       {Path: "/api\r\n/x"},
		"backslash":        {Path: `/api\x`},
		"unescaped":        {Path: "/api/a%2Fb/c d"},
		"method":           {Method: "GET /x", Path: "/api"},
		"lowercase method": {Method: "get", Path: "/api"},
		"host":             {Host: 99, Path: "/api"},
		"negative host":    {Host: -1, Path: "/api"},
		"reader":           {Method: "POST", Path: "/api", Body: strings.NewReader("{}")},
		"bytes":            {Method: "POST", Path: "/api", Body: []byte("{}")},
		"not encodable":    {Method: "POST", Path: "/api", Body: func() {}},
		"presigned host":   {Host: 6, Path: "/api"},
	} {
		require.ErrorIs(t, client.Do(t.Context(), request, nil), memfault.ErrInvalidArgument, name)
		_, err := memfault.NewPager[item](client, memfault.Request{Method: request.Method, Host: request.Host, Path: request.Path}).Page(t.Context())
		if request.Body == nil {
			require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		}
	}
	require.ErrorContains(t, client.Do(t.Context(), memfault.Request{Path: "/api?x=1"}, nil), "see Request.Query")
	require.ErrorContains(t, client.Do(t.Context(), memfault.Request{Path: "/c d"}, nil), "see url.PathEscape")
	require.ErrorContains(t, client.Do(t.Context(), memfault.Request{Path: "/api"}, item{}), "must be a pointer")
	require.ErrorContains(t, client.Do(t.Context(), memfault.Request{Path: "/api"}, (*item)(nil)), "must be a pointer")
	_, err := memfault.NewPager[item](client, memfault.Request{Path: "/api", Query: url.Values{"page": {"two"}}}).Page(t.Context())
	require.ErrorContains(t, err, "must be a number")
	_, err = memfault.NewPager[item](nil, memfault.Request{Path: "/api"}).Page(t.Context())
	require.ErrorContains(t, err, "Client is nil")
	_, err = memfault.NewPager[item](new(memfault.Client), memfault.Request{Path: "/api"}).Page(t.Context())
	require.ErrorContains(t, err, "not created by NewClient")
	require.ErrorContains(t, new(memfault.Client).Do(t.Context(), memfault.Request{Path: "/api"}, nil), "not created by NewClient")
	assert.Empty(t, cloud.Requests(""))
	assert.Empty(t, cloud.Violations())
}

func TestDo_EmptyResponse(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, nil))
	requireError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, &item{}), http.StatusNoContent)
}

func TestDo_NullResponseIsError(t *testing.T) {
	for _, body := range []string{`{"data":null}`, `null`, " null\n"} {
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		requireError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, &item{}), http.StatusOK)
		requireError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, &[]item{}), http.StatusOK)
		requireError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, new(*item)), http.StatusOK)
		requireError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, new(*[]item)), http.StatusOK)
		var raw json.RawMessage
		require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, &raw), "json.RawMessage receives the whole response")
		assert.Equal(t, strings.TrimSpace(body), string(raw))
	}
}

func TestDo_FindsFieldForData(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"name":"x"},"more":1}`)
	})
	type Envelope struct {
		Data struct{ Name string }
	}
	var embedded struct {
		Envelope
		More int
	}
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, &embedded))
	assert.Equal(t, "x", embedded.Data.Name)
	assert.Equal(t, 1, embedded.More)

	var unexported struct {
		Name string
		data int
	}
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/x"}, &unexported))
	assert.Equal(t, "x", unexported.Name)
	assert.Zero(t, unexported.data)
}

func TestDo_RetriesOnlyIdempotentMethods(t *testing.T) {
	for method, attempts := range map[string]int{"GET": 5, "PUT": 5, "DELETE": 5, "HEAD": 5, "POST": 1, "PATCH": 1} {
		requests := 0
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			requests++
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		require.ErrorIs(t, client.Do(t.Context(), memfault.Request{Method: method, Path: "/x"}, nil), memfault.ErrUnavailable)
		assert.Equal(t, attempts, requests, method)
	}
}

func TestNewPager_ReadsList(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.SeedFleet(30)
	type serial struct {
		Serial string `json:"device_serial"`
	}
	query := url.Values{"per_page": {"7"}, "page": {"2"}, "hardware_version": {"evt-1"}}
	items, err := memfault.NewPager[serial](client, memfault.Request{Path: projectPath + "/devices", Query: query}).Prefetch(2).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, items, 8, "15 devices have that hardware version; page 1 with 7 of them is skipped")
	assert.Equal(t, url.Values{"per_page": {"7"}, "page": {"2"}, "hardware_version": {"evt-1"}}, query, "the query must not be modified")

	_, err = memfault.NewPager[serial](client, memfault.Request{Method: "POST", Path: "/x"}).Page(t.Context())
	require.ErrorContains(t, err, "must be GET")
}

func TestDo_FillsPointersFromData(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/list" {
			_, _ = io.WriteString(w, `{"data":[{"device_serial":"A"}]}`)
			return
		}
		_, _ = io.WriteString(w, `{"data":{"device_serial":"A"}}`)
	})
	var device *memfault.Device
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/one"}, &device))
	assert.Equal(t, "A", device.DeviceSerial)
	var deep **memfault.Device
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/one"}, &deep))
	assert.Equal(t, "A", (*deep).DeviceSerial)
	var whole *struct {
		Data memfault.Device `json:"data"`
	}
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/one"}, &whole))
	assert.Equal(t, "A", whole.Data.DeviceSerial, "a struct with a data field must be filled from the whole response")
	var raw *json.RawMessage
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/one"}, &raw))
	assert.JSONEq(t, `{"data":{"device_serial":"A"}}`, string(*raw))
	var list *[]memfault.Device
	require.NoError(t, client.Do(t.Context(), memfault.Request{Path: "/list"}, &list))
	assert.Len(t, *list, 1)
}

func TestNewPager_RejectsBody(t *testing.T) {
	cloud, client := newCloud(t)
	pager := memfault.NewPager[item](client, memfault.Request{Path: "/api/v0/organizations", Body: map[string]int{"x": 1}})
	_, err := pager.Collect(t.Context())
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	require.ErrorContains(t, err, "no body")
	assert.Empty(t, cloud.Requests(""))
}
