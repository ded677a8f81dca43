package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/dashboard/internal/reader"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// The story of the demo, and how its readers see it: first only the good version is deployed, then the bad
// one, which the verdict catches. It is replayed once, because that takes long with the race detector.
func TestDemo(t *testing.T) {
	if raceEnabled {
		t.Skip("two days of a fleet take a minute with the race detector")
	}
	present := time.Now().Add(-fakeDay)
	f, err := newFake(t.Context(), 200, present.Add(-fakeStory))
	require.NoError(t, err)
	t.Cleanup(f.cloud.Close)
	c := newConfig(t)
	c.fake, c.now = true, func() time.Time { return f.now }

	require.NoError(t, f.replay(t.Context(), c.store, f.start.Add(6*fakeDay-time.Hour)))
	t.Run("good version", func(t *testing.T) { testGoodVersion(t, f, c) })

	require.NoError(t, f.replay(t.Context(), c.store, present))
	t.Run("bad version", func(t *testing.T) { testBadVersion(t, f, c) })

	t.Run("a day later", func(t *testing.T) { testDay(t, f, c) })

	f.cloud.SetClock(time.Now)
	c.now = nil
	f.cloud.AddDevices(memfaulttest.Device{Serial: "A<B", SoftwareVersion: "3.0.0-rc.1.a-very-long-name-of-a-branch+20261129.deadbeef", LastSeen: time.Now()})
	d := start(t, c, f.source(), nil)
	d.requireSoon(t, "summary", "201</b> devices")
	d.requireSoon(t, "rollouts", "2.2.0")
	d.requireSoon(t, "issues", "SoftwareWatchdog")
	t.Run("charts have tables", func(t *testing.T) { testTables(t, d) })
	for _, as := range looks {
		t.Run(as.name, func(t *testing.T) { testLook(t, f, d, as) })
	}
	for _, as := range []look{light, phone} {
		t.Run("refresh moves nothing, "+as.name, func(t *testing.T) { testRefresh(t, f, d, as) })
	}
	require.NoError(t, d.stop())
	t.Run("live", func(t *testing.T) {
		c.secrets = []string{fakeSecret}
		d := start(t, c, f.source(), f)
		d.requireSoon(t, "issues", fakeSurprise) // a webhook of the running fake
	})
	require.Empty(t, f.cloud.Violations())
}

func testGoodVersion(t *testing.T, f *fake, c config) {
	d := start(t, c, f.source(), nil)
	d.requireSoon(t, "verdict", "2.1.0 restarts unexpectedly")
	_, page := d.get(t, "/sections/rollouts")
	assert.Contains(t, page, ">2.1.0</bdi>")
	assert.NotContains(t, page, `light red`)
	assert.NotContains(t, page, `class="ended"`)
	_, page = d.get(t, "/sections/verdict")
	assert.Contains(t, page, `<div class="verdict green">`)
	ctx := browse(t, light, d.url)
	requireTrue(t, ctx, contains("verdict", "2.1.0 restarts unexpectedly"))
	requireReadable(t, ctx)
	screenshot(t, ctx, "green")
}

func testBadVersion(t *testing.T, f *fake, c config) {
	d := start(t, c, f.source(), nil)
	d.requireSoon(t, "verdict", "2.2.0 restarts unexpectedly")
	_, page := d.get(t, "/sections/verdict")
	assert.Contains(t, page, `<div class="verdict red">`)
	assert.Contains(t, page, "still run 2.2.0, which was pulled")
	_, page = d.get(t, "/sections/rollouts")
	assert.Contains(t, page, `<tr role="row" data-key=`)
	assert.Contains(t, page, `class="ended"`)
	_, page = d.get(t, "/sections/summary")
	assert.Contains(t, page, "<b>200</b> devices")
	silent := 0
	for _, d := range f.devices {
		if d.silent {
			silent++
		}
	}
	assert.Contains(t, page, fmt.Sprintf("<b>%d</b> seen in 24 h", 200-silent))
	assert.Contains(t, page, "<b>3</b> active rollouts")
}

// testDay lets the demo run for a day. What it shows stays plausible.
func testDay(t *testing.T, f *fake, c config) {
	stored, err := store.Open(t.Context(), c.store, f.cloud.Project())
	require.NoError(t, err)
	defer stored.Close()
	r, err := reader.New(t.Context(), reader.Options{Client: f.client, Project: f.cloud.Project(), Store: stored, ListAllEvery: 2 * fakeDay, Now: c.now})
	require.NoError(t, err)
	for minute := 1; minute <= 24*60; minute++ {
		f.now = f.now.Add(time.Minute)
		require.NoError(t, f.tick(t.Context(), time.Minute))
		switch {
		case minute%60 == 20:
			require.True(t, f.away, "Memfault is away for two minutes")
		case minute%360 == 0:
			require.Empty(t, r.Read(t.Context()))
		case minute%60 == 0:
			require.Empty(t, r.Read(t.Context(), reader.Devices, reader.Issues, reader.Traces))
		}
	}

	// No bar outgrows the others, and none is missing.
	counts, err := stored.RebootCounts(t.Context(), store.Filter{}, f.now.AddDate(0, 0, -29))
	require.NoError(t, err)
	today := f.now.UTC().Truncate(fakeDay)
	days := map[time.Time]int{}
	for _, reboots := range counts {
		days[reboots.Day] += reboots.Reboots
	}
	var usual []int
	for day := today.AddDate(0, 0, -28); day.Before(today); day = day.AddDate(0, 0, 1) {
		usual = append(usual, days[day])
	}
	slices.Sort(usual)
	middle := usual[len(usual)/2]
	assert.InDelta(t, 200*0.17, middle, 200*0.05)
	assert.Less(t, usual[len(usual)-1], 2*middle, "%v", usual)
	assert.Greater(t, usual[0], middle/3, "%v", usual)
	assert.Less(t, days[today], 2*middle, "%v", usual)

	// The bad version stays bad, and the good one good.
	rates, err := stored.Rates(t.Context(), store.Filter{}, f.now.AddDate(0, 0, -14))
	require.NoError(t, err)
	for _, rate := range rates {
		perDay := float64(rate.Errors) / rate.DeviceDays
		switch rate.Version {
		case fakeGood:
			assert.InDelta(t, 0.012, perDay, 0.006)
		case fakeBad:
			assert.InDelta(t, 0.07, perDay, 0.025)
		}
	}

	traces, err := stored.TraceCounts(t.Context(), store.Filter{}, f.now.Add(-fakeDay))
	require.NoError(t, err)
	recent := 0
	titles := map[int64]bool{}
	for _, count := range traces {
		recent += count.Recent
		titles[count.Issue] = true
	}
	assert.InDelta(t, 4, recent, 4, "traces in a day")
	assert.LessOrEqual(t, len(titles), 9, "issues")

	require.NoError(t, stored.Close())
	d := start(t, c, f.source(), nil)
	d.requireSoon(t, "verdict", "2.2.0 restarts unexpectedly")
	_, page := d.get(t, "/sections/verdict")
	assert.Contains(t, page, `<div class="verdict red">`)
	assert.Contains(t, page, "surely more often")
	_, page = d.get(t, "/sections/summary")
	assert.Contains(t, page, "<b>200</b> devices")
	assert.Contains(t, page, "<b>3</b> active rollouts")
}

// testLook requires that the pages can be read in a window.
func testLook(t *testing.T, f *fake, d *dashboard, as look) {
	ctx := browse(t, as, d.url)
	requireTrue(t, ctx, contains("summary", "201 devices"))
	requireTrue(t, ctx, contains("verdict", "2.2.0 restarts unexpectedly"))
	requireLive(t, ctx)
	requireTrue(t, ctx, `document.querySelectorAll("svg.plot").length === 4`)
	if as.print {
		evaluate(t, ctx, `dispatchEvent(new Event("beforeprint"))`)
	}
	requireFits(t, ctx)
	requireReadable(t, ctx)
	screenshot(t, ctx, "fleet-"+as.name)
	if as != light && as != dark && as != phone {
		return // the style sheet is the same
	}
	requireAccessible(t, ctx)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(d.url+"/devices?unseen")))
	requireFits(t, ctx)
	if as == light {
		requireAccessible(t, ctx)
	}
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(d.url+"/devices/"+f.devices[0].serial)))
	requireTrue(t, ctx, contains("attributes", "region"))
	requireFits(t, ctx)
	if as == light {
		requireAccessible(t, ctx)
	}
	screenshot(t, ctx, "device-"+as.name)
}

// requirePainted waits for two frames. Then what was changed before is on the screen.
func requirePainted(t *testing.T, ctx context.Context) { //nolint:revive // t is first in the helpers
	t.Helper()
	evaluate(t, ctx, `window.painted = false; requestAnimationFrame(() => requestAnimationFrame(() => { window.painted = true; }))`)
	requireTrue(t, ctx, `window.painted`)
}

// testRefresh requires that a refresh moves nothing: no layout shift, and the focus, the selection
// and the scroll positions stay, of any element.
func testRefresh(t *testing.T, f *fake, d *dashboard, as look) {
	ctx := browse(t, as, d.url)
	requireLive(t, ctx)
	requireTrue(t, ctx, contains("verdict", "2.2.0 restarts"))
	requireFocus(t, ctx, "#reboots summary")
	evaluate(t, ctx, `document.querySelector("#reboots summary").click(); document.querySelector("#versions-title").scrollIntoView()`)
	evaluate(t, ctx, `document.querySelectorAll(".scroll").forEach((s) => { s.scrollLeft = 40; })`)
	for _, selector := range []string{"#issues tbody a", "#versions td a", "#reboots summary", "#sources button", "#issues .scroll"} {
		requireFocus(t, ctx, selector)
		requirePainted(t, ctx) // on a busy machine, the page may not be on the screen yet
		evaluate(t, ctx, `
			window.focused = document.activeElement;
			getSelection().selectAllChildren(document.querySelector("#verdict-title"));
			window.shift = []; window.loaded = 0;
			window.note = (e) => window.shift.push(e.value, ...e.sources.map((s) => (s.node?.outerHTML ?? s.node?.data ?? "gone").slice(0, 150) + " from " + JSON.stringify(s.previousRect) + " to " + JSON.stringify(s.currentRect)));
			window.before = JSON.stringify([scrollY, ...[...document.querySelectorAll(".scroll")].map((s) => s.scrollLeft)]);
			window.observer?.disconnect();
			window.observer = new PerformanceObserver((list) => list.getEntries().forEach(note));
			observer.observe({ type: "layout-shift" });
			window.fetched ??= window.fetch;
			window.fetch = (...args) => fetched(...args).finally(() => { window.loaded++; });`)
		// The numbers change, but not what there is.
		f.cloud.Report(f.devices[0].serial, f.devices[0].version)
		f.cloud.AddReboots(f.devices[0].serial, memfaulttest.Reboot{Reason: memfault.RebootReasonLowPower, Time: time.Now()})
		require.NoError(t, f.cloud.SendWebhook(t.Context(), d.url+"/webhook", secret, memfault.WebhookEvent{Type: memfault.WebhookTypeIssueCreated}))
		requireTrue(t, ctx, `window.loaded >= 8`)
		requirePainted(t, ctx)
		evaluate(t, ctx, `observer.takeRecords().forEach(note)`)
		state, err := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify({
			shift: window.shift, focus: document.activeElement === window.focused, selection: getSelection().toString(), open: document.querySelector("#reboots details").open,
			scroll: window.before === JSON.stringify([scrollY, ...[...document.querySelectorAll(".scroll")].map((s) => s.scrollLeft)])})`))
		require.NoError(t, err)
		require.JSONEq(t, `{"shift":[],"focus":true,"selection":"Verdict","open":true,"scroll":true}`, state, "%s, %s", as.name, selector)
	}
}

// testTables requires that every chart has its numbers in a table, or in its texts.
func testTables(t *testing.T, d *dashboard) {
	for _, section := range []string{"rollouts", "adoption", "active", "reboots"} {
		d.requireSoon(t, section, `class="plot"`)
		_, page := d.get(t, "/sections/"+section)
		assert.Equal(t, 1, strings.Count(page, `class="plot"`), section)
		_, table, found := strings.Cut(page, "<details>")
		require.True(t, found, section)
		assert.Greater(t, strings.Count(table, "<tr>"), 8, section)
	}
	_, page := d.get(t, "/sections/reboots")
	today := regexp.MustCompile(`today, so far</th><td class="n">\d+</td><td class="n">(\d+)</td>`).FindStringSubmatch(page)
	require.NotEmpty(t, today)
	// A day that has just begun has no reboots yet, and no column.
	assert.Equal(t, today[1] != "0", strings.Contains(page, `class="fine partial"`), "today is not over")
	_, page = d.get(t, "/sections/reboots?per=100&cohort=beta")
	assert.Contains(t, page, "For 100 devices that were seen.")
	assert.Contains(t, page, `href="/?cohort=beta#reboots"`)
}

// Reboots follow the time that passes, however it is cut into steps.
func TestFake_RatesDoNotDependOnSteps(t *testing.T) {
	f, err := newFake(t.Context(), 1, time.Now())
	require.NoError(t, err)
	t.Cleanup(f.cloud.Close)
	d := &fakeDevice{version: fakeGood}
	const days = 20_000
	for _, step := range []time.Duration{fakeReport, fakeStep, fakeDay} {
		n := 0
		for range int(days * fakeDay / step) {
			n += len(f.reboots(d, time.Now(), step))
		}
		assert.InDelta(t, 0.162*days, n, 0.02*days, step)
	}
}
