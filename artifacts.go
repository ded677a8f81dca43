package memfault

import (
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// ArtifactsService lists the files of releases.
type ArtifactsService struct{ client *Client }

// Artifact is a file of a release. Its sizes and the longer hashes are in the form
// that a device gets by ReleasesService.Latest.
type Artifact struct {
	ID              int64              `json:"id"`
	Type            ArtifactType       `json:"type"`
	HardwareVersion HardwareVersionRef `json:"hardware_version"`
	BuildID         string             `json:"build_id"`
	Filename        string             `json:"filename"`
	FileSize        int64              `json:"file_size"` // bytes
	URL             string             `json:"url"`       // downloads the file, without a credential
	MD5             string             `json:"md5"`       // hexadecimal, as the other hashes
	SHA1            string             `json:"sha1"`
	SHA256          string             `json:"sha256"`
	ExtraInfo       json.RawMessage    `json:"extra_info"` // the object that was stored with it, or null
	CreatedDate     Timestamp          `json:"created_date"`
	UpdatedDate     Timestamp          `json:"updated_date"`
}

// ArtifactType is what an artifact is for.
type ArtifactType string

// The types of artifacts.
const (
	ArtifactTypeFirmware ArtifactType = "firmware"
	ArtifactTypeSymbols  ArtifactType = "symbols"
)

// ArtifactListOptions selects artifacts. Its sort key is SortCreatedDate. Whether
// Memfault wants several Types repeated, as they are sent, or joined by commas is
// UNCERTAIN.
type ArtifactListOptions struct {
	ListOptions
	Types []string `url:"types,omitempty"`
}

// List returns the artifacts of a release. Memfault documents that it exists; its
// path and its parameters are UNCERTAIN. Release.Artifacts tells the same.
//
// Memfault: https://docs.memfault.com/api/artifacts
func (s *ArtifactsService) List(project ProjectRef, releaseVersion string, options ArtifactListOptions, opts ...CallOption) *Pager[Artifact] {
	return list[Artifact](clientOf(s), operation.ArtifactsListForRelease, project.path(releaseVersion), options, opts)
}
