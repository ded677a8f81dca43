package faultmatrix

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/memfault-go/memfault"
)

// kind is a kind of operation.
type kind struct {
	name   string
	method string
	// operation is the name, in the package, of the step of the call that the fault hits. skip is
	// the number of requests of that operation that succeed before the fault.
	operation string
	skip      int
	auth      memfault.Authenticator
	call      func(context.Context, *memfault.Client) error

	// What the rules depend on.
	repeatable bool // it is safe to send the request twice
	body       bool // the request has a body
	later      bool // the request reuses the connection of an earlier step
	response   response
}

// response is how a kind of operation uses the body of a successful response.
type response int

const (
	object  response = iota // decodes it as JSON
	nothing                 // does not use it
	file                    // writes it to a file
)

func (r response) String() string {
	return [...]string{"is decoded", "is not needed", "is written to a file"}[r]
}

// get reports whether net/http follows redirects of the request and repeats it by itself.
func (k *kind) get() bool { return k.method == http.MethodGet }

// Names of kinds that have rules of their own.
const (
	put      = "PUT"
	commit   = "commit"
	download = "download"
)

var (
	project    = memfault.ProjectRef{Organization: "acme", Project: "sink"}
	orgToken   = memfault.OrganizationToken("oat_s3cret_token")
	projectKey = memfault.ProjectKey("key_s3cret_key")
)

// content is the file of the uploads and downloads, which begins like a bug report.
var content = "PK\x03\x04" + strings.Repeat("report ", 100)

var kinds = []*kind{
	{
		name: "read", method: http.MethodGet, operation: "devices.retrieve", auth: orgToken, repeatable: true,
		call: func(ctx context.Context, c *memfault.Client) error {
			device, err := c.Devices.Get(ctx, project, "D1")
			return wrongResult(err, err == nil && device.DeviceSerial != "D1")
		},
	},
	{
		name: "list by page", method: http.MethodGet, operation: "devices.list", skip: 1, auth: orgToken, repeatable: true, later: true,
		call: func(ctx context.Context, c *memfault.Client) error {
			devices, err := c.Devices.List(project, memfault.DeviceListOptions{}).Collect(ctx)
			return wrongResult(err, err == nil && (len(devices) != 2 || devices[1].DeviceSerial != "D2"))
		},
	},
	{
		name: "list by cursor", method: http.MethodGet, operation: "processing_log.list", skip: 1, auth: orgToken, repeatable: true, later: true,
		call: func(ctx context.Context, c *memfault.Client) error {
			entries, err := c.ProcessingLog.List(project, memfault.ProcessingLogListOptions{}).Collect(ctx)
			return wrongResult(err, err == nil && len(entries) != 2)
		},
	},
	{
		name: "update", method: http.MethodPatch, operation: "devices.update", auth: orgToken, repeatable: true, body: true,
		call: func(ctx context.Context, c *memfault.Client) error {
			_, err := c.Devices.Update(ctx, project, "D1", memfault.DeviceUpdate{Cohort: memfault.Set("beta")})
			return err
		},
	},
	{
		name: "create", method: http.MethodPost, operation: "cohorts.create", auth: orgToken, body: true,
		call: func(ctx context.Context, c *memfault.Client) error {
			_, err := c.Cohorts.Create(ctx, project, memfault.CohortCreate{Name: "Beta"})
			return err
		},
	},
	{
		name: "chunk", method: http.MethodPost, operation: "chunks.upload", auth: projectKey, repeatable: true, body: true, response: nothing,
		call: func(ctx context.Context, c *memfault.Client) error {
			return c.Chunks.Upload(ctx, "D1", [][]byte{[]byte("chunk")})
		},
	},
	{
		name: "prepare", method: http.MethodPost, operation: "upload.prepare_project_key", auth: projectKey, repeatable: true, body: true,
		call: uploadFile,
	},
	{
		name: put, method: http.MethodPut, operation: "upload.put_file", auth: projectKey, repeatable: true, body: true, later: true, response: nothing,
		call: uploadFile,
	},
	{
		name: commit, method: http.MethodPost, operation: "upload.commit_bugreport", auth: projectKey, body: true, later: true, response: nothing,
		call: uploadFile,
	},
	{
		name: download, method: http.MethodGet, operation: "coredumps.download", auth: orgToken, repeatable: true, response: file,
		call: func(ctx context.Context, c *memfault.Client) error {
			_, err := c.Coredumps.Download(ctx, project, 1, io.Discard, memfault.CoredumpDownloadOptions{})
			return err
		},
	},
}

func uploadFile(ctx context.Context, c *memfault.Client) error {
	file := &memfault.File{Name: "core", Size: int64(len(content)), Content: strings.NewReader(content)}
	_, err := c.Uploads.BugReport(ctx, memfault.ProjectRef{}, file, memfault.BugReportOptions{})
	return err
}

// wrongResult returns err, or an error if the call succeeded with a wrong result.
func wrongResult(err error, wrong bool) error {
	if wrong {
		return fmt.Errorf("wrong result without an error")
	}
	return err
}

// serveHealthy responds as the API does without a fault.
func serveHealthy(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	const base = "/api/v0/organizations/acme/projects/sink/"
	device := func(serial string) any { return map[string]any{"device_serial": serial} }
	var value any
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, base) {
	case "GET devices/D1", "PATCH devices/D1":
		value = map[string]any{"data": device("D1")}
	case "GET devices":
		number := r.URL.Query().Get("page")
		value = map[string]any{
			"data":   []any{device("D" + number)},
			"paging": map[string]any{"page": json.Number(number), "page_count": 2, "per_page": 100, "total_count": 2},
		}
	case "GET processing-log":
		links := map[string]any{"next": nil}
		if !r.URL.Query().Has("page[after]") {
			links["next"] = "/api/v0/organizations/acme/projects/sink/processing-log?page%5Bafter%5D=c1"
		}
		value = map[string]any{"data": []any{map[string]any{"created_date": "2026-01-01T00:00:00Z", "id": len(r.URL.RawQuery)}}, "links": links}
	case "POST cohorts":
		value = map[string]any{"data": map[string]any{"slug": "beta", "name": "Beta"}}
	case "POST /api/v0/upload":
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		value = map[string]any{"data": map[string]any{"upload_url": scheme + "://" + r.Host + "/presigned?X-Signature=s3cret_signature", "token": "t1"}}
	case "POST /api/v0/chunks/D1", "POST /api/v0/upload/bugreport":
		w.WriteHeader(http.StatusAccepted)
		return
	case "PUT /presigned":
		return
	case "GET coredumps/1/download":
		_, _ = io.WriteString(w, content)
		return
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
