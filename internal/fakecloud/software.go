package fakecloud

import (
	"fmt"
	"net/http"
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
	p := c.seeded
	for _, v := range versions {
		if !c.accepts("a software version", required("version", v.Version)) {
			continue
		}
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

func (c *Cloud) ensureSoftwareType(p *project, name string) *softwareType {
	if found := p.softwareType(name); found != nil {
		return found
	}
	return c.addSoftwareType(p, name)
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
	kind := c.ensureSoftwareType(p, typeName)
	if found := kind.find(version); found != nil {
		return found
	}
	added := &softwareVersion{id: c.newID(), kind: kind, version: version, created: c.now(), edited: c.now()}
	kind.versions = append(kind.versions, added)
	return added
}

// versionRef is the form of a software version in another resource.
type versionRef struct {
	ID       int64   `json:"id"`
	Version  string  `json:"version"`
	Archived bool    `json:"archived"`
	Type     typeRef `json:"software_type"`
}

type typeRef struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// softwareVersionRef returns nil if the version does not exist.
func (p *project) softwareVersionRef(typeName, version string) *versionRef {
	if kind := p.softwareType(typeName); kind != nil {
		if found := kind.find(version); found != nil {
			return &versionRef{ID: found.id, Version: version, Type: kind.ref()}
		}
	}
	return nil
}

func (t *softwareType) ref() typeRef { return typeRef{t.id, t.name} }

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

func (c *Cloud) softwareHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.SoftwareTypesList:   func(r *request) reply { return list(r, r.project.softwareTypes, (*softwareType).view) },
		operation.SoftwareTypesCreate: c.createSoftwareType,
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

func (c *Cloud) createSoftwareType(r *request) reply {
	var body struct{ Name string }
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.Name == "" {
		return invalid("name", "Missing data for required field.")
	}
	if r.project.softwareType(body.Name) != nil {
		return fail(http.StatusConflict, fmt.Sprintf("A software type `%s` already exists", body.Name))
	}
	return data(c.addSoftwareType(r.project, body.Name).view())
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
