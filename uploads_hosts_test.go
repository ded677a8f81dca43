package memfault_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

const (
	projectOnFiles = "https://files.memfault.com/api/v0/organizations/acme/projects/smart-sink"
	projectOnAPI   = "https://api.memfault.com/api/v0/organizations/acme/projects/smart-sink"
)

// newFailingOnceClient returns a client whose server fails the first attempt of each request
// with 503, and the list of its requests. The fake cloud takes its hosts and paths from the table of
// operations, so it cannot detect wrong ones.
func newFailingOnceClient(t *testing.T, auth memfault.Authenticator) (client *memfault.Client, requests *[]string) {
	t.Helper()
	requests = new([]string)
	times := map[string]int{}
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		what := r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.EscapedPath()
		*requests = append(*requests, what)
		if times[what]++; times[what] == 1 {
			return newResponse(http.StatusServiceUnavailable, "")
		}
		return newResponse(http.StatusOK, `{"data":{"upload_url":"https://storage.example/a?sig=1","token":"t"}}`)
	})
	return newClient(t, auth, memfault.WithHTTPClient(&http.Client{Transport: transport}), quickRetries), requests
}

func TestUpload_HostsAndPaths(t *testing.T) {
	commits := map[string]struct{ flat, project string }{
		"symbols":               {"", "/symbols"},
		"ota_payload":           {"", "/releases/ota_payload"},
		"sbom":                  {"", "/sboms"},
		"coredump":              {"/coredump", "/coredumps"},
		"elf_coredump":          {"/elf_coredump", "/elf_coredumps"},
		"bugreport":             {"/bugreport", "/bugreports"},
		"mar":                   {"/mar", "/mar"},
		"custom_data_recording": {"/custom-data-recording", "/custom-data-recording"},
		"xed":                   {"/qc/x", "/qc/x"},
	}
	const flat = "https://files.memfault.com/api/v0/upload"
	const put = "PUT https://storage.example/a"
	for _, c := range uploadCases() {
		for _, key := range []bool{false, true} {
			auth, ref := memfault.OrganizationToken("oat_test"), sink
			prepare, commit := "POST "+projectOnFiles+"/upload", "POST "+projectOnFiles+commits[c.kind].project
			if key {
				auth, ref = memfault.ProjectKey("key"), memfault.ProjectRef{}
				prepare, commit = "POST "+flat, "POST "+flat+commits[c.kind].flat
			}
			if key && !c.flat {
				continue
			}
			client, requests := newFailingOnceClient(t, auth)
			file, _ := fileOf("a.bin", c.start, 1000)
			_, err := c.upload(t.Context(), client.Uploads, ref, file)
			requireError(t, err, http.StatusServiceUnavailable)
			assert.Equal(t, []string{prepare, prepare, put, put, commit}, *requests, "all requests but the commit must be retried")
		}
	}
}

func TestUpload_HostsOfOtherData(t *testing.T) {
	elfFile := noteELF(binary.LittleEndian, []byte{1}, false, 0)
	for name, c := range map[string]struct {
		auth memfault.Authenticator
		call func(context.Context, *memfault.Client) error
		want []string
	}{
		"symbols exist": {memfault.OrganizationToken("oat_test"), func(ctx context.Context, client *memfault.Client) error {
			_, err := client.Uploads.Symbols(ctx, sink, &memfault.File{Name: "a", Size: int64(len(elfFile)), Content: bytes.NewReader(elfFile)}, memfault.SymbolsOptions{IfMissing: true, WithoutDebugInfo: true})
			return err
		}, []string{"HEAD " + projectOnFiles + "/symbols-by-gnu-build-id/01", "HEAD " + projectOnFiles + "/symbols-by-gnu-build-id/01"}},
		"raw coredump": {memfault.ProjectKey("key"), func(ctx context.Context, client *memfault.Client) error {
			file, _ := fileOf("a", "CORE", 100)
			_, err := client.Uploads.RawCoredump(ctx, file)
			return err
		}, []string{"POST https://ingress.memfault.com/api/v0/upload/coredump"}},
		"trace": {memfault.ProjectKey("key"), func(ctx context.Context, client *memfault.Client) error {
			return client.Uploads.ImportTrace(ctx, memfault.TraceImport{DeviceIdentity: traits})
		}, []string{"POST https://api.memfault.com/api/v0/upload/trace-import"}},
		"events": {memfault.ProjectKey("key"), func(ctx context.Context, client *memfault.Client) error {
			return client.Events.Upload(ctx, []memfault.EventCreate{heartbeat("A")})
		}, []string{"POST https://ingress.memfault.com/api/v0/events"}},
		"artifact": {memfault.OrganizationToken("oat_test"), func(ctx context.Context, client *memfault.Client) error {
			file, _ := fileOf("a", "", 100)
			_, err := client.Artifacts.Upload(ctx, sink, "1.0.0+a", file, memfault.ArtifactUploadOptions{Type: memfault.ArtifactTypeFirmware, HardwareVersion: "evt-1"})
			return err
		}, []string{"POST " + projectOnAPI + "/releases/1.0.0%2Ba/artifacts"}},
		"legacy symbols": {memfault.OrganizationToken("oat_test"), func(ctx context.Context, client *memfault.Client) error {
			file, _ := fileOf("a", "text", 100)
			_, err := client.Uploads.SymbolsLegacy(ctx, sink, "main", "1.0.0", file)
			return err
		}, []string{"POST " + projectOnFiles + "/software_types/main/software_versions/1.0.0/artifacts/symbols"}},
		"coredump": {memfault.OrganizationToken("oat_test"), func(ctx context.Context, client *memfault.Client) error {
			_, err := client.Coredumps.Download(ctx, sink, 7, io.Discard, memfault.CoredumpDownloadOptions{})
			return err
		}, []string{"GET " + projectOnAPI + "/coredumps/7/download", "GET " + projectOnAPI + "/coredumps/7/download"}},
		"recording": {memfault.OrganizationToken("oat_test"), func(ctx context.Context, client *memfault.Client) error {
			_, err := client.Recordings.Download(ctx, sink, "7", io.Discard)
			return err
		}, []string{"GET " + projectOnAPI + "/custom-data-recording/7/download", "GET " + projectOnAPI + "/custom-data-recording/7/download"}},
	} {
		t.Run(name, func(t *testing.T) {
			client, requests := newFailingOnceClient(t, c.auth)
			err := c.call(t.Context(), client)
			assert.Equal(t, c.want, *requests)
			if len(c.want) == 2 {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, memfault.ErrUnavailable, "a request that may have been carried out must not be retried")
		})
	}
}
