package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

// newCloud starts a fake cloud with something in each list, and sets the environment of the
// program.
func newCloud(t *testing.T) *memfaulttest.Server {
	t.Helper()
	cloud := memfaulttest.NewServer(t)
	cloud.SeedFleet(30)
	cloud.SeedDemo()
	cloud.AddRecordings(
		memfaulttest.Recording{DeviceSerial: "SINK-0001", Start: time.Now().Add(-time.Hour), End: time.Now(), MIMETypes: []string{"text/csv"}, Content: []byte("1")},
		memfaulttest.Recording{DeviceSerial: "SINK-0001", Start: time.Now().Add(-time.Minute), End: time.Now(), MIMETypes: []string{"text/csv"}, Content: []byte("2")},
	)
	for name, value := range map[string]string{
		"MEMFAULT_ORG_TOKEN": cloud.OrganizationToken(), "MEMFAULT_PROJECT_KEY": cloud.ProjectKey(),
		"MEMFAULT_ORG": cloud.Project().Organization, "MEMFAULT_PROJECT": cloud.Project().Project,
		"MEMFAULT_EMAIL": "", "MEMFAULT_PASSWORD": "", "MEMFAULT_API_KEY": "",
	} {
		t.Setenv(name, value)
	}
	return cloud
}

// response is a response that a test may bend.
type response struct {
	status int
	header http.Header
	body   []byte
}

// edit changes the JSON of the body.
func (r *response) edit(t *testing.T, change func(envelope map[string]any) any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.UseNumber()
	var envelope map[string]any
	if err := decoder.Decode(&envelope); err != nil {
		t.Errorf("the response of the fake cloud is no object: %v", err)
		return
	}
	r.body, _ = json.Marshal(change(envelope)) // it came from JSON
}

// items changes each item in data, or the object in data.
func items(change func(item map[string]any)) func(map[string]any) any {
	return func(envelope map[string]any) any {
		switch data := envelope["data"].(type) {
		case map[string]any:
			change(data)
		case []any:
			for _, item := range data {
				change(item.(map[string]any))
			}
		}
		return envelope
	}
}

// bend serves the cloud at a new address, and changes the responses of an operation. It
// returns the address.
func bend(t *testing.T, cloud *memfaulttest.Server, operation string, change func(*response)) string {
	t.Helper()
	handler := cloud.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before := cloud.RequestCount(operation)
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, r)
		got := &response{recorded.Code, recorded.Header().Clone(), recorded.Body.Bytes()}
		if operation == "" || cloud.RequestCount(operation) > before {
			change(got)
			got.header.Del("Content-Length")
		}
		for name, values := range got.header {
			w.Header()[name] = values
		}
		w.WriteHeader(got.status)
		if r.Method != http.MethodHead {
			w.Write(got.body)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// verify runs the program against an address, without a limit of its rate.
func verify(t *testing.T, url string, flags ...string) (code int, out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"-url", url, "-rate", "0"}, flags...), strings.NewReader(""), &stdout, &stderr)
	require.Empty(t, stderr.String())
	return code, stdout.String()
}

// contradictions returns the lines of the output that name operations that contradict, and how.
func contradictions(out string) string {
	var found strings.Builder
	for line := range strings.Lines(out) {
		if strings.Contains(line, " contradicts ") || strings.HasPrefix(line, "    ! ") {
			found.WriteString(line)
		}
	}
	return found.String()
}

// lines returns the lines of the output that contain a text, without spaces at the start.
func lines(out, text string) (found []string) {
	for line := range strings.Lines(out) {
		if strings.Contains(line, text) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
