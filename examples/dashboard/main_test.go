package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestDashboard_ShowsNumbers(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "reboots", "38 reboots in 30 days")
	status, page := d.get(t, "/")
	require.Equal(t, http.StatusOK, status)
	for _, text := range []string{
		"<b>40</b> devices", "<b>38</b> seen in 24 h", "<b>2</b> not seen for 7 days", "<b>1</b> active rollout", "<b>1</b> open issue",
		`<a href="/devices?cohort=default&amp;version=1.0.0">30</a>`, `<a href="/devices?cohort=beta&amp;version=1.1.0">4</a>`,
		`<td role="cell" class="n" data-label="offered to">50 %</td>`, ">4 of 10</a> (40.0 %)", "Assert at pump_start",
		`<td role="cell" class="n" data-label="all traces">3</td><td role="cell" class="n" data-label="devices">3 (7.5 %)</td>`,
		"staged, 50 %", "TAP-D8", "https://app.memfault.com/organizations/acme/projects/smart-sink/devices/TAP-D8",
		"costs 45 requests: 1 for devices, 38 for reboots", "read <time",
	} {
		assert.Contains(t, page, text)
	}
	assert.NotContains(t, page, "Could not read")
}

// The section of a failed part shows what is wrong and what to do. The others show their numbers.
func TestDashboard_ShowsTheRestAfterFailure(t *testing.T) {
	for operation, section := range map[string]string{
		"issues.list": "issues", "deployments.list": "deployments", "device_reboots.list": "reboots", "devices.list": "versions",
	} {
		t.Run(operation, func(t *testing.T) {
			cloud := memfaulttest.NewServer(t)
			addFleet(cloud)
			cloud.Fail(memfaulttest.Fault{Operation: operation, Status: http.StatusForbidden})
			d := start(t, newConfig(t), sourceOf(cloud), nil)
			d.requireSoon(t, section, "The credential does not permit to read this.")
			for other, text := range map[string]string{
				"issues": "Assert at pump_start", "deployments": "staged, 50 %", "versions": "40 devices.",
			} {
				if other != section {
					d.requireSoon(t, other, text)
				}
			}
		})
	}
}

func TestDashboard_WrongProject(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	project := memfault.ProjectRef{Organization: cloud.Project().Organization, Project: "no-such-sink"}
	from := fakeSource(cloud, project, memfault.OrganizationToken(cloud.OrganizationToken()))
	d := start(t, newConfig(t), from, nil)
	require.Eventually(t, func() bool {
		_, page := d.get(t, "/")
		return strings.Contains(page, `role="alert"`) && strings.Contains(page, "no-such-sink&#34;") && strings.Contains(page, "projects.retrieve")
	}, time.Minute, 20*time.Millisecond)
}

func TestDashboard_WrongCredential(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	from := fakeSource(cloud, cloud.Project(), memfault.OrganizationToken("oat_s3cret"))
	d := start(t, newConfig(t), from, nil)
	d.requireSoon(t, "trouble", "Memfault does not accept the credential.")
	_, page := d.get(t, "/")
	assert.NotContains(t, page, "s3cret")
}

// After a restart, the page shows the stored data with its age, even if the cloud is away.
func TestDashboard_StartsWarmWhileCloudIsAway(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	c := newConfig(t)
	d := start(t, c, sourceOf(cloud), nil)
	d.requireSoon(t, "reboots", "38 reboots in 30 days")
	d.requireSoon(t, "issues", "Assert at pump_start")
	require.NoError(t, d.stop())

	cloud.Fail(memfaulttest.Fault{Drop: true})
	d = start(t, c, sourceOf(cloud), nil)
	d.requireSoon(t, "trouble", "Memfault cannot be reached at the moment.")
	for section, text := range map[string]string{
		"versions": "40 devices.", "issues": "Assert at pump_start", "reboots": "38 reboots", "rollouts": "(40.0 %)", "unseen": "TAP-D8",
	} {
		d.requireSoon(t, section, text)
	}
	_, page := d.get(t, "/devices/TAP-A0")
	assert.Contains(t, page, "From the last list of devices:")
	assert.Contains(t, page, "Memfault cannot be reached at the moment.")
}

func TestDashboard_CloudAwayFromTheStart(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	cloud.Fail(memfaulttest.Fault{Drop: true})
	c := newConfig(t)
	c.interval = time.Second
	d := start(t, c, sourceOf(cloud), nil)
	d.requireSoon(t, "trouble", "Memfault cannot be reached at the moment.")
	_, page := d.get(t, "/sections/versions")
	assert.Contains(t, page, "not read yet")
	cloud.Heal()
	d.requireSoon(t, "versions", "40 devices.")
}

func TestDashboard_OneDevice(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	cloud.Fail(memfaulttest.Fault{Operation: "installs.list", Status: http.StatusForbidden})
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	status, page := d.get(t, "/devices/TAP-A0")
	assert.Equal(t, http.StatusOK, status)
	for _, text := range []string{"<dt><bdi>region</bdi></dt><dd><bdi>eu</bdi></dd>", "Assert", "1.1.0", "The credential does not permit to read this. (memfault: installs.list"} {
		assert.Contains(t, page, text)
	}
	status, page = d.get(t, "/devices/no%2Fsuch")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Contains(t, page, "No device of the project has the serial “no/such”.")
	assert.NotContains(t, page, "slugs")
}

func TestDashboard_Search(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	cloud.AddDevices(memfaulttest.Device{Serial: "100%_<b>", Nickname: "odd", LastSeen: time.Now()})
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "versions", "41 devices.")
	for query, want := range map[string]string{
		"q=tap-b": "1 to 10 of 10", "q=%25": "1 to 1 of 1", "q=odd": "100%_&lt;b&gt;", "q=%27%3B--": "No device matches",
		"version=1.1.0": "1 to 4 of 4", "version=": "1 to 1 of 1", "cohort=beta&version=1.0.0": "1 to 6 of 6", "unseen": "1 to 2 of 2",
		"hardware=evt-1": "1 to 41 of 41",
	} {
		status, page := d.get(t, "/devices?"+query)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, page, want, query)
	}
	status, page := d.get(t, "/devices?page=99999")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Contains(t, page, "The list has no page 99999; the last one is page 1.")
	for _, page := range []string{"0", "x", "-1", "99999999999999999999"} {
		status, _ := d.get(t, "/devices?page="+page)
		assert.Equal(t, http.StatusBadRequest, status, page)
	}
}

func TestDashboard_WebhookWithWrongSignature(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "issues", "No issues.")
	event := memfault.WebhookEvent{Type: memfault.WebhookTypeIssueCreated}
	requests := cloud.RequestCount("")
	require.Error(t, cloud.SendWebhook(t.Context(), d.url+"/webhook", "another secret", event))
	_, page := d.get(t, "/sections/sources")
	assert.Contains(t, page, "1 webhook was rejected")
	assert.Contains(t, page, "401: wrong signature")
	assert.Equal(t, requests, cloud.RequestCount(""), "a wrong webhook must not cause requests")

	cloud.AddIssues(memfaulttest.Issue{Title: "new one"})
	require.NoError(t, cloud.SendWebhook(t.Context(), d.url+"/webhook", secret, event))
	d.requireSoon(t, "issues", "new one")
}

func TestDashboard_ForeignFormsAreRejected(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/refresh", nil)
	require.NoError(t, err)
	req.Header.Set("Origin", "https://elsewhere.example")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
}

// A device reports its version as text, so the text can contain anything.
func TestDashboard_EscapesTextOfDevices(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	const text = `<script>alert(1)</script>`
	cloud.AddDevices(memfaulttest.Device{Serial: "A", Nickname: text, SoftwareVersion: text, LastSeen: time.Now().AddDate(-1, 0, 0)})
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "versions", "1 device.")
	for _, path := range []string{"/", "/devices", "/devices/A"} {
		_, page := d.get(t, path)
		assert.NotContains(t, page, "<script>alert", path)
		assert.Contains(t, page, "&lt;script&gt;alert", path)
	}
}

func TestDashboard_UnknownPages(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	for _, path := range []string{"/sections/none", "/none", "/static/", "/static", "/static/none.js"} {
		status, page := d.get(t, path)
		assert.Equal(t, http.StatusNotFound, status, path)
		assert.NotContains(t, page, "live.js\">", path)
	}
	_, page := d.get(t, "/none")
	assert.Contains(t, page, "The dashboard has no such page.")
}

func TestParse_InvalidInput(t *testing.T) {
	for args, want := range map[string]string{
		"-interval 0s": "at least 1s", "-unseen -1h": "at least 1s", "-list-all 1ms": "at least 1s", "-rate 0": "-rate must be", "-rate NaN": "-rate must be",
		"-devices -1": "-devices must be", "extra": `unexpected argument "extra"`, "-interval x": "invalid value",
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		assert.ErrorContains(t, err, want, args)
	}
}

func TestRun_WithoutCredential(t *testing.T) {
	for _, name := range []string{"MEMFAULT_ORG_TOKEN", "MEMFAULT_EMAIL", "MEMFAULT_PROJECT_KEY", "MEMFAULT_ORG", "MEMFAULT_PROJECT"} {
		t.Setenv(name, "")
	}
	err := run(t.Context(), config{addr: "127.0.0.1:0"}, io.Discard)
	require.ErrorContains(t, err, "-fake shows a fake fleet")
}

func TestRun_StoreOfAnotherProject(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c, from := newConfig(t), sourceOf(cloud)
	require.NoError(t, start(t, c, from, nil).stop())
	from = fakeSource(cloud, memfault.ProjectRef{Organization: "acme", Project: "other"}, memfault.OrganizationToken(cloud.OrganizationToken()))
	err := serve(t.Context(), c, []source{from}, nil, io.Discard)
	require.ErrorContains(t, err, "belongs to project acme/smart-sink, not to acme/other")
}
