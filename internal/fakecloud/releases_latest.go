package fakecloud

import (
	"net/http"

	"github.com/memfault-go/memfault/internal/operation"
)

// RateLimitLatest rate-limits the requests of a device of the default project for its latest
// release. The response is a 204 that looks like "no update".
func (c *Cloud) RateLimitLatest(serial string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seeded.rateLimited[serial] = true
}

func (c *Cloud) latestHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
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
		q := r.query
		serial, hardware, typeName := q.Get("device_serial"), q.Get("hardware_version"), q.Get("software_type")
		if typeName == "" {
			typeName = primarySoftwareType
		}
		switch {
		case serial == "":
			return invalid("device_serial", "Missing data for required field.")
		case r.project.hardwareVersion(hardware) == nil:
			return invalid("hardware_version", "Unknown hardware version.")
		case r.project.softwareType(typeName) == nil:
			return invalid("software_type", "Unknown software type.")
		case r.project.rateLimited[serial]:
			return noContent().with("Memfault-Reason", "rate-limited")
		}
		if u := r.project.update(asker{serial, hardware, typeName, q.Get("current_version")}); u != nil {
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

func (u *update) view(r *request) object {
	rel := u.release
	return object{
		"id": rel.id, "created_date": stamp(rel.created), "version": rel.version, "display_name": rel.version,
		"revision": rel.revision, "min_version": rel.minVersion, "must_pass_through": rel.mustPassThrough,
		"notes": rel.notes, "reason": "latest", "is_delta": u.delta, "is_forced": nil, "extra_info": rel.extraInfo,
		"artifacts": []object{u.artifact.latestView(r)},
	}
}
