package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// evaluate runs a script in the page.
func evaluate(t *testing.T, ctx context.Context, script string) { //nolint:revive // t is first in the helpers
	t.Helper()
	require.NoError(t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](script)))
}

// requireReadable fails if the text of a chart is small, stretched or cut, or if labels overlap.
func requireReadable(t *testing.T, ctx context.Context) { //nolint:revive // t is first in the helpers
	t.Helper()
	problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`(() => {
		const problems = [];
		for (const svg of document.querySelectorAll(".chart > svg, .bars > svg")) {
			const texts = [...svg.querySelectorAll(":scope > text")].filter((t) => t.getClientRects().length);
			const boxes = texts.map((t) => t.getBoundingClientRect());
			texts.forEach((t, i) => {
				if (parseFloat(getComputedStyle(t).fontSize) < 12) problems.push("small: " + t.textContent);
				const frame = svg.getBoundingClientRect();
				if (getComputedStyle(svg).overflow !== "visible" && (boxes[i].left < frame.left - 1 || boxes[i].right > frame.right + 1)) problems.push("cut: " + t.textContent);
				const card = svg.closest(".card");
				if (card && boxes[i].right > card.getBoundingClientRect().right + 1) problems.push("outside of the card: " + t.textContent);
				if (Math.abs(t.getScreenCTM().a - 1) > .01) problems.push("scaled: " + t.textContent);
				for (let k = 0; k < i; k++) {
					const [a, b] = [boxes[i], boxes[k]];
					if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3) problems.push("overlap: " + t.textContent + " and " + texts[k].textContent);
				}
			});
		}
		return problems;
	})()`))
	require.NoError(t, err)
	require.Empty(t, problems)
}

// A text that is being typed is not lost.
func TestBrowser_RefreshKeepsInput(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "versions", "40 devices")
	ctx := browse(t, light, d.url)
	requireLive(t, ctx)
	requireFocus(t, ctx, "#filter-cohort")
	evaluate(t, ctx, `document.getElementById("filter-cohort").value = "beta"`)
	cloud.AddIssues(memfaulttest.Issue{Title: "Assert at new_code"})
	require.NoError(t, cloud.SendWebhook(t.Context(), d.url+"/webhook", secret, memfault.WebhookEvent{Type: memfault.WebhookTypeIssueCreated}))
	requireTrue(t, ctx, contains("issues", "Assert at new_code"))
	requireTrue(t, ctx, `document.getElementById("filter-cohort").value === "beta" && document.activeElement.id === "filter-cohort"`)
	// The filter stays in the address, and in what is loaded later.
	evaluate(t, ctx, `document.querySelector(".filters button").click()`)
	requireTrue(t, ctx, `new URLSearchParams(location.search).get("cohort") === "beta"`)
	requireTrue(t, ctx, contains("summary", "10 devices"))
	require.NoError(t, cloud.SendWebhook(t.Context(), d.url+"/webhook", secret, memfault.WebhookEvent{Type: memfault.WebhookTypeIssueCreated}))
	requireTrue(t, ctx, contains("summary", "10 devices"))
}

// An outage is one banner at the top, which goes when the outage ends.
func TestBrowser_OutageIsOneBanner(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	c := newConfig(t)
	c.interval, c.listAll = time.Second, time.Second
	d := start(t, c, sourceOf(cloud), nil)
	d.requireSoon(t, "reboots", "38 reboots in 30 days")
	ctx := browse(t, light, d.url)
	requireLive(t, ctx)
	const sentences = `document.body.textContent.split("Memfault cannot be reached").length - 1`
	cloud.Fail(memfaulttest.Fault{Drop: true})
	requireTrue(t, ctx, `["devices", "issues", "traces", "deployments"].every((p) => document.getElementById("trouble").textContent.includes(p)) && `+sentences+` === 1`)
	requireTrue(t, ctx, `[...document.querySelectorAll("#issues .age .stale")].length === 2`)
	screenshot(t, ctx, "outage")
	cloud.Heal()
	requireTrue(t, ctx, sentences+` === 0 && !document.querySelector(".stale")`)
}

// Texts from devices can be long or odd. They push nothing off the screen.
func TestBrowser_LongTextsFit(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	cloud.AddDevices(memfaulttest.Device{
		Serial: "ODD", Nickname: strings.Repeat("Kitchen", 40), SoftwareVersion: "1.0.0\u202egpj", LastSeen: time.Now().AddDate(0, -2, 0),
	}, memfaulttest.Device{Serial: strings.Repeat("S", 120), Nickname: "a\x1bb", SoftwareVersion: "1.0.0", LastSeen: time.Now().AddDate(0, -2, 0)})
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "reboots", "38 reboots in 30 days")
	for _, as := range []look{light, {name: "narrow", width: 320, height: 640}} {
		ctx := newBrowser(t, as)
		for _, path := range []string{"/", "/devices", "/devices/ODD", "/devices?q=nothing", "/none"} {
			require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(d.url+path)))
			requireTrue(t, ctx, `document.readyState === "complete"`)
			requireFits(t, ctx)
			small, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll("a, button, summary, input, select")].filter((e) => e.getClientRects().length && !e.matches(".skip, p a, .hidden"))
				.filter((e) => e.getBoundingClientRect().height < 23.9 || e.getBoundingClientRect().width < 23.9).map((e) => e.outerHTML)`))
			require.NoError(t, err)
			require.Empty(t, small, "%s %s: targets below 24 px", as.name, path)
			if path == "/devices" {
				// The last column is on the screen.
				requireTrue(t, ctx, `[...document.querySelectorAll("tbody td:last-child a")].every((a) => a.getBoundingClientRect().right <= innerWidth)`)
				requireTrue(t, ctx, `document.body.textContent.includes("a\u241bb") && !document.body.textContent.includes("\u202e")`)
				screenshot(t, ctx, "long-"+as.name)
			}
		}
	}
}

// Absolute times appear on demand, for keyboard and touch.
func TestBrowser_AbsoluteTimes(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "unseen", "TAP-D8")
	ctx := browse(t, light, d.url)
	requireTrue(t, ctx, `document.querySelector("#unseen time").textContent.endsWith("ago")`)
	requireFocus(t, ctx, "#times")
	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent(" ")))
	requireTrue(t, ctx, `document.querySelector("#unseen time").textContent.includes(":") && document.getElementById("times").ariaPressed === "true"`)
}

// The page of a device is kept up to date, too.
func TestBrowser_DeviceIsUpdated(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	c := newConfig(t)
	c.pollEvery = 100 * time.Millisecond
	d := start(t, c, sourceOf(cloud), nil)
	d.requireSoon(t, "versions", "40 devices")
	ctx := browse(t, light, d.url+"/devices/TAP-A0")
	requireTrue(t, ctx, contains("reboots", "Assert"))
	evaluate(t, ctx, `window.marker = 1`)
	cloud.AddReboots("TAP-A0", memfaulttest.Reboot{Reason: memfault.RebootReasonHardFault, Time: time.Now()})
	requireTrue(t, ctx, contains("reboots", memfault.RebootReasonHardFault.String())+" && window.marker === 1")
}

// A project without devices says what to do next.
func TestBrowser_EmptyProject(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "versions", "No devices.")
	ctx := browse(t, light, d.url)
	requireTrue(t, ctx, contains("empty", "What to do next"))
	requireTrue(t, ctx, `document.querySelectorAll(".card").length === 2`)
	requireAccessible(t, ctx)
	screenshot(t, ctx, "empty")
}

// What was never read is not called none.
func TestDashboard_NothingReadIsNotNone(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	cloud.Fail(memfaulttest.Fault{Operation: "device_reboots.list", Status: http.StatusForbidden})
	cloud.Fail(memfaulttest.Fault{Operation: "traces.list", Status: http.StatusInternalServerError})
	cloud.Fail(memfaulttest.Fault{Operation: "deployments.list", Status: http.StatusNotFound})
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "reboots", "No reboots were read yet.")
	d.requireSoon(t, "issues", `data-label="traces in 24 h">not known`)
	for section, never := range map[string]string{"reboots": "No reboots in", "rollouts": "No deployment is active", "verdict": "No rollout is active", "deployments": "Nothing was deployed"} {
		_, page := d.get(t, "/sections/"+section)
		assert.NotContains(t, page, never)
	}
	_, page := d.get(t, "/sections/summary")
	assert.Contains(t, page, "<b>?</b> active rollouts")
}

func TestDashboard_LogFile(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AddDevices(memfaulttest.Device{Serial: "A/B", LastSeen: time.Now(), LogFiles: []memfaulttest.LogFile{{ID: "0b0f8f6e-0000-4000-8000-000000000001", Content: []byte("flow 2.0\n")}}})
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	const path = "/devices/A%2FB/logs/0b0f8f6e-0000-4000-8000-000000000001"
	_, page := d.get(t, "/devices/A%2FB")
	assert.Contains(t, page, fmt.Sprintf(`href="%s"`, path))
	status, content := d.get(t, path)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "flow 2.0\n", content)
	status, content = d.get(t, path[:len(path)-1]+"9")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Contains(t, content, "Memfault has no such log file.")
	cloud.Fail(memfaulttest.Fault{Operation: "device_log_files.download", Status: http.StatusForbidden})
	status, _ = d.get(t, path)
	assert.Equal(t, http.StatusBadGateway, status)
}
