package fakecloud

import (
	"hash/fnv"
	"strconv"
)

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
		if co == nil || d.cohort != co || !d.isActive() || !d.reaches(a.serial) {
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

// reaches reports whether the deployment applies to a device of its cohort. A staged
// rollout applies to some of the devices: to the same ones each time, and to more of them if
// the percentage rises. Two rollouts reach different devices.
func (d *deployment) reaches(serial string) bool {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(serial + "/" + strconv.FormatInt(d.id, 10))) // never fails
	return d.kind != "staged_rollout" || int(hash.Sum32()>>8%100) < d.percent
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
