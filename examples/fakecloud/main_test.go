package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// newServer serves a cloud with the page and the requests under /fake/.
func newServer(t *testing.T) (cloud *memfaulttest.Server, url string) {
	t.Helper()
	cloud = memfaulttest.NewServer(t)
	cloud.SeedFleet(50)
	cloud.SeedDemo()
	return cloud, serveHandler(t, cloud)
}

func serveHandler(t *testing.T, cloud *memfaulttest.Server) (url string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	url = "http://" + server.Listener.Addr().String()
	server.Config.Handler = handler(cloud, url, "fake.example")
	server.Start()
	t.Cleanup(server.Close)
	return url
}

// send sends a request and returns the status and the body of the response.
func send(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func requireChanged(t *testing.T, url, body string) {
	t.Helper()
	status, text := send(t, http.MethodPost, url, body)
	require.Equal(t, http.StatusNoContent, status, text)
}

func newClient(t *testing.T, cloud *memfaulttest.Server, url string) *memfault.Client {
	t.Helper()
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), memfault.WithBaseURL(url),
		memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	return client
}

func TestDoor_FailAndHeal(t *testing.T) {
	cloud, url := newServer(t)
	client := newClient(t, cloud, url)
	requireChanged(t, url+"/fake/fail", `{"operation": "devices.retrieve", "device": "SINK-0001", "status": 429, "retry_after": "7"}`)
	_, err := client.Devices.Get(t.Context(), cloud.Project(), "SINK-0001")
	var apiError *memfault.Error
	require.ErrorAs(t, err, &apiError)
	assert.Equal(t, 429, apiError.StatusCode)
	assert.Equal(t, 7*time.Second, apiError.RetryAfter)
	_, err = client.Devices.Get(t.Context(), cloud.Project(), "SINK-0002")
	require.NoError(t, err)
	requireChanged(t, url+"/fake/heal", "")
	_, err = client.Devices.Get(t.Context(), cloud.Project(), "SINK-0001")
	require.NoError(t, err)

	requireChanged(t, url+"/fake/fail", `{"drop": true}`)
	_, err = client.Devices.Get(t.Context(), cloud.Project(), "SINK-0001")
	require.ErrorIs(t, err, memfault.ErrNoAnswer)
	requireChanged(t, url+"/fake/heal", "")
	requireChanged(t, url+"/fake/fail", `{"delay": "1ms", "times": 1}`)
	_, err = client.Devices.Get(t.Context(), cloud.Project(), "SINK-0001")
	require.NoError(t, err)
}

func TestDoor_Requests(t *testing.T) {
	cloud, url := newServer(t)
	client := newClient(t, cloud, url)
	_, err := client.Devices.Update(t.Context(), cloud.Project(), "SINK-0001", memfault.DeviceUpdate{Nickname: memfault.Set("kitchen")})
	require.NoError(t, err)
	data, err := base64.StdEncoding.DecodeString(rebootChunk)
	require.NoError(t, err)
	require.NoError(t, client.WithAuth(memfault.ProjectKey(cloud.ProjectKey())).Chunks.Upload(t.Context(), "SINK-0001", [][]byte{data}))
	_, text := send(t, http.MethodGet, url+"/fake/requests?operation=devices.update", "")
	var requests []map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &requests))
	require.Len(t, requests, 1)
	assert.Equal(t, "PATCH", requests[0]["method"])
	assert.Equal(t, "organization token", requests[0]["credential"])
	assert.Equal(t, base64.StdEncoding.EncodeToString([]byte(`{"nickname":"kitchen"}`)), requests[0]["body"])
	assert.NotContains(t, text, cloud.OrganizationToken())
	_, text = send(t, http.MethodGet, url+"/fake/requests?operation=devices.delete", "")
	assert.JSONEq(t, "[]", text)
	_, text = send(t, http.MethodGet, url+"/fake/chunks/SINK-0001", "")
	assert.JSONEq(t, `["`+rebootChunk+`"]`, text)
	_, text = send(t, http.MethodGet, url+"/fake/violations", "")
	assert.JSONEq(t, "[]", text)
}

func TestDoor_DevicesReportsAndClock(t *testing.T) {
	cloud, url := newServer(t)
	client := newClient(t, cloud, url)
	requireChanged(t, url+"/fake/devices", `[{"serial": "ABCD1234", "cohort": "beta", "hardware_version": "dvt-2", "software_version": "1.0.0"}]`)
	requireChanged(t, url+"/fake/clock", `{"now": "2031-01-31T12:00:00Z"}`)
	requireChanged(t, url+"/fake/clock", `{"advance": "24h"}`)
	requireChanged(t, url+"/fake/report", `{"serial": "ABCD1234", "version": "2.0.0"}`)
	device, err := client.Devices.Get(t.Context(), cloud.Project(), "ABCD1234")
	require.NoError(t, err)
	assert.Equal(t, "beta", device.Cohort.Slug)
	assert.Equal(t, "2.0.0", device.LastSeenSoftwareVersion.Version)
	assert.Equal(t, "2031-02-01", device.LastSeen.Format(time.DateOnly))
	requireChanged(t, url+"/fake/clock", "{}")
	requireChanged(t, url+"/fake/report", `{"serial": "ABCD1234", "version": "2.0.0"}`)
	device, err = client.Devices.Get(t.Context(), cloud.Project(), "ABCD1234")
	require.NoError(t, err)
	assert.Less(t, time.Since(device.LastSeen.Time).Abs(), time.Hour)
}

func TestDoor_InvalidInput(t *testing.T) {
	_, url := newServer(t)
	for path, bodies := range map[string][]string{
		"fail":    {`{"operation": "devices.lst"}`, `{"status": 42}`, `{"delay": "soon"}`, `{"sttus": 503}`, `{`, `[]`},
		"devices": {`[{"cohort": "beta"}]`, `{}`},
		"report":  {`{"serial": "A"}`, ``},
		"clock":   {`{"now": "yesterday"}`, `{"advance": "1"}`, `{"now": "2031-01-31T12:00:00Z", "advance": "1h"}`},
	} {
		for _, body := range bodies {
			status, text := send(t, http.MethodPost, url+"/fake/"+path, body)
			assert.Equal(t, http.StatusBadRequest, status, "%s %s", path, body)
			assert.NotEmpty(t, text)
		}
	}
	for _, path := range []string{"/fake/nothing", "/fake/fail"} {
		status, _ := send(t, http.MethodGet, url+path, "")
		assert.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, status, path)
	}
}

func TestDoor_DeviceOfUnknownCohort(t *testing.T) {
	cloud, err := memfaulttest.Start() // with NewServer, the violation would fail the test
	require.NoError(t, err)
	defer cloud.Close()
	server := httptest.NewServer(handler(cloud, "", ""))
	defer server.Close()
	status, text := send(t, http.MethodPost, server.URL+"/fake/devices", `[{"serial": "A", "cohort": "bta"}, {"serial": "B"}]`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, text, `"bta"`)
	requireChanged(t, server.URL+"/fake/devices", `[{"serial": "C"}]`)
	devices, err := cloud.Client(t).Devices.List(cloud.Project(), memfault.DeviceListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, devices, 2, "only the valid ones")
}

func TestDoor_HelpNamesEveryRequest(t *testing.T) {
	_, url := newServer(t)
	status, text := send(t, http.MethodGet, url+"/fake/", "")
	assert.Equal(t, http.StatusOK, status)
	for _, path := range []string{"fail", "heal", "requests", "chunks/{device_serial}", "violations", "devices", "report", "clock", "live"} {
		assert.Regexp(t, `(?m)(GET|POST) +/fake/`+regexp.QuoteMeta(path)+`( |$)`, text)
	}
}

func TestPage_CommandsWork(t *testing.T) {
	cloud, url := newServer(t)
	status, text := send(t, http.MethodGet, url+"/", "")
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{cloud.OrganizationToken(), cloud.ProjectKey(), "devices.update", "chunks.upload"} {
		assert.Contains(t, text, want)
	}
	shell, err := exec.LookPath("sh")
	if err == nil {
		_, err = exec.LookPath("curl")
	}
	if err != nil {
		t.Skip(err)
	}
	for _, command := range newContent(cloud, url).Commands {
		output, err := exec.CommandContext(t.Context(), shell, "-c", strings.Replace(command, "curl ", "curl -sS --fail ", 1)).CombinedOutput()
		require.NoError(t, err, "%s: %s", command, output)
	}
	_, text = send(t, http.MethodGet, url+"/", "")
	assert.Contains(t, text, "reboot HardFault, pc 0x08001234")
}

func TestFaultFlag(t *testing.T) {
	for text, want := range map[string]memfaulttest.Fault{
		"devices.list=503:3":           {Operation: "devices.list", Status: 503, Times: 3},
		"chunks.upload=429/60:1":       {Operation: "chunks.upload", Status: 429, RetryAfter: "60", Times: 1},
		"chunks.upload@SINK-0001=drop": {Operation: "chunks.upload", Device: "SINK-0001", Drop: true},
		"*=2s":                         {Delay: 2 * time.Second},
		"artifacts.download=cut:2":     {Operation: "artifacts.download", CutBodyAfter: 10, Times: 2},
		"cohorts.create=dropresponse":  {Operation: "cohorts.create", DropResponse: true},
	} {
		var faults faultFlag
		require.NoError(t, faults.Set(text), text)
		assert.Equal(t, faultFlag{want}, faults, text)
	}
	for _, text := range []string{"", "devices.list", "devices.lst=503", "devices.list=", "devices.list=200", "devices.list=503:0", "devices.list=503:x", "*=-1s"} {
		var faults faultFlag
		require.Error(t, faults.Set(text), text)
		assert.Empty(t, faults)
	}
}

// lockedBuffer is a bytes.Buffer for concurrent use.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// The lines of the help that set the environment lead to the fake cloud.
func TestHelp_Environment(t *testing.T) {
	cloud, url := newServer(t)
	var out strings.Builder
	require.NoError(t, printHelp(&out, cloud, url))
	exports := regexp.MustCompile(`(?m)^  export (.+)$`).FindAllStringSubmatch(out.String(), -1)
	require.Len(t, exports, 2)
	for i, call := range []func(*memfault.Client, memfault.ProjectRef) error{
		func(client *memfault.Client, project memfault.ProjectRef) error {
			_, err := client.Devices.Get(t.Context(), project, "SINK-0001")
			return err
		},
		func(client *memfault.Client, _ memfault.ProjectRef) error {
			return client.Chunks.CheckProjectKey(t.Context())
		},
	} {
		for _, name := range []string{"MEMFAULT_ORG_TOKEN", "MEMFAULT_EMAIL", "MEMFAULT_PROJECT_KEY", "MEMFAULT_ORG", "MEMFAULT_PROJECT", "MEMFAULT_BASE_URL"} {
			t.Setenv(name, "")
		}
		for setting := range strings.FieldsSeq(exports[i][1]) {
			name, value, _ := strings.Cut(setting, "=")
			t.Setenv(name, value)
		}
		client, project, err := memfault.NewClientFromEnv()
		require.NoError(t, err)
		require.NoError(t, call(client, project))
	}
}

func TestServe_ListensAndFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out lockedBuffer
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, config{addr: "127.0.0.1:0", devices: 3, faults: faultFlag{{Operation: "auth.me", Status: 503, Times: 1}}}, &out)
	}()
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "In a Go program") }, 10*time.Second, time.Millisecond)
	url := address.FindString(out.String())
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusUnauthorized} {
		status, _ := send(t, http.MethodGet, url+"/auth/me", "")
		assert.Equal(t, want, status)
	}
	cancel()
	require.NoError(t, <-ended)
	require.Error(t, serve(t.Context(), config{addr: "not an address"}, io.Discard))
}
