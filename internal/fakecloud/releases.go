package fakecloud

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/memfault-go/memfault/internal/operation"
)

type release struct {
	id                int64
	version, revision string
	minVersion, notes string
	mustPassThrough   bool
	described         bool // whether an OTA payload has described it
	extraInfo         json.RawMessage
	artifacts         []*artifact
	created, edited   time.Time
}

// delta is a delta release, which updates from one release to another.
type delta struct {
	id        int64
	from, to  *release
	artifacts []*artifact
}

// Release describes a release.
type Release struct {
	Version         string
	DeltaFrom       string // if set, the release is a delta release from this version
	Revision        string
	Notes           string
	SoftwareType    string // main by default
	MustPassThrough bool
	Artifacts       []Artifact
}

// AddRelease adds a release to the default project, or its artifacts to an existing release.
// For a delta release, it creates both versions if they are unknown, as an upload does. The
// software type and the hardware versions of the artifacts must exist.
func (c *Cloud) AddRelease(r Release) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.seeded
	names := []seedName{required("version", r.Version), refers("software type", r.SoftwareType, p.softwareType(r.SoftwareType) != nil)}
	for _, a := range r.Artifacts {
		names = append(names, refers("hardware version", a.HardwareVersion, p.hardwareVersion(a.HardwareVersion) != nil),
			refers("type of an artifact", a.Type, slices.Contains(artifactTypes, a.Type)))
	}
	if !c.accepts("a release", names...) {
		return
	}
	if r.SoftwareType == "" {
		r.SoftwareType = primarySoftwareType
	}
	added := c.ensureRelease(p, r.SoftwareType, r.Version)
	if r.DeltaFrom != "" {
		d := c.ensureDelta(p, r.SoftwareType, r.DeltaFrom, r.Version)
		d.artifacts = append(d.artifacts, c.seedArtifacts(p, r.SoftwareType, r.Artifacts...)...)
		return
	}
	added.revision, added.notes, added.mustPassThrough = r.Revision, r.Notes, r.MustPassThrough
	added.artifacts = append(added.artifacts, c.seedArtifacts(p, r.SoftwareType, r.Artifacts...)...)
}

// ensureRelease returns a release. It creates the release and its software version if they
// do not exist.
func (c *Cloud) ensureRelease(p *project, typeName, version string) *release {
	c.ensureSoftwareVersion(p, typeName, version)
	if found := p.release(version); found != nil {
		return found
	}
	added := &release{id: c.newID(), version: version, created: c.now(), edited: c.now()}
	p.releases = append(p.releases, added)
	return added
}

func (p *project) release(version string) *release {
	for _, rel := range p.releases {
		if rel.version == version {
			return rel
		}
	}
	return nil
}

// ensureDelta returns a delta release. It creates the delta release and both releases if they
// do not exist.
func (c *Cloud) ensureDelta(p *project, typeName, from, to string) *delta {
	source, target := c.ensureRelease(p, typeName, from), c.ensureRelease(p, typeName, to)
	if found := p.delta(from, to); found != nil {
		return found
	}
	added := &delta{id: c.newID(), from: source, to: target}
	p.deltas = append(p.deltas, added)
	return added
}

func (p *project) delta(from, to string) *delta {
	for _, d := range p.deltas {
		if d.from.version == from && d.to.version == to {
			return d
		}
	}
	return nil
}

func (rel *release) ref() object {
	return object{"id": rel.id, "version": rel.version, "revision": rel.revision}
}

func (d *delta) view() object {
	return object{"id": d.id, "from_version": d.from.ref(), "to_version": d.to.ref()}
}

// view is the form of a release in responses to users.
func (rel *release) view(r *request) object {
	artifacts := []object{}
	for _, a := range rel.artifacts {
		artifacts = append(artifacts, a.view(r))
	}
	return object{
		"id": rel.id, "version": rel.version, "min_version": rel.minVersion, "revision": rel.revision, "notes": rel.notes,
		"must_pass_through": rel.mustPassThrough, "extra_info": rel.extraInfo, "artifacts": artifacts,
		"count_devices": r.project.fleet.counts[countedVersion(rel.version)],
		"created_date":  stamp(rel.created), "updated_date": stamp(rel.edited),
	}
}

func (c *Cloud) releaseHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.ReleasesCreate:          c.createRelease,
		operation.ReleasesList:            listReleases,
		operation.ReleasesRetrieve:        withRelease(func(r *request, rel *release) reply { return data(rel.view(r)) }),
		operation.ReleasesUpdate:          withRelease(c.updateRelease),
		operation.ReleasesDelete:          withRelease(deleteRelease),
		operation.ArtifactsListForRelease: withRelease(listArtifacts),
		operation.DeltaReleasesList:       func(r *request) reply { return list(r, r.project.deltas, (*delta).view) },
	}
}

// withRelease responds with 404 if the release does not exist.
func withRelease(handle func(*request, *release) reply) handler {
	return func(r *request) reply {
		version := r.PathValue("release_version")
		rel := r.project.release(version)
		if rel == nil {
			return unknownRelease(version)
		}
		return handle(r, rel)
	}
}

func unknownRelease(version string) reply {
	return notFound(fmt.Sprintf("Release with version `%s` not found", version))
}

// releaseBody is the request body for creating or updating a release.
type releaseBody struct {
	Version    *string         `json:"version"`
	MinVersion *string         `json:"min_version"`
	Revision   *string         `json:"revision"`
	Notes      *string         `json:"notes"`
	ExtraInfo  json.RawMessage `json:"extra_info"`
}

func (b *releaseBody) apply(rel *release) {
	change(&rel.version, b.Version)
	change(&rel.minVersion, b.MinVersion)
	change(&rel.revision, b.Revision)
	change(&rel.notes, b.Notes)
	if b.ExtraInfo != nil {
		rel.extraInfo = b.ExtraInfo
	}
}

func (c *Cloud) createRelease(r *request) reply {
	var body releaseBody
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	if body.Version == nil || *body.Version == "" {
		return invalid("version", "Missing data for required field.")
	}
	if r.project.release(*body.Version) != nil {
		return fail(http.StatusConflict, fmt.Sprintf("A release with version `%s` already exists", *body.Version))
	}
	rel := c.ensureRelease(r.project, primarySoftwareType, *body.Version)
	body.apply(rel)
	return data(rel.view(r)).with("Location", r.base()+r.URL.EscapedPath()+"/"+url.PathEscape(rel.version)+"/artifacts")
}

func listReleases(r *request) reply {
	releases := filter(r.project.releases, func(rel *release) bool {
		return r.wants("version", rel.version) && r.wants("revision", rel.revision) &&
			r.wantsAny("hardware_version", rel.artifacts, func(a *artifact) string { return a.hardwareVersion }) &&
			r.wantsAny("build_id", rel.artifacts, func(a *artifact) string { return a.buildID })
	})
	sortBy(r, releases, "created_date", func(a, b *release) int { return a.created.Compare(b.created) })
	return list(r, releases, func(rel *release) object { return rel.view(r) })
}

func (c *Cloud) updateRelease(r *request, rel *release) reply {
	var body releaseBody
	if refused, ok := r.decode(&body); !ok {
		return refused
	}
	body.apply(rel)
	rel.edited = c.now()
	return data(rel.view(r))
}

func deleteRelease(r *request, rel *release) reply {
	if slices.ContainsFunc(r.project.deployments, func(d *deployment) bool { return d.isActive() && d.uses(rel) }) {
		return fail(http.StatusConflict, "Can't delete release with active deployments")
	}
	r.project.releases = slices.DeleteFunc(r.project.releases, func(other *release) bool { return other == rel })
	r.project.deltas = slices.DeleteFunc(r.project.deltas, func(d *delta) bool { return d.from == rel || d.to == rel })
	return noContent()
}
