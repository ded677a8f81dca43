package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

type item struct {
	ID int `json:"id"`
}

// pages is an http.RoundTripper that serves a list of pages of one item each, after a pause.
type pages struct {
	count       int
	pause       time.Duration
	body        func(page int) (status int, body string)
	requests    atomic.Int64
	inFlight    atomic.Int64
	maxInFlight atomic.Int64
}

func (p *pages) RoundTrip(req *http.Request) (*http.Response, error) {
	p.requests.Add(1)
	now := p.inFlight.Add(1)
	defer p.inFlight.Add(-1)
	for most := p.maxInFlight.Load(); now > most && !p.maxInFlight.CompareAndSwap(most, now); most = p.maxInFlight.Load() {
	}
	select {
	case <-time.After(p.pause):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	page, _ := strconv.Atoi(req.URL.Query().Get("page"))
	if p.body != nil {
		return newResponse(p.body(page))
	}
	return newResponse(200, onePage(page, page, p.count))
}

func onePage(id, page, count int) string {
	return fmt.Sprintf(`{"data":[{"id":%d}],"paging":{"item_count":1,"page":%d,"page_count":%d,"per_page":1,"total_count":%d}}`, id, page, count, count)
}

// shortPage returns a page with fewer items than per_page.
func shortPage(id, page, count int) string {
	return strings.Replace(onePage(id, page, count), `"per_page":1`, `"per_page":100`, 1)
}

// counted returns five pages of one item each, with the given page_count and total_count,
// then empty pages.
func counted(pageCount string, totalCount int) func(page int) string {
	return func(page int) string {
		if page > 5 {
			return `{"data":[],"paging":{"per_page":1}}`
		}
		return fmt.Sprintf(`{"data":[{"id":%d}],"paging":{"page":%d,"page_count":%s,"per_page":1,"total_count":%d}}`, page, page, pageCount, totalCount)
	}
}

func pagerOver(t testing.TB, p *pages) *memfault.Pager[item] {
	t.Helper()
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: p}))
	return memfault.NewPager[item](client, memfault.Request{Path: "/api/v0/things"})
}

// ids iterates over a pager to its end.
func ids(ctx context.Context, pager *memfault.Pager[item]) (seen []int, failed error) {
	for i, err := range pager.All(ctx) {
		if failed != nil {
			panic("the iterator yielded something after the error")
		}
		if failed = err; err == nil {
			seen = append(seen, i.ID)
		}
	}
	return seen, failed
}

func upTo(n int) []int {
	var numbers []int
	for i := range n {
		numbers = append(numbers, i+1)
	}
	return numbers
}

func TestPrefetch_ConcurrentAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := func(depth int) time.Duration {
			p := &pages{count: 100, pause: 20 * time.Millisecond}
			start := time.Now()
			seen, err := ids(t.Context(), pagerOver(t, p).Prefetch(depth))
			require.NoError(t, err)
			assert.Equal(t, upTo(100), seen)
			assert.LessOrEqual(t, p.maxInFlight.Load(), int64(max(depth, 1)))
			assert.Equal(t, int64(100), p.requests.Load())
			return time.Since(start)
		}
		one := took(0)
		assert.Equal(t, 2*time.Second, one)
		assert.GreaterOrEqual(t, float64(one)/float64(took(8)), 6.5)
		assert.Equal(t, one, took(1))
		assert.Equal(t, one, took(-3))
	})
}

func TestPrefetch_BreakCancelsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pages{count: 100, pause: 20 * time.Millisecond}
		start, seen := time.Now(), 0
		for _, err := range pagerOver(t, p).Prefetch(8).All(t.Context()) {
			require.NoError(t, err)
			if seen++; seen == 2 {
				break
			}
		}
		assert.Equal(t, 40*time.Millisecond, time.Since(start), "break must not wait for the pages in flight")
		assert.Zero(t, p.inFlight.Load())
		assert.LessOrEqual(t, p.requests.Load(), int64(11))
	})
}

func TestPager_SequentialByDefault(t *testing.T) {
	p := &pages{count: 5}
	seen := 0
	for _, err := range pagerOver(t, p).All(t.Context()) {
		require.NoError(t, err)
		seen++
		assert.Equal(t, int64(seen), p.requests.Load(), "a page must be read only when the loop reaches it")
	}
}

func TestPager_CanBeIteratedAgain(t *testing.T) {
	pager := pagerOver(t, &pages{count: 3})
	for range 2 {
		for _, depth := range []int{0, 2} {
			seen, err := ids(t.Context(), pager.Prefetch(depth))
			require.NoError(t, err)
			assert.Equal(t, upTo(3), seen)
		}
	}
}

func TestPager_NoIOBeforeIteration(t *testing.T) {
	p := &pages{count: 3}
	pager := pagerOver(t, p).Prefetch(8)
	pager.All(t.Context())
	pager.Pages(t.Context())
	assert.Zero(t, p.requests.Load())
}

func TestPager_YieldsErrorOnceAndStops(t *testing.T) {
	for _, depth := range []int{0, 4} {
		p := &pages{body: func(page int) (int, string) {
			if page == 3 {
				return 403, `{"error":{"message":"no"}}`
			}
			return 200, onePage(page, page, 9)
		}}
		seen, err := ids(t.Context(), pagerOver(t, p).Prefetch(depth))
		require.ErrorIs(t, err, memfault.ErrForbidden)
		assert.Equal(t, upTo(2), seen)

		items, err := pagerOver(t, p).Prefetch(depth).Collect(t.Context())
		require.ErrorIs(t, err, memfault.ErrForbidden)
		assert.Nil(t, items)
	}
}

func TestPager_RepeatedPageIsError(t *testing.T) {
	for name, body := range map[string]func(page int) string{
		"ignores the page":             func(int) string { return onePage(1, 1, 5) },
		"ignores the page, end moves":  func(page int) string { return onePage(1, 1, page+1) },
		"repeats the items, end moves": func(page int) string { return onePage(1, page, page+1) },
		"repeats without a number":     func(int) string { return `{"paging":{"page_count":5},"data":[{"id":1}]}` },
		"full pages with a number":     func(page int) string { return onePage(1, page, 1_000_000_000) },
		"short pages with a number":    func(page int) string { return shortPage(1, page, 1_000_000_000) },
		"paging before data, end moves": func(page int) string {
			return fmt.Sprintf(`{"paging":{"page":%d,"page_count":%d},"data":[{"id":1}]}`, page, page+1)
		},
	} {
		for _, depth := range []int{0, 4} {
			t.Run(fmt.Sprint(name, depth), func(t *testing.T) {
				p := &pages{body: func(page int) (int, string) { return 200, body(page) }}
				seen, err := ids(t.Context(), pagerOver(t, p).Prefetch(depth))
				got := requireError(t, err, 200)
				assert.Equal(t, "GET /api/v0/things", got.Operation)
				assert.Contains(t, string(got.Body), `"data":[`)
				assert.LessOrEqual(t, len(seen), 4)
				assert.LessOrEqual(t, p.requests.Load(), int64(9))
			})
		}
	}
}

func TestPager_EndOfList(t *testing.T) {
	for name, c := range map[string]struct {
		body func(page int) string
		want []int
	}{
		"without paging":        {func(page int) string { return fmt.Sprintf(`{"data":[{"id":%d}]}`, page) }, upTo(1)},
		"with null paging":      {func(page int) string { return fmt.Sprintf(`{"data":[{"id":%d}],"paging":null}`, page) }, upTo(1)},
		"empty":                 {func(int) string { return `{"data":[],"paging":{"page":1,"page_count":0}}` }, nil},
		"equal items":           {func(page int) string { return shortPage(1, page, 3) }, []int{1, 1, 1}},
		"empty page in between": {func(page int) string { return strings.Replace(onePage(page, page, 3), `{"id":2}`, "", 1) }, upTo(1)},
		"empty pages, end moves": {func(page int) string {
			return fmt.Sprintf(`{"data":[],"paging":{"page":%d,"page_count":%d}}`, page, page+1)
		}, nil},
		"empty page of many": {func(page int) string {
			return strings.Replace(onePage(page, page, 1_000_000_000), `{"id":3}`, "", 1)
		}, upTo(2)},
		"negative counts": {counted(`-1`, -5), upTo(1)},
		"page_count null": {counted(`null`, 5), upTo(5)},
		"page_count 0":    {counted(`0`, 5), upTo(5)},
		"only per_page":   {counted(`null`, 0), upTo(5)},
		"items moved by as many new ones": {func(page int) string {
			return fmt.Sprintf(`{"data":[{"id":%d}],"paging":{"page":%d,"per_page":1,"page_count":3,"total_count":%d}}`, max(page-1, 1), page, 1+min(page, 2))
		}, []int{1, 1, 2}},
		"grows while read":   {func(page int) string { return onePage(page, page, min(page+2, 6)) }, upTo(6)},
		"shrinks while read": {func(page int) string { return onePage(page, page, 5-page) }, upTo(3)},
	} {
		for _, depth := range []int{0, 4} {
			t.Run(fmt.Sprint(name, depth), func(t *testing.T) {
				p := &pages{body: func(page int) (int, string) { return 200, c.body(page) }}
				seen, err := ids(t.Context(), pagerOver(t, p).Prefetch(depth))
				require.NoError(t, err)
				assert.Equal(t, c.want, seen)
			})
		}
	}
}

func TestPager_PageReadsOnePage(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.SeedFleet(25)
	page, err := client.Devices.List(sink, memfault.DeviceListOptions{ListOptions: memfault.ListOptions{Page: 2, PerPage: 10}}).Page(t.Context())
	require.NoError(t, err)
	assert.Equal(t, memfault.Paging{ItemCount: 10, Page: 2, PageCount: 3, PerPage: 10, TotalCount: 25}, page.Paging)
	assert.Equal(t, "SINK-0011", page.Items[0].DeviceSerial)
	assert.Len(t, cloud.Requests(""), 1)
}

func TestPager_StartsAtPageOfOptions(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.SeedFleet(25)
	devices, err := client.Devices.List(sink, memfault.DeviceListOptions{ListOptions: memfault.ListOptions{Page: 3, PerPage: 10}}).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, devices, 5)
}

// A list that starts after its first page must end where the server counts only its items.
func TestPager_StartsAtPageOfHalfCountedList(t *testing.T) {
	for _, depth := range []int{0, 4} {
		p := newPages(func(page int) (int, string) { return 200, counted(`null`, 5)(page) })
		client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithHTTPClient(&http.Client{Transport: p}))
		query := url.Values{"page": {"3"}, "per_page": {"1"}}
		seen, err := ids(t.Context(), memfault.NewPager[item](client, memfault.Request{Path: "/api/v0/things", Query: query}).Prefetch(depth))
		require.NoError(t, err)
		assert.Equal(t, []int{3, 4, 5}, seen)
		assert.Equal(t, int64(3), p.requests.Load())
	}
}

func TestPager_DefaultPageSize(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.SeedFleet(250)
	devices, err := client.Devices.List(sink, memfault.DeviceListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, devices, 250)
	assert.Len(t, cloud.Requests(""), 3)
	assert.Equal(t, "100", cloud.Requests("")[0].Query.Get("per_page"))
}

func TestPager_YieldsEachOfTenThousandOnce(t *testing.T) {
	t.Parallel()
	cloud, client := newCloud(t)
	cloud.SeedFleet(10_000)
	for _, depth := range []int{0, 8} {
		seen := map[string]int{}
		for device, err := range client.Devices.List(sink, memfault.DeviceListOptions{}).Prefetch(depth).All(t.Context()) {
			require.NoError(t, err)
			seen[device.DeviceSerial]++
		}
		assert.Len(t, seen, 10_000)
		for serial, times := range seen {
			assert.Equal(t, 1, times, serial)
		}
	}
}

func TestPager_RetriesFailedPages(t *testing.T) {
	cloud, client := newCloud(t, memfault.WithRetry(memfault.RetryPolicy{MaxAttempts: 20, MaxWait: time.Millisecond}))
	cloud.SeedFleet(1000)
	for _, fault := range []memfaulttest.Fault{{Status: 503, Skip: 1, Times: 2}, {Drop: true, Skip: 2, Times: 2}, {CutBodyAfter: 500, Skip: 3, Times: 2}, {Status: 429, RetryAfter: "0", Times: 2}} {
		cloud.Fail(fault)
	}
	devices, err := client.Devices.List(sink, memfault.DeviceListOptions{}).Prefetch(4).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, devices, 1000)
}

func TestPager_ContextCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, depth := range []int{0, 4} {
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(110*time.Millisecond, func() { cancel(why) })
			seen, err := ids(ctx, pagerOver(t, &pages{count: 1000, pause: 20 * time.Millisecond}).Prefetch(depth))
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, why)
			assert.NotEmpty(t, seen)
		}
	})
}

func TestWithResponse_DescribesYieldedPage(t *testing.T) {
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		w.Header().Set("X-Request-Id", fmt.Sprint("r-", page))
		_, _ = io.WriteString(w, onePage(page, page, 5))
	})
	var response memfault.Response
	number := 0
	for page, err := range client.Cohorts.List(sink, memfault.CohortListOptions{}, memfault.WithResponse(&response)).Prefetch(3).Pages(t.Context()) {
		require.NoError(t, err)
		number++
		assert.Equal(t, number, page.Paging.Page)
		assert.Equal(t, fmt.Sprint("r-", number), response.RequestID, "Response must describe the page that was yielded")
	}
}

func TestList_CopiesOptions(t *testing.T) {
	cloud, client := newCloud(t)
	release := []string{"1.0.0"}
	pager := client.Devices.List(sink, memfault.DeviceListOptions{Release: release})
	release[0] = "changed"
	_, err := pager.Collect(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"1.0.0"}, cloud.Requests("")[0].Query["release"])
}

func TestPager_LeavesNoGoroutine(t *testing.T) {
	_, client := newCloud(t)
	before := runtime.NumGoroutine()
	for range 20 {
		for range client.Devices.List(sink, memfault.DeviceListOptions{}).Prefetch(8).All(t.Context()) {
			break
		}
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before+4, "only the goroutines of idle connections may remain")
}

// BenchmarkPrefetch reads 100 pages at 20 ms each over loopback. The metric
// times-as-fast compares Prefetch(8) with reading one page after the other.
func BenchmarkPrefetch(b *testing.B) {
	_, client := newServer(b, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		_, _ = io.WriteString(w, onePage(page, page, 100))
	})
	pager := memfault.NewPager[item](client, memfault.Request{Path: "/api/v0/things"})
	walk := func(depth int) time.Duration {
		start, next := time.Now(), 1
		for i, err := range pager.Prefetch(depth).All(b.Context()) {
			if err != nil || i.ID != next {
				b.Fatalf("got item %d, want %d: %v", i.ID, next, err)
			}
			next++
		}
		return time.Since(start)
	}
	one := walk(0)
	var ahead time.Duration
	rounds := 0
	for b.Loop() {
		ahead += walk(8)
		rounds++
	}
	b.ReportMetric(float64(one)*float64(rounds)/float64(ahead), "times-as-fast")
}

func TestPagerOf_YieldsItems(t *testing.T) {
	given := []int{1, 2, 3}
	pager := memfault.PagerOf(given...)
	given[0] = 9
	for range 2 {
		items, err := pager.Collect(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []int{1, 2, 3}, items)
		items[1] = 9
	}
	page, err := pager.Page(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &memfault.Page[int]{Items: []int{1, 2, 3}, Paging: memfault.Paging{ItemCount: 3, Page: 1, PageCount: 1, PerPage: 100, TotalCount: 3}}, page)
	for item, err := range pager.Prefetch(4).All(t.Context()) {
		require.NoError(t, err)
		assert.Equal(t, 1, item)
		break
	}
	none, err := memfault.PagerOf[int]().Collect(t.Context())
	require.NoError(t, err)
	assert.Empty(t, none)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = pager.Collect(ended)
	require.ErrorIs(t, err, context.Canceled)
}

func TestPager_ZeroAndNilAreErrors(t *testing.T) {
	for name, pager := range map[string]*memfault.Pager[int]{"zero": {}, "nil": nil, "prefetch of zero": new(memfault.Pager[int]).Prefetch(4)} {
		_, err := pager.Collect(t.Context())
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		_, err = pager.Prefetch(2).Page(t.Context())
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		failed := 0
		for range pager.All(t.Context()) {
			failed++
		}
		assert.Equal(t, 1, failed, name)
	}
	_, err := memfault.PagerOf(1).Collect(nil) //nolint:staticcheck // the mistake that is tested
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
}

func TestPager_WalksHalfCountedLists(t *testing.T) {
	for name, paging := range map[string]string{
		"page_count null":                     `{"page":%d,"page_count":null,"per_page":100,"total_count":500}`,
		"page_count missing":                  `{"page":%d,"per_page":100,"total_count":500}`,
		"page_count 0":                        `{"page":%d,"page_count":0,"per_page":100,"total_count":500}`,
		"no per_page":                         `{"page":%d,"total_count":500}`,
		"fewer items per page than requested": `{"page":%d,"total_count":100}`,
		"fewer, and per_page as requested":    `{"page":%d,"per_page":100,"total_count":100}`,
	} {
		for _, depth := range []int{0, 4} {
			size, pages := 100, 5
			if strings.HasPrefix(name, "fewer") {
				size = 20
			}
			p := newPages(func(page int) (int, string) {
				var items []string
				for i := range size {
					if page <= pages {
						items = append(items, fmt.Sprintf(`{"id":%d}`, (page-1)*size+i+1))
					}
				}
				return 200, fmt.Sprintf(`{"data":[%s],"paging":`+paging+`}`, strings.Join(items, ","), page)
			})
			seen, err := ids(t.Context(), pagerOver(t, p).Prefetch(depth))
			require.NoError(t, err, name)
			assert.Equal(t, upTo(pages*size), seen, name)
		}
	}
}

func newPages(body func(page int) (int, string)) *pages { return &pages{body: body} }

func TestCollect_AllocatesOnce(t *testing.T) {
	body := func(page int) (int, string) {
		items := strings.Repeat(fmt.Sprintf(`{"id":%d},`, page), 99) + `{"id":0}`
		return 200, fmt.Sprintf(`{"data":[%s],"paging":{"page":%d,"page_count":50,"per_page":100,"total_count":5000}}`, items, page)
	}
	items, err := pagerOver(t, newPages(body)).Collect(t.Context())
	require.NoError(t, err)
	assert.Len(t, items, 5000)
	assert.Less(t, cap(items), 5500, "the slice must not be grown by append")

	lying := func(int) (int, string) {
		return 200, `{"data":[{"id":1}],"paging":{"page":1,"page_count":1,"total_count":1000000000000}}`
	}
	items, err = pagerOver(t, newPages(lying)).Collect(t.Context())
	require.NoError(t, err)
	assert.LessOrEqual(t, cap(items), 1<<17)
}

func TestListOptions_SortKeyOfAnotherList(t *testing.T) {
	_, client := newCloud(t)
	sort := func(key string) memfault.ListOptions { return memfault.ListOptions{Sort: key} }
	_, err := client.Devices.List(sink, memfault.DeviceListOptions{ListOptions: sort(memfault.Descending(memfault.SortTraceCount))}).Collect(t.Context())
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	require.EqualError(t, err, "memfault: devices.list: the list cannot be sorted by trace_count, only by last_seen")
	_, err = client.Deployments.List(sink, memfault.DeploymentListOptions{ListOptions: sort(memfault.SortCreatedDate)}).Collect(t.Context())
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)

	for _, key := range []string{memfault.SortReceivedDate, memfault.SortCapturedDate, memfault.SortCreatedDate, "a_key_of_tomorrow"} {
		_, err := client.Events.List(sink, memfault.EventListOptions{ListOptions: sort(key)}).Collect(t.Context())
		require.NotErrorIs(t, err, memfault.ErrInvalidArgument, key)
	}
}
