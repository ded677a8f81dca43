package fakecloud

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"time"
)

type artifact struct {
	id                                       int64
	kind, hardwareVersion, buildID, filename string
	softwareType                             string
	file                                     *blob
	extraInfo                                any
	created                                  time.Time
}

// artifactTypes are the known types of artifacts.
var artifactTypes = []string{"firmware", "symbols"}

// Artifact describes a file of a release.
type Artifact struct {
	HardwareVersion string // evt-1 by default
	Type            string // firmware by default, or symbols
	BuildID         string
	Filename        string // firmware.bin by default
	Content         []byte
}

func (c *Cloud) seedArtifacts(p *project, softwareType string, seeds ...Artifact) []*artifact {
	var added []*artifact
	for _, a := range seeds {
		hardware := cmp.Or(a.HardwareVersion, defaultHardware)
		c.ensureHardware(p, hardware, softwareType)
		added = append(added, &artifact{
			id: c.newID(), kind: cmp.Or(a.Type, "firmware"), hardwareVersion: hardware, buildID: a.BuildID,
			filename: cmp.Or(a.Filename, "firmware.bin"), softwareType: softwareType,
			file: newBlob(a.Content), created: c.now(),
		})
	}
	return added
}

// view is the form of an artifact in responses to users.
func (a *artifact) view(r *request) object {
	return object{
		"id": a.id, "type": a.kind, "build_id": a.buildID, "filename": a.filename, "url": a.url(r), "md5": a.file.md5,
		"hardware_version": object{"name": a.hardwareVersion, "primary_software_type": nameRef{r.project.hardwareVersion(a.hardwareVersion).primaryType}},
		"extra_info":       a.extraInfo,
		"created_date":     stamp(a.created), "updated_date": stamp(a.created),
	}
}

// latestView is the form of an artifact in responses to devices.
func (a *artifact) latestView(r *request) object {
	return object{
		"id": a.id, "type": a.kind, "hardware_version": a.hardwareVersion, "filename": a.filename, "file_size": a.file.size,
		"url": a.url(r), "md5": a.file.md5, "sha1": a.file.sha1, "sha256": a.file.sha256,
		"build_id": a.buildID, "extra_info": a.extraInfo, "created_date": stamp(a.created),
	}
}

func (a *artifact) url(r *request) string {
	return r.base() + "/cdn/" + strconv.FormatInt(a.id, 10) + "/" + url.PathEscape(a.filename)
}

// wantsAny reports whether a list parameter of the query contains the value of one of the
// artifacts, or is absent.
func (r *request) wantsAny(name string, artifacts []*artifact, value func(*artifact) string) bool {
	return !r.query.Has(name) || slices.ContainsFunc(artifacts, func(a *artifact) bool { return r.wants(name, value(a)) })
}

func listArtifacts(r *request, rel *release) reply {
	artifacts := filter(rel.artifacts, func(a *artifact) bool { return r.wants("types", a.kind) })
	sortBy(r, artifacts, "created_date", func(a, b *artifact) int { return a.created.Compare(b.created) })
	return list(r, artifacts, func(a *artifact) object { return a.view(r) })
}
