package ordered

import (
	"hash/maphash"
	"time"
)

// standing is what is known of a device.
type standing uint8

const (
	proven   standing = iota // its last batch was accepted
	unknown                  // nothing, or no more than that the service failed
	affected                 // its last batch failed, and no other was accepted meanwhile
	failing                  // its last batch failed, although others were accepted
	standings
)

// readyDevices contains the devices whose next batch can be sent, by standing.
type readyDevices [standings]deviceList

func (r *readyDevices) push(d *device)   { r[d.standing].push(d) }
func (r *readyDevices) remove(d *device) { r[d.standing].remove(d) }

func (r *readyDevices) len() int { return r[proven].n + r[unknown].n + r[affected].n + r[failing].n }

// turn returns the standing of the device that is next: proven devices are, but in each fourth
// turn the others, so that no device waits forever. A probe is always of a proven device if
// there is one. turn returns standings if there is none.
func (r *readyDevices) turn(b *brake, now time.Duration, probe bool) standing {
	last := standings
	if !probe && !b.allowsSick(now) {
		last = affected
	}
	if !probe && b.turn%sickShare == 0 {
		for s := last - 1; s > proven; s-- {
			if r[s].first != nil {
				return s
			}
		}
	}
	for s := proven; s < last; s++ {
		if r[s].first != nil {
			return s
		}
	}
	return standings
}

// latest returns the device of a list that was accepted last, or the first of several.
func (l *deviceList) latest() *device {
	found := l.first
	for d := l.first; d != nil; d = d.next {
		if d.accepted > found.accepted {
			found = d
		}
	}
	return found
}

// memory is when the batches of devices were accepted, unless later ones failed. It has room
// for so many devices, and forgets some of them earlier.
type memory struct {
	seed    maphash.Seed
	entries []acceptedDevice
}

type acceptedDevice struct {
	tag uint32 // of the name
	at  uint32 // in seconds
}

const memorySize = 1 << 15

// find returns where a name is stored, and its tag.
func (m *memory) find(name string) (entry *acceptedDevice, tag uint32) {
	if m.entries == nil {
		m.seed, m.entries = maphash.MakeSeed(), make([]acceptedDevice, memorySize)
	}
	hash := maphash.String(m.seed, name)
	return &m.entries[hash%memorySize], uint32(hash>>32) | 1 // the upper half; a free entry has 0
}

// accepted returns when the last batch of a device was accepted.
func (m *memory) accepted(name string) (at time.Duration, ok bool) {
	entry, tag := m.find(name)
	return time.Duration(entry.at) * time.Second, entry.tag == tag
}

func (m *memory) add(name string, at time.Duration) {
	entry, tag := m.find(name)
	*entry = acceptedDevice{tag, uint32(at / time.Second)} //nolint:gosec // enough for a century
}

func (m *memory) remove(name string) {
	if entry, tag := m.find(name); entry.tag == tag {
		*entry = acceptedDevice{}
	}
}
