package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/memfaulttest"
)

// Each test bends the responses of an operation, and expects what the program finds.
func TestRun_FindsBentResponses(t *testing.T) {
	rename := func(old, name string) func(map[string]any) any {
		return items(func(item map[string]any) { item[name] = item[old]; delete(item, old) })
	}
	set := func(name string, value any) func(map[string]any) any {
		return items(func(item map[string]any) { item[name] = value })
	}
	for name, test := range map[string]struct {
		operation string
		change    func(envelope map[string]any) any
		want      []string // contradictions and news, in order
		code      int
	}{
		"field renamed": {"devices.list", rename("nickname", "nick_name"), []string{
			"! missing data[].nickname", "- unknown data[].nick_name: got string",
		}, 1},
		"nested field renamed": {"deployments.retrieve", items(func(item map[string]any) {
			release := item["release"].(map[string]any)
			release["ver"] = release["version"]
			delete(release, "version")
		}), []string{"! missing data.release.version", "- unknown data.release.ver: got string"}, 1},
		"field that stops coming": {"issues.list", items(func(item map[string]any) { delete(item, "device_count") }), []string{
			"! missing data[].device_count",
		}, 1},
		"field that came only once": {"cohorts.list", func(envelope map[string]any) any {
			for _, item := range envelope["data"].([]any)[1:] {
				delete(item.(map[string]any), "ignore_traces")
			}
			return envelope
		}, nil, 0},
		"one form of an install": {"installs.list", rename("began_at", "started_at"), nil, 0},
		"no form of an install":  {"installs.retrieve", rename("began_at", "beginning"), []string{"! missing data.began_at", "! missing data.started_at", "- unknown data.beginning: got string"}, 1},
		"new field":              {"releases.list", set("channel", "stable"), []string{"- unknown data[].channel: got string"}, 0},
		"type of an ID":          {"traces.retrieve", set("id", "7f9c"), []string{"! type data.id: want int64: got string"}, 1},
		"type of a time": {"events.list", set("captured_date", "2026-01-02 03:04"), []string{
			"! type data[].captured_date: want a form that the package decodes: got string of the form 0000-00-00 00:00",
		}, 1},
		"object for a text": {"projects.retrieve", set("platform", map[string]any{"name": "nrf"}), []string{
			"! type data.platform: want string: got object",
		}, 1},
		"two forms that the client reads": {"devices.retrieve", set("cohort", "default"), nil, 0},
		"null item": {"software_types.list", func(envelope map[string]any) any {
			envelope["data"] = append(envelope["data"].([]any), nil)
			envelope["paging"].(map[string]any)["item_count"] = len(envelope["data"].([]any))
			envelope["paging"].(map[string]any)["total_count"] = 100
			return envelope
		}, []string{"! type data[]: want memfault.SoftwareType: got null"}, 1},
		"envelope dropped": {"cohorts.retrieve", func(envelope map[string]any) any { return envelope["data"] }, []string{
			"! envelope data: want data: got a response without data",
		}, 1},
		"envelope of a list dropped": {"organizations.list", func(envelope map[string]any) any { return envelope["data"] }, []string{
			"! envelope: want object: got list",
		}, 1},
		"envelope added": {"releases.latest", func(envelope map[string]any) any { return map[string]any{"data": envelope} }, []string{
			"! envelope data: want an object without an envelope: got an object in data",
		}, 1},
		"list in an object": {"coredumps.list", func(envelope map[string]any) any {
			envelope["data"] = map[string]any{"coredumps": envelope["data"]}
			return envelope
		}, []string{"! envelope data: want list: got object"}, 1},
		"more in the envelope": {"cohorts.list", func(envelope map[string]any) any { envelope["meta"] = map[string]any{}; return envelope }, []string{
			"- unknown meta: got object",
		}, 0},
		"cursor instead of pages": {"software_versions.list", func(envelope map[string]any) any {
			delete(envelope, "paging")
			envelope["links"] = map[string]any{"next": "/api/v0/more?page[after]=x"}
			return envelope
		}, []string{"- unknown links: got object", "! paging paging: want paging: got a list without paging"}, 1},
		"cursor in the paging": {"reports.list", func(envelope map[string]any) any {
			envelope["paging"] = map[string]any{"next_cursor": "abc"}
			return envelope
		}, []string{
			"! paging paging.item_count: got nothing", "! paging paging.page: got nothing", "! paging paging.page_count: got nothing",
			"! paging paging.per_page: got nothing", "! paging paging.total_count: got nothing", "- unknown paging.next_cursor: got string",
		}, 1},
		"pages counted from 0": {"projects.list", func(envelope map[string]any) any {
			envelope["paging"].(map[string]any)["page"] = 0
			return envelope
		}, []string{"! paging paging.page: want the number of the requested page: got another number"}, 1},
		"text for a number of pages": {"elf_coredumps.list", func(envelope map[string]any) any {
			envelope["paging"].(map[string]any)["total_count"] = "0"
			return envelope
		}, []string{"! paging paging.total_count: want int: got string of the form 0"}, 1},
		"per_page ignored": {"event_log.list", func(envelope map[string]any) any {
			envelope["paging"].(map[string]any)["per_page"] = 50
			return envelope
		}, []string{"- different paging.per_page: want the requested number: got another number"}, 0},
		"oldest deployments first": {"deployments.list", func(envelope map[string]any) any {
			slices.Reverse(envelope["data"].([]any))
			return envelope
		}, []string{"! order data[].deployed_date: want the newest first: got another order"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			url := bend(t, newCloud(t), test.operation, func(r *response) {
				if r.status == http.StatusOK {
					r.edit(t, test.change)
				}
			})
			code, out := verify(t, url)
			assert.Equal(t, test.want, findingsOf(out, test.operation), out)
			assert.Equal(t, test.code, code, contradictions(out))
			if test.code == 1 {
				assert.Contains(t, strings.Join(lines(out, test.operation+" "), ""), "contradicts", test.operation)
			}
		})
	}
}

// findingsOf returns the findings of an operation in the table.
func findingsOf(out, operation string) (found []string) {
	_, rest, _ := strings.Cut("\n"+out, "\n"+operation+" ")
	_, rest, _ = strings.Cut(rest, "\n")
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "    ") {
			break
		}
		found = append(found, strings.TrimSpace(line))
	}
	return found
}

func TestRun_FindsBentStatuses(t *testing.T) {
	for name, test := range map[string]struct {
		operation string // of the bent responses
		status    int    // only responses with this status are bent
		change    func(*response)
		line      string // of the table that shows it
		want      []string
		code      int
	}{
		"success": {"devices.list", 200, func(r *response) { r.status = 202 }, "devices.list", []string{"! status: want 200: got 202"}, 1},
		"not found": {"cohorts.list", 200, func(r *response) { r.status, r.body = 404, errorBody(t, 404) }, "cohorts.list", []string{
			"! status: want 200: got 404",
		}, 1},
		"an operation that may be absent": {"event_log.list", 200, func(r *response) { r.status, r.body = 404, errorBody(t, 404) }, "event_log.list", nil, 0},
		"forbidden":                       {"issues.list", 200, func(r *response) { r.status, r.body = 403, errorBody(t, 403) }, "issues.list", nil, 0},
		"forbidden by a proxy": {"issues.list", 200, func(r *response) { r.status, r.body = 403, []byte("<html>no</html>") }, "issues.list", []string{
			"- different: want an object with error: got no JSON",
		}, 0},
		"in trouble":     {"traces.list", 200, func(r *response) { r.status, r.body = 500, errorBody(t, 500) }, "traces.list", nil, 0},
		"unknown device": {"devices.retrieve", 404, func(r *response) { r.status = 400 }, "check: unknown device", []string{"! status: want 404: got 400"}, 1},
		"error without an envelope": {"devices.retrieve", 404, func(r *response) {
			r.edit(t, func(envelope map[string]any) any { return envelope["error"] })
		}, "check: unknown device", []string{
			"! error form error: want object: got nothing",
			"- different error.type: want NotFoundError: got another type", "- different error.code: want 1003: got 0",
		}, 1},
		"error of RFC 9457": {"devices.retrieve", 404, func(r *response) { r.body = []byte(`{"type":"about:blank","title":"Not Found","status":404}`) }, "check: unknown device", []string{
			"! error form error: want object: got nothing",
			"! error form error.message: want a message: got none that the client reads",
			"- different error.type: want NotFoundError: got another type", "- different error.code: want 1003: got 0",
		}, 1},
		"time accepted": {"devices.list", 400, func(r *response) { r.status, r.body = 200, []byte(`{"data":[]}`) }, "check: time with an offset", []string{
			"- different: want 400, as documented: got an accepted time",
		}, 0},
		"time rejected in another way": {"devices.list", 400, func(r *response) { r.status = 422 }, "check: time with an offset", []string{"! status: want 400: got 422"}, 1},
		"page of HTML":                 {"devices.list", 200, func(r *response) { r.body = []byte("<html>Log in</html>") }, "devices.list", []string{"! envelope: want object: got no JSON"}, 1},
		"file that is missing":         {"coredumps.download", 200, func(r *response) { r.status, r.body = 410, nil }, "coredumps.download", []string{"! status: want 200: got 410", "- different: want an object with error: got no JSON"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			url := bend(t, newCloud(t), test.operation, func(r *response) {
				if r.status == test.status {
					test.change(r)
				}
			})
			code, out := verify(t, url)
			assert.Equal(t, test.want, findingsOf(out, test.line), out)
			assert.Equal(t, test.code, code, contradictions(out))
		})
	}
}

// errorBody returns an error of Memfault.
func errorBody(t *testing.T, status int) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{"error": map[string]any{"code": 1, "http_code": status, "type": "Error", "message": "no"}})
	assert.NoError(t, err)
	return body
}

func TestRun_OtherOutcomesOfMarks(t *testing.T) {
	for name, test := range map[string]struct {
		operation string
		change    func(*response)
		mark      string
		want      string
	}{
		"slug that does not exist": {"projects.retrieve", func(r *response) {
			if r.status == 500 {
				r.status, r.body = 404, errorBody(t, 404)
			}
		}, "unknown-slug-500", "refuted      the status is 404"},
		"organization token for auth.me": {"auth.me", func(r *response) {
			r.status, r.body = 200, []byte(`{"id":1,"email":"a@b.example","name":"A"}`)
		}, "auth-me-organization-token", "confirmed    the status is 200"},
		"event log gone": {"event_log.list", func(r *response) { r.status, r.body = 405, errorBody(t, 405) }, "event-log-exists", "refuted      the status is 405"},
		"other list of organizations": {"organizations.list", func(r *response) {
			r.edit(t, func(envelope map[string]any) any { return map[string]any{"organizations": envelope["data"]} })
		}, "organizations-list-form", "refuted      the form is another; see the findings of organizations.list"},
		"more about delta releases": {"delta_releases.list", func(r *response) {
			r.edit(t, items(func(item map[string]any) { item["artifacts"] = []any{} }))
		}, "delta-release-files", "refuted      there is a field about files; see the findings of delta_releases.list"},
		"sampling as an object": {"devices.list", func(r *response) {
			if r.status == 200 {
				r.edit(t, items(func(item map[string]any) { item["fleet_sampling_configuration"] = map[string]any{"id": 1} }))
			}
		}, "fleet-sampling-configuration", "confirmed    the kind is object"},
		"recordings with a text": {"device_custom_data_recordings.list", func(r *response) {
			r.edit(t, items(func(item map[string]any) { item["id"] = "7f9c" }))
		}, "recording-id", "confirmed    the kind is string"},
		"other status of a task": {"tasks.get_status", func(r *response) {
			r.status, r.body = 200, []byte(`{"status": "LOST"}`)
		}, "task-statuses", "refuted      an unknown task has another status"},
		"other status of a deployment": {"deployments.list", func(r *response) {
			r.edit(t, items(func(item map[string]any) { item["status"] = "paused" }))
		}, "deployment-statuses", "refuted      there is another status"},
		"other status of an install": {"installs.list", func(r *response) {
			r.edit(t, items(func(item map[string]any) { item["status"] = "failed" }))
		}, "install-statuses", "refuted      there is another status"},
		"issues without created_date": {"issues.list", func(r *response) {
			r.edit(t, items(func(item map[string]any) { delete(item, "created_date") }))
		}, "issue-created-date", "refuted      an issue lacks it"},
		"pending task": {"tasks.get_status", func(r *response) {
			r.status, r.body = 200, []byte(`{"status": "PENDING"}`)
		}, "task-statuses", "confirmed    an unknown task has a status of common job queues"},
	} {
		t.Run(name, func(t *testing.T) {
			_, out := verify(t, bend(t, newCloud(t), test.operation, test.change))
			assert.Equal(t, test.mark+strings.Repeat(" ", 41-len(test.mark))+test.want, strings.Join(lines(out, test.mark+" "), "\n"), out)
		})
	}
}

func TestRun_FilterOfIssues(t *testing.T) {
	cloud := newCloud(t)
	var all []byte
	url := bend(t, cloud, "issues.list", func(r *response) {
		if all == nil {
			all = r.body
		}
		r.body = all
	})
	code, out := verify(t, url)
	assert.Zero(t, code, out)
	assert.Len(t, lines(out, "issues-filter-cohort                     refuted      the filter cohort is ignored"), 1, out)

	cloud.Fail(memfaulttest.Fault{Operation: "issues.list", Skip: 1, Status: 400})
	_, out = verify(t, cloud.URL)
	assert.Len(t, lines(out, "issues-filter-cohort                     refuted      the filter cohort is rejected with 400"), 1, out)
}

func TestRun_NothingThere(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	t.Setenv("MEMFAULT_ORG_TOKEN", cloud.OrganizationToken())
	t.Setenv("MEMFAULT_PROJECT_KEY", "")
	t.Setenv("MEMFAULT_ORG", cloud.Project().Organization)
	t.Setenv("MEMFAULT_PROJECT", cloud.Project().Project)
	code, out := verify(t, cloud.URL)
	assert.Zero(t, code, out)
	assert.NotEmpty(t, lines(out, "devices.list                             empty        200"))
	assert.NotEmpty(t, lines(out, "devices.retrieve                         skipped           it requires what no response had: device"))

	t.Setenv("MEMFAULT_PROJECT", "wrong")
	code, out = verify(t, cloud.URL)
	assert.Zero(t, code, "the organization was compared")
	assert.NotEmpty(t, lines(out, "devices.list                             unavailable  500"))

	t.Setenv("MEMFAULT_ORG", "wrong")
	t.Setenv("MEMFAULT_ORG_TOKEN", "wrong")
	code, out = verify(t, cloud.URL)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "Nothing could be compared")
}

func TestRun_LargeResponse(t *testing.T) {
	url := bend(t, newCloud(t), "projects.list", func(r *response) {
		r.edit(t, items(func(item map[string]any) { item["name"] = strings.Repeat("x", maxRecorded) }))
	})
	code, out := verify(t, url)
	assert.Zero(t, code, out)
	assert.Equal(t, []string{"- different: want a response of less than 1 MiB: got more, which was not compared"}, findingsOf(out, "projects.list"))
}

func TestProbe_ListByCursor(t *testing.T) {
	p := probe{op: &operation.Operation{Name: "processing_log.list", Method: "GET", Reply: operation.List}}
	for body, want := range map[string][]string{
		`{"data": [{}], "links": {"next": "/more"}}`: nil,
		`{"data": [], "links": {"next": null}}`:      nil,
		`{"data": [], "paging": {"page": 1}}`:        {"unknown paging: got object", "paging links: want object: got nothing"},
		`{"data": [], "links": {}}`:                  {"paging links.next: want string or null: got nothing"},
		`{"data": [], "links": {"next": 2}}`:         {"paging links.next: want string or null: got integer"},
	} {
		var r result
		values, _ := p.values(&r, []byte(body))
		assert.NotNil(t, values, body)
		var found []string
		for _, f := range r.Findings {
			found = append(found, f.String())
		}
		assert.Equal(t, want, found, body)
	}
}
