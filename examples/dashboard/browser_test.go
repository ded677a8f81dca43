package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// The tests of this file need Chromium. CI installs it and sets DASHBOARD_BROWSER=required.
// DASHBOARD_AXE is the path of axe.min.js, the accessibility checker of the npm package
// axe-core. If DASHBOARD_SCREENSHOTS is set, the tests store pictures of the pages in it.

// look is how a page is shown.
type look struct {
	name          string
	width, height int64
	dark          bool
	scale         float64 // 2 with a width of 640 is a window of 1280 pixels at 200 %
	print         bool
}

var (
	light = look{name: "light", width: 1280, height: 900}
	dark  = look{name: "dark", width: 1280, height: 900, dark: true}
	phone = look{name: "phone", width: 390, height: 844}
	looks = []look{
		light, dark, phone,
		{name: "narrow", width: 320, height: 640},
		{name: "tablet", width: 768, height: 1024},
		{name: "zoomed", width: 640, height: 450, scale: 2},
		{name: "print", width: 794, height: 1123, dark: true, print: true},
	}
)

// browser is the Chromium of all tests, from the first that needs it.
var browser struct {
	start sync.Once
	ctx   context.Context // nil if Chromium is not installed
	stop  func()
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.stop != nil {
		browser.stop()
	}
	os.Exit(code)
}

func startBrowser() {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))...)
	ctx, _ := chromedp.NewContext(allocator)
	browser.ctx, browser.err = ctx, chromedp.Do(ctx)
	browser.stop = func() {
		_ = chromedp.Cancel(ctx) // waits until the process has ended
		stop()
	}
}

// requireLive waits until a page receives events.
func requireLive(t *testing.T, ctx context.Context) { //nolint:revive // t is first in the helpers
	t.Helper()
	requireTrue(t, ctx, `document.getElementById("live").dataset.state === "live"`)
}

// browse opens a page in a new browser.
func browse(t *testing.T, as look, url string) context.Context {
	t.Helper()
	ctx := newBrowser(t, as)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(url)))
	return ctx
}

// newBrowser returns a context of a new tab, which shares nothing with other tabs. The test fails if a
// page logs an error.
func newBrowser(t *testing.T, as look) context.Context {
	t.Helper()
	browser.start.Do(startBrowser)
	require.NoError(t, browser.err)
	if browser.ctx == nil {
		if os.Getenv("DASHBOARD_BROWSER") == "required" {
			t.Fatal("Chromium is not installed")
		}
		t.Skip("Chromium is not installed")
	}
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	scheme := "light"
	if as.dark {
		scheme = "dark"
	}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("the page threw: %v", thrown.ExceptionDetails)
		}
	}))
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(as.width, as.height, chromedp.EmulateScale(max(1, as.scale)))))
	media := ""
	if as.print {
		media = "print"
	}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media:    media,
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	require.NoError(t, err)
	return ctx
}

// requireTrue waits until a JavaScript expression is true.
func requireTrue(t *testing.T, ctx context.Context, expression string) { //nolint:revive // t is first in the helpers
	t.Helper()
	require.Eventually(t, func() bool {
		// The evaluation fails while the page navigates.
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		return err == nil && ok
	}, time.Minute, 50*time.Millisecond, "never true: %s", expression)
}

// requireFocus focuses an element in the page. chromedp.Focus looks the node up first and focuses
// it in a second step, which fails when a live update replaces the node in between.
func requireFocus(t *testing.T, ctx context.Context, selector string) { //nolint:revive // t is first in the helpers
	t.Helper()
	quoted := strconv.Quote(selector)
	requireTrue(t, ctx, `document.readyState === "complete" && (document.querySelector(`+quoted+`)?.focus(), document.activeElement?.matches(`+quoted+`) ?? false)`)
}

func contains(id, text string) string {
	return `(document.getElementById("` + id + `")?.textContent ?? "").includes("` + text + `")`
}

// screenshot stores a picture of the whole page.
func screenshot(t *testing.T, ctx context.Context, name string) { //nolint:revive // t is first in the helpers
	t.Helper()
	dir := os.Getenv("DASHBOARD_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
}

// requireAccessible runs axe-core. It checks contrast, labels, names and the order of headings.
func requireAccessible(t *testing.T, ctx context.Context) { //nolint:revive // t is first in the helpers
	t.Helper()
	path := os.Getenv("DASHBOARD_AXE")
	if path == "" {
		if os.Getenv("DASHBOARD_BROWSER") == "required" {
			t.Fatal("DASHBOARD_AXE is not set")
		}
		return
	}
	script, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](string(script)+";undefined")))
	problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](
		`axe.run().then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html + " " + n.failureSummary)))`, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	require.Empty(t, problems)
}

// requireFits fails if the page is wider than the window.
func requireFits(t *testing.T, ctx context.Context) { //nolint:revive // t is first in the helpers
	t.Helper()
	wide, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
		.filter((e) => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll")).map((e) => e.outerHTML.slice(0, 200))`))
	require.NoError(t, err)
	require.Empty(t, wide, "wider than the window")
}

// A crash in the cloud appears on the open page by webhook and event, without a reload.
func TestBrowser_WebhookWithoutReload(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "reboots", "38 reboots in 30 days")
	cloud.SubscribeWebhook(d.url+"/webhook", secret)
	ctx := browse(t, light, d.url)
	requireLive(t, ctx)
	requireTrue(t, ctx, contains("issues", "Assert at pump_start"))
	require.NoError(t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](`window.marker = "not reloaded"; document.querySelector("#reboots summary").click()`)))

	gateway := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
	require.NoError(t, gateway.Uploads.ImportTrace(t.Context(), memfault.TraceImport{
		DeviceIdentity: memfault.DeviceIdentity{DeviceSerial: "NEW-1", HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "1.1.0"},
		Reason:         "Assert at new_code", CapturedDate: memfault.NewTimestamp(time.Now()),
	}))
	requireTrue(t, ctx, contains("issues", "Assert at new_code"))
	requireTrue(t, ctx, contains("summary", "41 devices"))
	requireTrue(t, ctx, contains("sources", "issue.created"))
	requireTrue(t, ctx, `window.marker === "not reloaded" && document.querySelector("#reboots details").open`)
}

func TestBrowser_FailingPart(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	cloud.Fail(memfaulttest.Fault{Operation: "issues.list", Status: http.StatusForbidden})
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "reboots", "38 reboots in 30 days")
	for _, as := range []look{light, dark} {
		ctx := browse(t, as, d.url)
		requireTrue(t, ctx, contains("issues", "The credential does not permit to read this."))
		requireTrue(t, ctx, `document.getElementById("issues").classList.contains("failed") && !document.getElementById("versions").classList.contains("failed")`)
		requireTrue(t, ctx, contains("versions", "40 devices"))
		requireAccessible(t, ctx)
		screenshot(t, ctx, "failing-"+as.name)
	}
}

// If the page receives no events, for example because a proxy cuts the stream, it polls.
func TestBrowser_PollsWithoutEvents(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	c := newConfig(t)
	c.pollEvery = 200 * time.Millisecond
	d := start(t, c, sourceOf(cloud), nil)
	behind, err := url.Parse(d.url)
	require.NoError(t, err)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			http.Error(w, "no streams", http.StatusBadGateway)
			return
		}
		httputil.NewSingleHostReverseProxy(behind).ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	ctx := browse(t, light, proxy.URL)
	requireTrue(t, ctx, `document.getElementById("live").dataset.state === "polling"`)
	cloud.AddIssues(memfaulttest.Issue{Title: "Assert at new_code"})
	require.NoError(t, cloud.SendWebhook(t.Context(), d.url+"/webhook", secret, memfault.WebhookEvent{Type: memfault.WebhookTypeIssueCreated}))
	requireTrue(t, ctx, contains("issues", "Assert at new_code"))
}

// The search and the links work with the keyboard alone.
func TestBrowser_SearchByKeyboard(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	addFleet(cloud)
	d := start(t, newConfig(t), sourceOf(cloud), nil)
	d.requireSoon(t, "versions", "40 devices")
	ctx := browse(t, light, d.url)
	requireFocus(t, ctx, "#q")
	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent("tap-c3\r")))
	requireTrue(t, ctx, `location.pathname === "/devices" && document.body.textContent.includes("1 to 1 of 1")`)
	requireFocus(t, ctx, `tbody a[href="/devices/TAP-C3"]`)
	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent("\r")))
	requireTrue(t, ctx, `location.pathname === "/devices/TAP-C3"`)
	requireTrue(t, ctx, `[...document.querySelectorAll("a.app")].some((a) => a.href === "https://app.memfault.com/organizations/acme/projects/smart-sink/devices/TAP-C3")`)
}
