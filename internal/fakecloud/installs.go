package fakecloud

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

type install struct {
	id                  int64
	status              string
	device              *device
	release             *release
	began, transitioned time.Time
}

// Install describes the installation of a release on a device.
type Install struct {
	Serial  string // its device is created if unknown
	Version string // of a release
	Status  string // success by default
	Began   time.Time
	Ended   time.Time
}

// AddInstalls adds installs to the default project. The release must exist.
func (c *Cloud) AddInstalls(installs ...Install) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range installs {
		if !c.accepts("an install", required("serial", i.Serial), required("version", i.Version),
			refers("release", i.Version, c.seeded.release(i.Version) != nil)) {
			continue
		}
		if i.Status == "" {
			i.Status = "success"
		}
		p, d := c.ensureDevice(i.Serial)
		p.installs = append(p.installs, &install{
			id: c.newID(), status: i.Status, device: d, release: p.release(i.Version),
			began: i.Began, transitioned: i.Ended,
		})
	}
}

// ref is the form of a device in another resource in older responses, before the hardware
// version became an object.
func (d *device) ref() object {
	return object{"id": d.id, "device_serial": d.serial, "hardware_version": textOrNull(d.hardwareVersion)}
}

func (i *install) view() object {
	return object{
		"id": i.id, "status": i.status, "device": i.device.ref(), "release": i.release.ref(),
		"began_at": stamp(i.began), "transitioned_at": stamp(i.transitioned),
		"created_date": stamp(i.began), "updated_date": stamp(i.transitioned),
	}
}

func (c *Cloud) installHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.InstallsList:     listInstalls,
		operation.InstallsRetrieve: withInstall(func(_ *request, i *install) reply { return data(i.view()) }),
		operation.InstallsDelete:   withInstall(deleteInstall),
	}
}

// withInstall responds with 404 if the install does not exist.
func withInstall(handle func(*request, *install) reply) handler {
	return func(r *request) reply {
		id := r.PathValue("install_id")
		for _, i := range r.project.installs {
			if strconv.FormatInt(i.id, 10) == id {
				return handle(r, i)
			}
		}
		return notFound(fmt.Sprintf("Install with id `%s` not found", id))
	}
}

func listInstalls(r *request) reply {
	installs := filter(r.project.installs, func(i *install) bool {
		return r.wants("release", i.release.version) && r.wants("device", i.device.serial) && r.wants("status", i.status)
	})
	sortBy(r, installs, "began_at", func(a, b *install) int { return a.began.Compare(b.began) })
	sortBy(r, installs, "transitioned_at", func(a, b *install) int { return a.transitioned.Compare(b.transitioned) })
	return list(r, installs, (*install).view)
}

func deleteInstall(r *request, found *install) reply {
	r.project.installs = slices.DeleteFunc(r.project.installs, func(other *install) bool { return other == found })
	return noContent()
}
