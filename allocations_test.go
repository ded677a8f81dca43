package memfault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// unit is a list item of typical size.
type unit struct {
	ID              int64     `json:"id"`
	DeviceSerial    string    `json:"device_serial"`
	Nickname        string    `json:"nickname"`
	Description     string    `json:"description"`
	HardwareVersion string    `json:"hardware_version"`
	Cohort          string    `json:"cohort"`
	Archived        bool      `json:"archived"`
	LastSeen        time.Time `json:"last_seen"`
	CreatedDate     time.Time `json:"created_date"`
}

// newFleetServer serves a list of 100 pages with perPage units each, which are encoded in
// advance. To a request without a page it responds with one device.
func newFleetServer(t testing.TB, perPage int) *httptest.Server {
	t.Helper()
	bodies := make([]string, 101)
	for page := range bodies {
		var items []string
		for i := range perPage {
			items = append(items, fmt.Sprintf(`{"id":%d,"device_serial":"SN-%06d","nickname":"unit %d","description":"","hardware_version":"evt-1","cohort":"default","archived":false,"last_seen":"2024-06-19T14:52:38.794000+00:00","created_date":"2022-01-02T03:04:05+00:00"}`, page*perPage+i, page*perPage+i, i))
		}
		bodies[page] = fmt.Sprintf(`{"data":[%s],"paging":{"item_count":%[3]d,"page":%[2]d,"page_count":100,"per_page":%[3]d,"total_count":%[3]d00}}`, strings.Join(items, ","), page, perPage)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := `{"data":{"id":1,"device_serial":"SN-1"}}`
		if page, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
			body = bodies[page]
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

// bare is a client as a careful program would write it with net/http alone.
type bare struct {
	client  *http.Client
	buffers sync.Pool
}

func newBare() *bare {
	return &bare{client: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}, buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
}

func (b *bare) get(t testing.TB, url string, into any) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer oat_test")
	resp, err := b.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	buffer := b.buffers.Get().(*bytes.Buffer)
	defer b.buffers.Put(buffer)
	buffer.Reset()
	buffer.Grow(int(resp.ContentLength) + bytes.MinRead)
	_, err = buffer.ReadFrom(resp.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(buffer.Bytes(), into))
}

func (b *bare) list(t testing.TB, url string) (n int) {
	for page := 1; ; page++ {
		var body struct {
			Data   []unit          `json:"data"`
			Paging memfault.Paging `json:"paging"`
		}
		b.get(t, fmt.Sprintf("%s/api/v0/units?page=%d&per_page=100", url, page), &body)
		if n += len(body.Data); page >= body.Paging.PageCount {
			return n
		}
	}
}

func listUnits(t testing.TB, client *memfault.Client) (n int) {
	for _, err := range memfault.NewPager[unit](client, memfault.Request{Path: "/api/v0/units"}).All(t.Context()) {
		require.NoError(t, err)
		n++
	}
	return n
}

// compare alternates between two implementations of the same work and reports the ratio of
// their times.
func compare(b *testing.B, ours, theirs func()) {
	ours()
	theirs()
	var mine, other time.Duration
	for b.Loop() {
		start := time.Now()
		ours()
		middle := time.Now()
		theirs()
		mine, other = mine+middle.Sub(start), other+time.Since(middle)
	}
	b.ReportMetric(float64(mine)/float64(other), "times-bare")
}

func BenchmarkListTenThousand(b *testing.B) {
	server, by := newFleetServer(b, 100), newBare()
	client := newClient(b, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL))
	compare(b, func() { listUnits(b, client) }, func() { by.list(b, server.URL) })
}

func BenchmarkSmallGet(b *testing.B) {
	server, by := newFleetServer(b, 100), newBare()
	client := newClient(b, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL))
	compare(b, func() {
		for range 1000 {
			_, err := client.Devices.Get(b.Context(), sink, "SN-1")
			require.NoError(b, err)
		}
	}, func() {
		for range 1000 {
			var body struct{ Data *memfault.Device }
			by.get(b, server.URL+"/api/v0/organizations/acme/projects/smart-sink/devices/SN-1", &body)
		}
	})
}

func TestAllocations_WithinBudget(t *testing.T) {
	server, by := newFleetServer(t, 100), newBare()
	client := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(server.URL))
	require.Equal(t, 10_000, listUnits(t, client))
	require.Equal(t, 10_000, by.list(t, server.URL))

	// The server runs in the same process, so both counts include its allocations.
	listed := testing.AllocsPerRun(3, func() { listUnits(t, client) }) / 100
	listedBare := testing.AllocsPerRun(3, func() { by.list(t, server.URL) }) / 100
	t.Logf("allocations per page of 100 items: %.1f, bare %.1f", listed, listedBare)
	perPage := 26.0
	if raceEnabled() {
		perPage += 5
	}
	assert.LessOrEqual(t, listed, listedBare+perPage)

	small := newFleetServer(t, 10)
	client10 := newClient(t, memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(small.URL))
	listedSmall := testing.AllocsPerRun(3, func() { listUnits(t, client10) }) / 100
	const texts = 4 // strings of a unit that are not empty
	t.Logf("allocations per list item: %.3f", (listed-listedSmall)/90)
	assert.LessOrEqual(t, (listed-listedSmall)/90, texts+0.05, "the client allocates something for each item")

	one := testing.AllocsPerRun(200, func() { _, _ = client.Devices.Get(t.Context(), sink, "SN-1") })
	oneBare := testing.AllocsPerRun(200, func() {
		var body struct{ Data *memfault.Device }
		by.get(t, server.URL+"/api/v0/organizations/acme/projects/smart-sink/devices/SN-1", &body)
	})
	t.Logf("allocations per small GET: %.0f, bare %.0f", one, oneBare)
	limit := oneBare + 20
	if raceEnabled() {
		limit += 5
	}
	assert.LessOrEqual(t, one, limit)
}

// A device costs one allocation for each string that is not empty and each object that its
// fields point to, and what encoding/json needs for the three objects that may also be a string
// or a number, because it decodes each of them in a call of its own. Times cost nothing.
func TestAllocations_Device(t *testing.T) {
	const (
		texts    = 13 // serial, nickname, resolutions (2 "normal" and "off"), and what cohort, project and versions contain
		pointers = 6  // hardware's software type, project, version, sampling configuration, 2 revisions
		calls    = 14 // cohort, hardware version, sampling configuration
	)
	decode := func(devices int) float64 {
		text := []byte("[" + strings.Repeat(deviceText(1)+",", devices-1) + deviceText(1) + "]")
		return testing.AllocsPerRun(20, func() {
			decoded := make([]memfault.Device, 0, devices)
			_ = json.Unmarshal(text, &decoded)
		})
	}
	allocations := (decode(101) - decode(1)) / 100
	t.Logf("allocations per device: %.2f", allocations)
	if raceEnabled() {
		allocations--
	}
	assert.LessOrEqual(t, allocations, float64(texts+pointers+calls))

	var seen memfault.Timestamp
	stamp := []byte(`"2024-06-19T14:52:38.794000+00:00"`)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = seen.UnmarshalJSON(stamp) }))
}

// deviceText returns a device as Memfault sends it.
func deviceText(id int) string {
	return fmt.Sprintf(`{"id":%d,"device_serial":"SN-%06d","nickname":"unit %d","description":"",
		"hardware_version":{"name":"evt-1","primary_software_type":{"id":5,"name":"main"}},"cohort":{"id":9,"name":"Default","slug":"default","count_devices":12},
		"project":{"id":1,"name":"Sink","slug":"sink"},"first_seen":"2022-01-02T03:04:05+00:00","last_seen":"2024-06-19T14:52:38.794000+00:00",
		"last_seen_software_version":{"id":6,"version":"1.0.0","archived":false,"software_type":{"id":5,"name":"main"}},
		"attributes_resolution":"normal","attributes_manual_resolution":null,"debugging_resolution":"off","debugging_manual_resolution":null,
		"timeseries_resolution":"normal","timeseries_manual_resolution":null,"server_side_developer_mode":false,"fleet_sampling_configuration":{"id":3},
		"assigned_config_revision":5,"reported_config_revision":4,"created_date":"2022-01-02T03:04:05+00:00","updated_date":"2024-06-19T14:52:38.794000+00:00"}`, id, id, id)
}

// raceEnabled reports whether the tests run with the race detector. With it, a pool loses some
// of its buffers, so counts of allocations vary.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
