package fakecloud

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
)

// fleet contains the devices of a project. They are changed only by its methods, so that it
// can find and count them without a scan.
type fleet struct {
	devices  []*device // without the deleted ones, in the order of their IDs
	bySerial map[string]*device
	counts   map[any]int // by *cohort, countedHardware and countedVersion
	changes  int         // number of changes so far

	// The result of the last list of devices, for its next pages.
	listed        []*device
	listedBy      string
	listedChanges int
}

type (
	countedHardware string
	countedVersion  string
)

func newFleet() fleet {
	return fleet{bySerial: map[string]*device{}, counts: map[any]int{}}
}

// grow makes room for n devices.
func (f *fleet) grow(n int) {
	f.devices = slices.Grow(f.devices, n)
	larger := make(map[string]*device, len(f.bySerial)+n)
	maps.Copy(larger, f.bySerial)
	f.bySerial = larger
}

func (f *fleet) add(d *device) {
	f.devices = append(f.devices, d)
	f.bySerial[d.serial] = d
	f.count(d, 1)
	f.changes++
}

func (f *fleet) count(d *device, n int) {
	f.counts[d.cohort] += n
	f.counts[countedHardware(d.hardwareVersion)] += n
	f.counts[countedVersion(d.softwareVersion)] += n
}

// change calls do, which changes a device.
func (f *fleet) change(d *device, do func()) {
	if d.deleted {
		do()
		return
	}
	f.count(d, -1)
	do()
	f.count(d, 1)
	f.changes++
}

// remove removes a device from the lists but keeps it under another serial.
func (f *fleet) remove(d *device, serial string) {
	f.count(d, -1)
	if at, found := slices.BinarySearchFunc(f.devices, d.id, func(other *device, id int64) int { return cmp.Compare(other.id, id) }); found {
		f.devices = slices.Delete(f.devices, at, at+1)
	}
	delete(f.bySerial, d.serial)
	d.serial, d.deleted = serial, true
	f.bySerial[serial] = d
	f.changes++
}

// list returns the result of find. For the pages of one list, it calls find only once, unless
// a device changed in between.
func (f *fleet) list(path string, query url.Values, find func() []*device) []*device {
	by := url.Values{"": {path}}
	for name, values := range query {
		if name != "page" && name != "per_page" {
			by[name] = values
		}
	}
	if key := by.Encode(); f.listedBy != key || f.listedChanges != f.changes {
		f.listed, f.listedBy, f.listedChanges = find(), key, f.changes
	}
	return f.listed
}

// inCohort returns the devices of a cohort.
func (f *fleet) inCohort(c *cohort) []*device {
	return filter(f.devices, func(d *device) bool { return d.cohort == c })
}

// device also finds a deleted device, by the serial that it got when it was deleted.
func (p *project) device(serial string) *device { return p.fleet.bySerial[serial] }
