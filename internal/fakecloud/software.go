package fakecloud

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

// primarySoftwareType is the software type of a new project.
const primarySoftwareType = "main"

type softwareType struct {
	id       int64
	name     string
	versions []*softwareVersion
	created  time.Time
}

type softwareVersion struct {
	id                int64
	kind              *softwareType
	version, revision string
	symbolFile        int64 // its ID; 0 without symbols
	created, edited   time.Time
}

// SoftwareVersion describes a software version.
type SoftwareVersion struct {
	SoftwareType string // main by default; created if unknown
	Version      string
	Symbols      bool // whether symbols can be downloaded
}

// AddSoftwareVersions adds software versions to the default project.
func (c *Cloud) AddSoftwareVersions(versions ...SoftwareVersion) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.defaultProject()
	for _, v := range versions {
		if v.SoftwareType == "" {
			v.SoftwareType = primarySoftwareType
		}
		added := c.ensureSoftwareVersion(p, v.SoftwareType, v.Version)
		if v.Symbols {
			added.symbolFile = c.newID()
		}
	}
}

func (c *Cloud) addSoftwareType(p *project, name string) *softwareType {
	added := &softwareType{id: c.newID(), name: name, created: c.now()}
	p.softwareTypes = append(p.softwareTypes, added)
	return added
}

func (p *project) softwareType(name string) *softwareType {
	for _, t := range p.softwareTypes {
		if t.name == name {
			return t
		}
	}
	return nil
}

func (t *softwareType) find(version string) *softwareVersion {
	for _, v := range t.versions {
		if v.version == version {
			return v
		}
	}
	return nil
}

// ensureSoftwareVersion returns a software version. It creates the version and its type if
// they do not exist.
func (c *Cloud) ensureSoftwareVersion(p *project, typeName, version string) *softwareVersion {
	kind := p.softwareType(typeName)
	if kind == nil {
		kind = c.addSoftwareType(p, typeName)
	}
	if found := kind.find(version); found != nil {
		return found
	}
	added := &softwareVersion{id: c.newID(), kind: kind, version: version, created: c.now(), edited: c.now()}
	kind.versions = append(kind.versions, added)
	return added
}

// softwareVersionRef returns the form of a version in another resource, or nil if the
// version does not exist.
func (p *project) softwareVersionRef(typeName, version string) any {
	kind := p.softwareType(typeName)
	if kind == nil || kind.find(version) == nil {
		return nil
	}
	return object{"id": kind.find(version).id, "version": version, "archived": false, "software_type": kind.ref()}
}

func (t *softwareType) ref() object { return object{"id": t.id, "name": t.name} }

func (t *softwareType) view() object {
	var latest any
	if len(t.versions) > 0 {
		latest = t.versions[len(t.versions)-1].view()
	}
	return object{
		"id": t.id, "name": t.name, "archived": false, "software_version_string_format": nil,
		"software_versions_count": len(t.versions), "latest_software_version": latest, "created_date": stamp(t.created),
	}
}

func (v *softwareVersion) view() object {
	view := object{
		"id": v.id, "version": v.version, "revision": v.revision, "archived": false, "software_type": v.kind.ref(),
		"created_date": stamp(v.created), "updated_date": stamp(v.edited),
	}
	if v.symbolFile != 0 {
		view["symbol_file"] = object{"id": v.symbolFile, "downloadable": true}
	}
	return view
}

func (c *Cloud) softwareHandlers() map[operation.ID]handler {
	return map[operation.ID]handler{
		operation.SoftwareTypesList: func(r *request) reply { return list(r, r.project.softwareTypes, (*softwareType).view) },
		operation.SoftwareVersionsList: withSoftwareType("software_type", func(r *request, kind *softwareType) reply {
			return list(r, kind.versions, (*softwareVersion).view)
		}),
		operation.SoftwareVersionsCreate:   withSoftwareType("software_type_slug", c.createSoftwareVersion),
		operation.SoftwareVersionsRetrieve: withSoftwareType("software_type", getSoftwareVersion),
		operation.HardwareVersionsCreate:   c.createHardwareVersion,
	}
}

// withSoftwareType responds with 404 if the software type does not exist.
func withSoftwareType(placeholder string, handle func(*request, *softwareType) reply) handler {
	return func(r *request) reply {
		name := r.PathValue(placeholder)
		kind := r.project.softwareType(name)
		if kind == nil {
			return unknownSoftwareType(name)
		}
		return handle(r, kind)
	}
}

func unknownSoftwareType(name string) reply {
	return notFound(fmt.Sprintf("SoftwareType with name `%s` not found", name))
}

func getSoftwareVersion(r *request, kind *softwareType) reply {
	version := r.PathValue("version")
	found := kind.find(version)
	if found == nil {
		return notFound(fmt.Sprintf("SoftwareVersion with version `%s` not found", version))
	}
	return data(found.view())
}

func (c *Cloud) createSoftwareVersion(r *request, kind *softwareType) reply {
	var body struct{ Version, Revision string }
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.Version == "" {
		return invalid("version", "Missing data for required field.")
	}
	if kind.find(body.Version) != nil {
		return fail(http.StatusConflict, fmt.Sprintf("A software version `%s` already exists", body.Version))
	}
	added := c.ensureSoftwareVersion(r.project, kind.name, body.Version)
	added.revision = body.Revision
	return data(added.view())
}

func (c *Cloud) createHardwareVersion(r *request) reply {
	var body struct {
		Name                string `json:"name"`
		PrimarySoftwareType string `json:"primary_software_type"`
	}
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.Name == "" || body.PrimarySoftwareType == "" {
		return invalid("name", "Missing data for required field.")
	}
	if r.project.softwareType(body.PrimarySoftwareType) == nil {
		return unknownSoftwareType(body.PrimarySoftwareType)
	}
	if slices.Contains(r.project.hardwareVersions, body.Name) {
		return fail(http.StatusConflict, fmt.Sprintf("A hardware version named `%s` already exists", body.Name))
	}
	r.project.hardwareVersions = append(r.project.hardwareVersions, body.Name)
	r.project.primaryTypes[body.Name] = body.PrimarySoftwareType
	return data(r.project.hardwareVersionView(body.Name))
}

// primaryType returns the primary software type of a hardware version.
func (p *project) primaryType(hardwareVersion string) *softwareType {
	if name, ok := p.primaryTypes[hardwareVersion]; ok {
		return p.softwareType(name)
	}
	return p.softwareType(primarySoftwareType)
}

func (p *project) hardwareVersionView(name string) object {
	kind := p.primaryType(name)
	return object{
		"name": name, "count_devices": len(filter(p.devices, func(d *device) bool { return d.hardwareVersion == name })),
		"primary_software_type": kind.view(), "software_types": []object{kind.ref()},
	}
}
