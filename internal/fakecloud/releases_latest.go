package fakecloud

import (
	"hash/fnv"
	"net/http"
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// RateLimitLatest rate-limits the requests of a device of the default project for its latest
// release. The response is a 204 that looks like "no update".
func (c *Cloud) RateLimitLatest(serial string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.defaultProject().rateLimited[serial] = true
}

func (c *Cloud) latestHandlers() map[operation.ID]handler {
	return map[operation.ID]handler{
		operation.ReleasesLatest:    withUpdate(func(r *request, u *update) reply { return bare(u.view(r)) }),
		operation.ReleasesLatestURL: withUpdate(latestURL),
	}
}

// update is the release and the artifact that a device is offered.
type update struct {
	release  *release
	delta    bool
	artifact *artifact
}

// withUpdate responds with 204 if the device is offered no update.
func withUpdate(handle func(*request, *update) reply) handler {
	return func(r *request) reply {
		q := r.URL.Query()
		serial, hardware, typeName := q.Get("device_serial"), q.Get("hardware_version"), q.Get("software_type")
		if typeName == "" {
			typeName = primarySoftwareType
		}
		switch {
		case serial == "":
			return invalid("device_serial", "Missing data for required field.")
		case !slices.Contains(r.project.hardwareVersions, hardware):
			return invalid("hardware_version", "Unknown hardware version.")
		case r.project.softwareType(typeName) == nil:
			return invalid("software_type", "Unknown software type.")
		case r.project.rateLimited[serial]:
			return noContent().with("Memfault-Reason", "rate-limited")
		}
		if u := r.project.update(serial, hardware, typeName, q.Get("current_version")); u != nil {
			return handle(r, u)
		}
		return noContent().with("Memfault-Reason", "latest")
	}
}

func latestURL(r *request, u *update) reply {
	if r.Header.Get("Accept") == "application/json" {
		return data(object{"url": u.artifact.url(r)})
	}
	return reply{status: http.StatusOK, header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}, body: []byte(u.artifact.url(r))}
}

// update returns the highest version that is deployed to the cohort of the device, or nil.
// An unknown device counts as a member of the cohort "default".
func (p *project) update(serial, hardware, typeName, current string) *update {
	co := p.cohort("default")
	if d := p.device(serial); d != nil {
		co = d.cohort
	}
	var best *update
	for _, d := range p.deployments {
		if d.cohort != co || !d.isActive() || !d.reaches(serial) || d.release.softwareType != typeName {
			continue
		}
		offer := d.offer(hardware, current)
		if offer == nil || current != "" && compareVersions(offer.release.version, current) <= 0 {
			continue
		}
		if best == nil || compareVersions(offer.release.version, best.release.version) > 0 {
			best = offer
		}
	}
	return best
}

// reaches reports whether the deployment applies to a device of its cohort. A staged
// rollout applies to some of the devices.
func (d *deployment) reaches(serial string) bool {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(serial)) // never fails
	return d.kind != "staged_rollout" || int(hash.Sum32()%100) < d.percent
}

// offer returns the update that the deployment has for a hardware version and a current
// version, or nil.
func (d *deployment) offer(hardware, current string) *update {
	artifacts := d.release.artifacts
	if d.delta != nil {
		if d.delta.from.version != current {
			return nil
		}
		artifacts = d.delta.artifacts
	}
	for _, a := range artifacts {
		if a.hardwareVersion == hardware && a.kind == "firmware" {
			return &update{release: d.release, delta: d.delta != nil, artifact: a}
		}
	}
	return nil
}

func (u *update) view(r *request) object {
	rel := u.release
	return object{
		"id": rel.id, "created_date": stamp(rel.created), "version": rel.version, "display_name": rel.version,
		"revision": rel.revision, "min_version": rel.minVersion, "must_pass_through": rel.mustPassThrough,
		"notes": rel.notes, "reason": "latest", "is_delta": u.delta, "is_forced": nil, "extra_info": rel.extraInfo,
		"artifacts": []object{u.artifact.latestView(r)},
	}
}
