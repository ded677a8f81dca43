package memfault

import (
	"context"
	"crypto/sha1" //nolint:gosec // the API uses SHA-1 for artifacts
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

// Download writes an artifact, such as an update payload, to w. See [DownloadResult] for the
// rules of all downloads.
//
// Download sends no credential, and the client's credential is not checked. The URL must use
// https, or plain http on loopback or after [WithInsecureHTTP]. A URL from
// [ReleasesService.Latest] is valid for six hours. UNCERTAIN: how the server responds
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
