package memfault

import (
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// ArtifactsService lists, uploads and downloads the files of releases.
type ArtifactsService struct{ client *Client }

// Artifact is a file of a release.
//
// FileSize, SHA1, SHA256 and ExtraInfo were observed only in the form that
// [ReleasesService.Latest] returns.
type Artifact struct {
	ID              int64              `json:"id"`
	Type            ArtifactType       `json:"type"`
	HardwareVersion HardwareVersionRef `json:"hardware_version"`
	BuildID         string             `json:"build_id"`
	Filename        string             `json:"filename"`
	FileSize        int64              `json:"file_size"` // bytes
	URL             string             `json:"url"`       // for a download without a credential
	MD5             string             `json:"md5"`       // hexadecimal, like SHA1 and SHA256
	SHA1            string             `json:"sha1"`
	SHA256          string             `json:"sha256"`
	ExtraInfo       json.RawMessage    `json:"extra_info"` // stored object, or null
	CreatedDate     Timestamp          `json:"created_date"`
	UpdatedDate     Timestamp          `json:"updated_date"`
}

// ArtifactType is the purpose of an artifact.
type ArtifactType string

// Types of artifacts.
const (
	ArtifactTypeFirmware ArtifactType = "firmware"
	ArtifactTypeSymbols  ArtifactType = "symbols"
)

// ArtifactListOptions filters and sorts artifacts. The sort key is [SortCreatedDate].
//
// UNCERTAIN: whether Memfault expects several Types as repeated parameters, as they are sent,
// or joined by commas.
type ArtifactListOptions struct {
	ListOptions
	Types []string `url:"types,omitempty"`
}

// List returns the artifacts of a release. [Release.Artifacts] contains the same artifacts.
//
// UNCERTAIN: whether the path and the parameters are right. Memfault documents only that the
// operation exists.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/artifacts
func (s *ArtifactsService) List(project ProjectRef, releaseVersion string, options ArtifactListOptions, opts ...CallOption) *Pager[Artifact] {
	return list[Artifact](clientOf(s), operation.ArtifactsListForRelease, project.path(releaseVersion), options, opts)
}
