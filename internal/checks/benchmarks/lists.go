package main

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"time"

	"github.com/memfault-go/memfault"
)

const listItems = listPages * perPage

// pageAllocations is how many allocations the client may add to a page, whatever its items need.
// Go 1.27 decodes items with so few that 5 percent are less.
const pageAllocations = 26

// allocated returns the bytes and allocations of a call in this process.
func allocated(call func() error) (bytes, allocations float64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = call()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc), float64(after.Mallocs - before.Mallocs), err
}

// lists compares this client with a bare loop and the peers.
func (b *bench) lists(ctx context.Context) ([]row, error) {
	all, err := peers(b.url)
	if err != nil {
		return nil, err
	}
	rows, err := compareLists[key](ctx, b, unitsPath, "list 10,000 keys", all)
	if err != nil {
		return nil, err
	}
	devices, err := compareLists[memfault.Device](ctx, b, devicesPath, "list 10,000 devices", nil)
	return append(rows, devices...), err
}

// compareLists lists with this client, a bare loop and the others.
func compareLists[T any](ctx context.Context, b *bench, path, name string, others []competitor) ([]row, error) {
	list, err := ours[T](b.url, path)
	if err != nil {
		return nil, err
	}
	all := append([]competitor{{"this client", list}, {"bare loop", bareList[T](newBare(), b.url+path)}}, others...)
	functions := make([]func() error, len(all))
	for i, c := range all {
		functions[i] = func() error {
			n, err := c.list(ctx)
			if err == nil && n != listItems {
				err = fmt.Errorf("got %d items, want %d", n, listItems)
			}
			if err != nil {
				return fmt.Errorf("%s: %s: %w", name, c.name, err)
			}
			return nil
		}
	}
	times, err := interleave(b.rounds, functions...)
	if err != nil {
		return nil, err
	}
	var rows []row
	bytes, allocations := make([]float64, len(all)), make([]float64, len(all))
	for i := range all {
		if bytes[i], allocations[i], err = allocated(functions[i]); err != nil {
			return nil, err
		}
		remarks := fmt.Sprintf("%.0f B, %.2f allocations an item", bytes[i]/listItems, allocations[i]/listItems)
		r := row{name: name + ": " + all[i].name, value: ratio(times[i], times[1]), unit: "x bare time", remarks: remarks}
		if i == 0 {
			r.most = b.limit(1.05, 1.15)
		}
		rows = append(rows, r)
	}
	rows = append(rows,
		row{name: name + ": bytes", value: bytes[0] / bytes[1], unit: "x bare", most: 1.05},
		row{name: name + ": allocations", value: allocations[0] / allocations[1], unit: "x bare", most: max(1.05, 1+pageAllocations*listPages/allocations[1]), remarks: "1.05, or 26 a page"})
	for i, c := range others {
		rows = append(rows, row{name: name + ": against " + c.name, value: ratio(times[0], times[i+2]), unit: "x its time", below: 1})
	}
	return rows, nil
}

// smallGet compares reading one device.
func (b *bench) smallGet(ctx context.Context) ([]row, error) {
	const calls = 500
	client, err := newClient(b.url)
	if err != nil {
		return nil, err
	}
	by := newBare()
	get := func() error {
		for range calls {
			if _, err := client.Devices.Get(ctx, project, "SN-1"); err != nil {
				return err
			}
		}
		return nil
	}
	getBare := func() error {
		for range calls {
			var body struct{ Data *memfault.Device }
			if err := by.get(ctx, b.url+"/api/v0/organizations/acme/projects/smart-sink/devices/SN-1", &body); err != nil {
				return err
			}
		}
		return nil
	}
	times, err := interleave(b.rounds, get, getBare)
	if err != nil {
		return nil, err
	}
	_, allocations, err := allocated(get)
	if err != nil {
		return nil, err
	}
	_, allocationsBare, err := allocated(getBare)
	return []row{
		{name: "small GET", value: ratio(times[0], times[1]), unit: "x bare time", most: b.limit(1.15, 1.3)},
		{name: "small GET: allocations", value: (allocations - allocationsBare) / calls, unit: "above bare", most: 20.5, remarks: "20, and what the runtime allocates meanwhile"},
	}, err
}

// prefetch compares reading ahead with one page after the other.
func (b *bench) prefetch(ctx context.Context) ([]row, error) {
	delays := []time.Duration{20 * time.Millisecond, 100 * time.Millisecond}
	if b.quick {
		delays = delays[:1]
	}
	var rows []row
	for _, delay := range delays {
		client, err := newClient(delayed(b.url, delay))
		if err != nil {
			return nil, err
		}
		pager := memfault.NewPager[key](client, memfault.Request{Path: unitsPath})
		read := func(p *memfault.Pager[key]) func() error {
			return func() error {
				items, err := p.Collect(ctx)
				if err == nil && len(items) != listItems {
					err = fmt.Errorf("got %d items, want %d", len(items), listItems)
				}
				return err
			}
		}
		times, err := interleave(b.slowRounds, read(pager), read(pager.Prefetch(8)))
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{name: fmt.Sprintf("100 pages at %s each: Prefetch(8)", delay), value: ratio(times[0], times[1]), unit: "x as fast", least: b.limit(6.5, 5)})
	}
	return rows, nil
}

// walk reads a long list and measures the heap.
func (b *bench) walk(ctx context.Context) ([]row, error) {
	pages := 10_000
	if b.quick {
		pages = 500
	}
	client, err := newClient(b.url)
	if err != nil {
		return nil, err
	}
	query := url.Values{pagesParameter: {strconv.Itoa(pages)}}
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapInuse
	}
	runtime.GC()
	start, peak, items := heap(), uint64(0), 0
	for page, err := range memfault.NewPager[key](client, memfault.Request{Path: unitsPath, Query: query}).Prefetch(8).Pages(ctx) {
		if err != nil {
			return nil, err
		}
		if items += len(page.Items); page.Paging.Page%100 == 0 {
			peak = max(peak, heap())
		}
	}
	if items != pages*perPage {
		return nil, fmt.Errorf("walk: got %d items, want %d", items, pages*perPage)
	}
	const mib = 1 << 20
	return []row{{name: fmt.Sprintf("walk of %d objects: heap", items), value: max(float64(peak)-float64(start), 0) / mib, unit: "MiB above its start", most: 32}}, nil
}
