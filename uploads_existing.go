package memfault

import (
	"context"
	"crypto/md5" //nolint:gosec // the API uses MD5 for uploads
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// lookup looks for a file among the files that Memfault has of the same version. md5 is empty
// if it is unknown. If the file is not there, found describes what is there instead.
type lookup func(ctx context.Context, md5 string) (there bool, found string, err error)

// result returns the result of an upload that succeeded, or that Memfault rejected with 409.
// Memfault compares contents: a 409 is also the response if the file belongs to another version or
// hardware version, and then nothing was uploaded. UNCERTAIN(conflict-content): whether that holds
// for every kind of file.
func (l lookup) result(ctx context.Context, file *File, sum string, conflict error) (*UploadResult, error) {
	result := &UploadResult{AlreadyUploaded: conflict != nil, MD5: sum, Size: file.Size}
	if conflict == nil || l == nil {
		return result, nil
	}
	switch there, found, err := l(ctx, sum); {
	case err != nil:
		return nil, newKindError(ErrConflict, "%w; whether the file is there cannot be looked up: %w", conflict, err)
	case !there:
		return nil, newKindError(ErrConflict, "%w; nothing was uploaded, because Memfault has the content elsewhere: %s", conflict, found)
	}
	return result, nil
}

// missing reports whether a file is not there. It also counts as missing if the token may not
// look it up.
func (l lookup) missing(ctx context.Context, md5 string) (bool, error) {
	there, _, err := l(ctx, md5)
	if errors.Is(err, ErrForbidden) {
		return true, nil
	}
	return !there, err
}

// existingPayload looks for a payload in its release.
func (s *UploadsService) existingPayload(project ProjectRef, options OTAPayloadOptions, opts []CallOption) lookup {
	return func(ctx context.Context, md5 string) (bool, string, error) {
		if options.DeltaFrom != "" {
			return s.findDelta(ctx, project, options, opts)
		}
		return findArtifact(ctx, clientOf(s), project, options.SoftwareVersion, options.HardwareVersion, md5, opts)
	}
}

// findArtifact looks for a file of a release for a hardware version.
func findArtifact(ctx context.Context, client *Client, project ProjectRef, version, hardwareVersion, md5 string, opts []CallOption) (there bool, found string, err error) {
	release, err := client.Releases.Get(ctx, project, version, opts...)
	if errors.Is(err, ErrNotFound) {
		return false, fmt.Sprintf("release %s does not exist", version), nil
	}
	if err != nil {
		return false, "", err
	}
	found = fmt.Sprintf("release %s has no file for hardware version %s", version, hardwareVersion)
	for _, artifact := range release.Artifacts {
		if artifact.HardwareVersion.Name != hardwareVersion {
			continue
		}
		if md5 != "" && strings.EqualFold(artifact.MD5, md5) {
			return true, "", nil
		}
		found = fmt.Sprintf("release %s has another file for hardware version %s, %s (MD5 %s)", version, hardwareVersion, artifact.Filename, artifact.MD5)
	}
	return false, found, nil
}

// findDelta looks for a delta release. UNCERTAIN(delta-release-files): what Memfault returns about
// its files; the existence of the release is taken as sufficient.
func (s *UploadsService) findDelta(ctx context.Context, project ProjectRef, options OTAPayloadOptions, opts []CallOption) (there bool, found string, err error) {
	for delta, err := range clientOf(s).Releases.ListDeltas(project, DeltaReleaseListOptions{}, opts...).All(ctx) {
		if err != nil {
			return false, "", err
		}
		if delta.FromVersion.Version == options.DeltaFrom && delta.ToVersion.Version == options.SoftwareVersion {
			return true, "", nil
		}
	}
	return false, fmt.Sprintf("there is no delta release from %s to %s", options.DeltaFrom, options.SoftwareVersion), nil
}

// md5Of reads a whole file.
func md5Of(file *File) (string, error) {
	hash := md5.New() //nolint:gosec // see above
	if n, err := io.Copy(hash, io.NewSectionReader(file.Content, 0, file.Size)); err != nil || n < file.Size {
		return "", invalid("File: %s: read %d of %d bytes: %w", file.Name, n, file.Size, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
