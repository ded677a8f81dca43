package fakecloud

import (
	"hash/fnv"
	"strconv"
)

// InstallOffers makes the devices of the default project take what they are offered, and returns
// their number. They report the new version now. It is one step: a device that must pass through
// a release gets the next one with the next call.
//
// A device that has no hardware version, or whose requests are rate-limited, is offered nothing.
func (c *Cloud) InstallOffers() (updated int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.seeded
	for _, d := range p.fleet.devices {
		if p.rateLimited[d.serial] {
			continue
		}
		if u := p.update(asker{d.serial, d.hardwareVersion, d.softwareType, d.softwareVersion}); u != nil {
			c.received(p, traits{serial: d.serial, softwareType: d.softwareType, version: u.release.version}, true)
			updated++
		}
	}
	return updated
}

// asker describes the device that requests its latest release.
type asker struct{ serial, hardware, softwareType, current string }

// isBelow reports whether a version is an upgrade for the device.
func (a *asker) isBelow(version string) bool {
	return a.current == "" || compareVersions(version, a.current) > 0
}

// update returns what a device is offered, or nil. Of the active deployments to its cohort
// that reach the device and have a payload for it, that is
//
//  1. the delta release from its current version; otherwise
//  2. the lowest must-pass-through release above its current version; otherwise
//  3. the highest full release above its current version. If the cohort bypasses the version
//     checks, that release may also be below.
//
// An unknown device counts as a member of the cohort "default". A device without a current
// version is offered the highest full release.
//
// UNCERTAIN(several-deltas): which delta release is offered if several start at the current
// version; here it is the one with the highest target. Whether an override may lower the version;
// here it may not.
func (p *project) update(a asker) *update {
	co := p.cohort("default")
	if d := p.device(a.serial); d != nil {
		co = d.cohort
		if d.override != nil && p.release(d.override.version) == d.override {
			return p.overrideFor(d.override, a)
		}
	}
	var delta, mustPass, full *update
	for _, d := range p.deployments {
		if co == nil || d.cohort != co || !d.isActive() || !p.reaches(d, a.serial) {
			continue
		}
		offer := d.offer(a)
		switch {
		case offer == nil:
		case offer.delta:
			if a.isBelow(offer.release.version) && delta.isBelow(offer) {
				delta = offer
			}
		default:
			if offer.release.mustPassThrough && a.current != "" && a.isBelow(offer.release.version) && (mustPass == nil || offer.isBelow(mustPass)) {
				mustPass = offer
			}
			if full.isBelow(offer) {
				full = offer
			}
		}
	}
	switch {
	case delta != nil:
		return delta
	case mustPass != nil:
		return mustPass
	case full == nil, a.isBelow(full.release.version), co.bypassChecks && compareVersions(full.release.version, a.current) != 0:
		return full
	}
	return nil
}

// overrideFor returns what a device with an override is offered: a delta to the release if
// there is one from its current version, otherwise the release.
func (p *project) overrideFor(rel *release, a asker) *update {
	if !a.isBelow(rel.version) {
		return nil
	}
	for _, d := range p.deltas {
		if offer := (&deployment{release: rel, delta: d}).offer(a); d.to == rel && offer != nil {
			return offer
		}
	}
	return (&deployment{release: rel}).offer(a)
}

// isBelow reports whether another update has a higher version. A nil update is below all.
func (u *update) isBelow(other *update) bool {
	return u == nil || compareVersions(other.release.version, u.release.version) > 0
}

// SetRolloutDevices sets a function that decides which devices of its cohort a staged rollout
// reaches. It is not called for a rollout to 0 % or 100 %. With nil, the choice is random again.
func (c *Cloud) SetRolloutDevices(reaches func(serial string, percent int) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seeded.rolloutReaches = reaches
}

// reaches reports whether a deployment applies to a device of its cohort. A staged rollout
// applies to some of the devices: by default to the same ones each time, and to more of them if
// the percentage rises. Two rollouts reach different devices.
func (p *project) reaches(d *deployment, serial string) bool {
	switch {
	case d.kind != "staged_rollout" || d.percent >= 100:
		return true
	case d.percent <= 0:
		return false
	case p.rolloutReaches != nil:
		return p.rolloutReaches(serial, d.percent)
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(serial + "/" + strconv.FormatInt(d.id, 10))) // never fails
	return int(hash.Sum32()>>8%100) < d.percent
}

// offer returns the payload that the deployment has for a device, or nil.
func (d *deployment) offer(a asker) *update {
	artifacts := d.release.artifacts
	if d.delta != nil {
		if d.delta.from.version != a.current {
			return nil
		}
		artifacts = d.delta.artifacts
	}
	for _, payload := range artifacts {
		if payload.hardwareVersion == a.hardware && payload.softwareType == a.softwareType && payload.kind == "firmware" {
			return &update{release: d.release, delta: d.delta != nil, artifact: payload}
		}
	}
	return nil
}
