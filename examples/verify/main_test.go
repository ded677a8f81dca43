package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/examples/verify/internal/uncertain"
	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestProbes_CoverReadingOperations(t *testing.T) {
	probed := map[string]int{}
	for _, p := range probes() {
		probed[p.op.Name]++
		assert.Equal(t, p.compare == nil, p.op.Reply == operation.Stream, "%s: a model is compared unless the response is a file", p.op.Name)
	}
	for _, op := range operation.All() {
		if op.Method == "GET" || op.Method == "HEAD" {
			assert.Equal(t, 1, probed[op.Name], "%s needs a probe in probes*.go", op.Name)
		} else {
			assert.Zero(t, probed[op.Name], "%s is not a reading operation", op.Name)
		}
	}
}

func TestRun_FakeCloud(t *testing.T) {
	cloud := newCloud(t)
	code, out := verify(t, cloud.URL)
	assert.Zero(t, code, out)
	assert.Contains(t, out, "Nothing contradicts the client.")
	assert.Empty(t, lines(out, "    ! "), "contradictions")
	assert.Empty(t, lines(out, "    - "), "news")
	for _, op := range operation.All() {
		if op.Method == "GET" || op.Method == "HEAD" {
			assert.Equal(t, 1, strings.Count("\n"+out, "\n"+op.Name+" "), "%s is not probed once", op.Name)
		}
	}
	assert.Equal(t, []string{
		"auth.get_user_api_key                    skipped           the operation accepts only email+password,email+api-key",
	}, lines(out, " skipped   "))
	for _, request := range cloud.Requests("") {
		assert.Contains(t, []string{"GET", "HEAD"}, request.Method)
	}
}

// The end of the output says which facts are settled, and how, and in one line what to report.
func TestRun_Settled(t *testing.T) {
	cloud := newCloud(t)
	_, out := verify(t, cloud.URL)
	settled := len(lines(out, ", confirmed: ")) + len(lines(out, ", refuted: "))
	all := len(uncertain.Marks()) + len(uncertain.Open())
	assert.Contains(t, out, fmt.Sprintf("\nSettled: %d of %d UNCERTAIN facts.\n", settled, all))
	mark, ok := uncertain.Find("auth-me-organization-token")
	require.True(t, ok)
	assert.Contains(t, out, "  auth-me-organization-token, refuted: the status is 403\n    "+mark.Question+"\n")
	assert.Contains(t, out, "It does not contradict the client, which works in both cases.\n\nNothing contradicts the client.\n")

	last := out[strings.LastIndex(strings.TrimSuffix(out, "\n"), "\n")+1:]
	assert.Regexp(t, `^memfault-go \S+ verify: \d+ of \d+ agree \(with -url\); contradicted by: none; refuted: .*\bauth-me-organization-token\b.*; confirmed: .*\bunknown-slug-500\b.*\n$`, last)
	for _, secret := range []string{cloud.Project().Organization, cloud.Project().Project, cloud.OrganizationToken(), cloud.URL} {
		assert.NotContains(t, last, secret)
	}

	cloud.Fail(memfaulttest.Fault{Operation: "cohorts.list", Status: 400})
	_, out = verify(t, cloud.URL)
	last = out[strings.LastIndex(strings.TrimSuffix(out, "\n"), "\n")+1:]
	assert.Contains(t, last, "; contradicted by: cohorts.list;")
}

func TestRun_Marks(t *testing.T) {
	code, out := verify(t, newCloud(t).URL)
	assert.Zero(t, code)
	for _, mark := range uncertain.Marks() {
		line := strings.Join(lines(out, mark.Name+" "), "\n")
		assert.NotEmpty(t, line, mark.Name)
		if mark.Write {
			assert.Contains(t, line, "only -write settles it")
		}
	}
	for mark, want := range map[string]string{
		"auth-me-organization-token": "refuted      the status is 403",
		"organizations-list-form":    "confirmed    the form is the usual one",
		"recording-id":               "confirmed    the kind is integer",
		"recordings-per-page":        "refuted      the limit is honored",
		"log-files-limit":            "refuted      the limit is ignored",
		"unknown-slug-500":           "confirmed    the status is 500",
		"artifacts-types":            "confirmed    repeated parameters are read",
		"event-log-exists":           "confirmed    the operation exists",
	} {
		assert.Equal(t, mark+strings.Repeat(" ", 41-len(mark))+want, strings.Join(lines(out, mark+" "), "\n"))
	}
}

func TestRun_Credentials(t *testing.T) {
	cloud := newCloud(t)
	t.Setenv("MEMFAULT_ORG_TOKEN", "")
	t.Setenv("MEMFAULT_PROJECT_KEY", "")
	t.Setenv("MEMFAULT_EMAIL", cloud.Email())
	t.Setenv("MEMFAULT_PASSWORD", cloud.Password())
	code, out := verify(t, cloud.URL)
	assert.Zero(t, code, out)
	assert.Empty(t, lines(out, "    ! "))
	assert.Len(t, lines(out, "auth.me                                  agrees       200"), 1)
	assert.Len(t, lines(out, "releases.latest                          skipped           the operation accepts only project-key"), 1)

	t.Setenv("MEMFAULT_ORG_TOKEN", cloud.OrganizationToken())
	t.Setenv("MEMFAULT_PROJECT_KEY", cloud.ProjectKey())
	code, out = verify(t, cloud.URL)
	assert.Zero(t, code, out)
	assert.Empty(t, lines(out, " skipped   "), "all credentials of the environment are used")
	assert.Len(t, lines(out, "auth.me                                  agrees       200  with another credential; the first may not call the operation"), 1)
	assert.Len(t, lines(out, "auth-me-organization-token               refuted      the status is 403"), 1)

	t.Setenv("MEMFAULT_ORG_TOKEN", "")
	t.Setenv("MEMFAULT_EMAIL", "")
	code, out = verify(t, cloud.URL)
	assert.Zero(t, code, out)
	assert.Len(t, lines(out, "sdk_settings.get                         agrees       200"), 1)
	assert.NotEmpty(t, lines(out, "devices.list                             skipped"))

	t.Setenv("MEMFAULT_PROJECT_KEY", "wrong")
	code, out = verify(t, cloud.URL)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "Nothing could be compared: check the credential and the slugs.")
}

func TestRun_Usage(t *testing.T) {
	cloud := newCloud(t)
	usage := func(flags ...string) string {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, 2, run(t.Context(), flags, strings.NewReader("no\n"), &stdout, &stderr), flags)
		return stdout.String() + stderr.String()
	}
	assert.Contains(t, usage("-nonsense"), "-nonsense")
	assert.Contains(t, usage("word"), "unexpected argument")
	assert.Contains(t, usage("-write"), "-write requires -project")
	assert.Contains(t, usage("-project", "scratch"), "-project requires -write")
	assert.Contains(t, usage("-rate", "-1"), "-rate must not be negative")
	assert.Contains(t, usage("-url", "ftp://x"), "WithBaseURL")
	assert.Contains(t, usage("-url", cloud.URL, "-write", "-project", "smart-sink"), "not confirmed; nothing was sent")
	t.Setenv("MEMFAULT_PROJECT", "")
	assert.Contains(t, usage(), "MEMFAULT_PROJECT")
	t.Setenv("MEMFAULT_ORG_TOKEN", "")
	t.Setenv("MEMFAULT_PROJECT_KEY", "")
	assert.Contains(t, usage(), "no credential in the environment")
	assert.Zero(t, cloud.RequestCount(""))
	assert.Zero(t, run(t.Context(), []string{"-h"}, nil, &bytes.Buffer{}, &bytes.Buffer{}))
}

func TestRun_Interrupted(t *testing.T) {
	cloud := newCloud(t)
	ctx, cancel := context.WithCancel(t.Context())
	cloud.Fail(memfaulttest.Fault{Operation: "devices.list", Before: func() { cancel() }})
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"-url", cloud.URL, "-rate", "0"}, nil, &stdout, &stderr)
	assert.Equal(t, 1, code)
	assert.Contains(t, stdout.String(), "cohorts.list                             agrees")
	assert.Contains(t, stdout.String(), "The run was interrupted.")
	assert.NotContains(t, stdout.String(), "issues.list")
}

func TestReport_ContainsNoValues(t *testing.T) {
	cloud, values := newCloud(t), map[string]bool{}
	var collect func(value any)
	collect = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for _, member := range value {
				collect(member)
			}
		case []any:
			for _, item := range value {
				collect(item)
			}
		case string:
			values[value] = true
		case json.Number:
			values[value.String()] = true
		}
	}
	url := bend(t, cloud, "", func(r *response) {
		if strings.HasPrefix(r.header.Get("Content-Type"), "application/json") && r.status == 200 {
			r.edit(t, func(envelope map[string]any) any {
				collect(envelope)
				return items(func(item map[string]any) {
					item["id"], item["SINK-0001"], item["beta"], item["by_serial"] = "the-secret", 1, 2, map[string]any{"SINK-0002": 3}
				})(envelope)
			})
		}
	})
	file := filepath.Join(t.TempDir(), "report.json")
	code, out := verify(t, url, "-report", file)
	assert.Equal(t, 1, code)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Greater(t, len(values), 300)
	for value := range values {
		if len(value) > 3 && strings.ContainsAny(value, "0123456789-@ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			assert.NotContains(t, string(written), value)
			assert.NotContains(t, out, value)
		}
	}
	for _, secret := range []string{
		"SINK-0001", "SINK-0002", "the-secret", cloud.OrganizationToken(), cloud.ProjectKey(), cloud.URL, url,
		`"beta`, ".beta", "acme", "smart-sink", "Smart", cloud.Email(),
	} {
		assert.NotContains(t, string(written), secret)
		assert.NotContains(t, out, secret)
	}
	assert.Contains(t, string(written), `"path": "data[].aaaa-0000"`)
	var decoded struct {
		Results []struct {
			Name    string `json:"name"`
			Outcome string `json:"outcome"`
		} `json:"results"`
		Uncertain []struct {
			Name  string `json:"name"`
			State string `json:"state"`
		} `json:"uncertain"`
	}
	require.NoError(t, json.Unmarshal(written, &decoded))
	assert.Greater(t, len(decoded.Results), 50)
	assert.Len(t, decoded.Uncertain, len(uncertain.Marks()))
}

func TestPace_LimitsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, limit := time.Now(), newPace(4)
		for range 9 {
			require.NoError(t, limit.Wait(t.Context()))
		}
		assert.Equal(t, 2*time.Second, time.Since(begin))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, limit.Wait(ctx))
		for range 9 {
			require.NoError(t, newPace(0).Wait(t.Context()))
		}
		assert.Equal(t, 2*time.Second, time.Since(begin))
	})
}
