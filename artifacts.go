package memfault

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the API uses SHA-1 for artifacts
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

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
// UNCERTAIN(artifacts-types): whether Memfault expects several Types as repeated parameters, as
// they are sent, or joined by commas.
type ArtifactListOptions struct {
	ListOptions
	Types []string `url:"types,omitempty"`
}

// List returns the artifacts of a release. [Release.Artifacts] contains the same artifacts.
//
// UNCERTAIN(artifacts-list-path): whether the path and the parameters are right. Memfault
// documents only that the operation exists.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/artifacts
func (s *ArtifactsService) List(project ProjectRef, releaseVersion string, options ArtifactListOptions, opts ...CallOption) *Pager[Artifact] {
	return list[Artifact](clientOf(s), operation.ArtifactsListForRelease, project.path(releaseVersion), options, opts)
}

// ArtifactUploadOptions describes a file of a release.
type ArtifactUploadOptions struct {
	Type            ArtifactType // required
	HardwareVersion string       // required
	BuildID         string
}

// ArtifactUploadResult describes a completed upload to a release.
type ArtifactUploadResult struct {
	UploadResult
	Location string // URL of the task that processes the file; may be empty
}

// Upload adds a file to an existing release. Prefer [UploadsService.OTAPayload] or
// [UploadsService.Symbols]: Upload is the older way.
//
// Memfault accepts the file and processes it later. Uploading a file again is not an error;
// see [UploadResult]. Upload sends the file in one request, which is not retried once it may have
// reached Memfault, and then requests the release, for [UploadResult.Previous]. [WithProgress] reports the progress of the upload.
//
// Memfault's documents disagree about the form of the request. It is sent as
// multipart/form-data.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/upload-artifact-for-release
func (s *ArtifactsService) Upload(ctx context.Context, project ProjectRef, releaseVersion string, file *File, options ArtifactUploadOptions, opts ...CallOption) (*ArtifactUploadResult, error) {
	if err := required("ArtifactUploadOptions", "Type", string(options.Type), "HardwareVersion", options.HardwareVersion); err != nil {
		return nil, err
	}
	if err := checkFile(file, nil); err != nil {
		return nil, err
	}
	content := &filePayload{file: file, progress: newCallOptions(opts).progress}
	contentType, err := options.form(content)
	if err != nil {
		return nil, invalid("File: %s: %w", file.Name, err)
	}
	var response Response
	place := &destination{
		client: clientOf(s), project: project, release: releaseVersion, hardwareVersion: options.HardwareVersion,
		kind: options.Type, buildID: options.BuildID, opts: opts,
	}
	request := singleUpload{operation.ArtifactsUploadForRelease, project.path(releaseVersion), contentType, content, place.lookup}
	result, err := request.send(ctx, clientOf(s), withExtraResponse(opts, &response))
	if err != nil {
		return nil, err
	}
	return &ArtifactUploadResult{UploadResult: *place.complete(ctx, result), Location: response.Header.Get("Location")}, nil
}

// form sets the parts of the body before and after the file, and returns the content type of
// the body.
func (o ArtifactUploadOptions) form(content *filePayload) (contentType string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, field := range [][2]string{
		{"type", string(o.Type)},
		{"hardware_version", o.HardwareVersion},
		{"filename", content.file.baseName()},
		{"build_id", o.BuildID},
	} {
		if field[1] == "" {
			continue
		}
		if err := form.WriteField(field[0], field[1]); err != nil {
			return "", err
		}
	}
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition("file", content.file.baseName()))
	header.Set("Content-Type", content.file.contentType())
	if _, err := form.CreatePart(header); err != nil {
		return "", err
	}
	before := b.Len()
	if err := form.Close(); err != nil {
		return "", err
	}
	content.before, content.after = b.Bytes()[:before:before], b.Bytes()[before:]
	return form.FormDataContentType(), nil
}

// Download writes an artifact, such as an update payload, to w. See [DownloadResult] for the
// rules of all downloads.
//
// Download sends no credential, and the client's credential is not checked. The URL must use
// https, or plain http on loopback or after [WithInsecureHTTP]. A URL from
// [ReleasesService.Latest] is valid for six hours, and contains its end in the parameter expires,
// in Unix seconds. UNCERTAIN(artifact-url-expired): which status the server responds with
// afterwards.
//
// If the size or a checksum of the file differs from the artifact's, Download fails with a
// [*ChecksumError]. Then w contains the wrong bytes, so do not use them before Download has
// returned.
//
// Credentials: none.
//
// Memfault: https://docs.memfault.com/api/retrieve-latest-release-for-a-device
func (s *ArtifactsService) Download(ctx context.Context, artifact Artifact, w io.Writer, opts ...CallOption) (*DownloadResult, error) {
	op := &operation.Operation{Name: "artifacts.download", Method: http.MethodGet, Host: operation.Presigned, Reply: operation.Stream}
	client := clientOf(s)
	if err := client.checkInitialized(); err != nil {
		return nil, err
	}
	target, err := client.core.parsePresignedURL(artifact.URL)
	if err != nil {
		return nil, invalid("%s: artifact: %w", op.Name, err)
	}
	d, err := client.openURL(ctx, op, target, opts)
	if err != nil {
		return nil, err
	}
	middle := sha1.New() //nolint:gosec // the API uses SHA-1 for artifacts
	saved, err := d.save(w, middle)
	if err != nil {
		return nil, err
	}
	size := ""
	if artifact.FileSize > 0 {
		size = strconv.FormatInt(artifact.FileSize, 10)
	}
	for _, sum := range []ChecksumError{
		{op.Name, "size", size, strconv.FormatInt(saved.Size, 10)},
		{op.Name, "sha256", artifact.SHA256, saved.SHA256},
		{op.Name, "sha1", artifact.SHA1, hex.EncodeToString(middle.Sum(nil))},
		{op.Name, "md5", artifact.MD5, saved.MD5},
	} {
		if sum.Want != "" && !strings.EqualFold(sum.Want, sum.Got) {
			return nil, &sum
		}
	}
	return saved, nil
}
