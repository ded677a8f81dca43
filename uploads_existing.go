package memfault

import (
	"context"
	"crypto/md5" //nolint:gosec // the API uses MD5 for uploads
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// lookup looks for a file among the files that Memfault has of the same version. md5 is empty
// if it is unknown. The file is there only if that is proven; otherwise found describes what is
// there instead.
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
		return nil, newKindError(ErrConflict, "%w; nothing was uploaded, and whether the file is there cannot be looked up: %w", conflict, err)
	case !there:
		return nil, newKindError(ErrConflict, "%w; nothing was uploaded, and the file is not known to be there: %s", conflict, found)
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

// destination is the place of a file in a release.
type destination struct {
	client          *Client
	project         ProjectRef
	release         string
	hardwareVersion string
	kind            ArtifactType
	softwareType    string // not compared if empty
	buildID         string // not compared if empty
	opts            []CallOption

	listed []Artifact // what the last look-up found at the place
	err    error      // why the last look-up failed
	looked bool
}

// lookup looks for a file at its place.
func (d *destination) lookup(ctx context.Context, md5 string) (there bool, found string, err error) {
	d.list(ctx, d.opts)
	switch {
	case errors.Is(d.err, ErrNotFound):
		return false, fmt.Sprintf("release %s does not exist", d.release), nil
	case d.err != nil:
		return false, "", d.err
	}
	return d.find(ctx, md5)
}

// list lists the files that the release has for the hardware version.
func (d *destination) list(ctx context.Context, opts []CallOption) {
	d.looked, d.listed = true, nil
	release, err := d.client.Releases.Get(ctx, d.project, d.release, opts...)
	if d.err = err; err == nil {
		d.listed = slices.DeleteFunc(release.Artifacts, func(a Artifact) bool {
			return a.HardwareVersion.Name != d.hardwareVersion || a.Type != "" && a.Type != d.kind
		})
	}
}

// complete sets in the result of an upload which other files are at the place. The upload has
// succeeded, so complete does not fail.
func (d *destination) complete(ctx context.Context, result *UploadResult) *UploadResult {
	if !d.looked {
		d.list(ctx, append(d.opts[:len(d.opts):len(d.opts)], WithResponse(nil)))
	}
	for _, artifact := range d.listed {
		if !artifact.hasMD5(result.MD5) {
			result.Previous = append(result.Previous, artifact)
		}
	}
	if d.err != nil && !errors.Is(d.err, ErrNotFound) {
		result.PreviousUnknown = withoutPrefix(d.err)
	}
	return result
}

// find looks for a file among the listed ones.
func (d *destination) find(ctx context.Context, md5 string) (there bool, found string, err error) {
	found = fmt.Sprintf("release %s has no file for hardware version %s", d.release, d.hardwareVersion)
	for _, artifact := range d.listed {
		switch {
		case !artifact.hasMD5(md5):
			found = fmt.Sprintf("release %s has another file for hardware version %s, %s (MD5 %s)", d.release, d.hardwareVersion, artifact.Filename, artifact.MD5)
		case d.buildID != "" && artifact.BuildID != d.buildID:
			found = fmt.Sprintf("release %s has the file for hardware version %s with another build ID, %q", d.release, d.hardwareVersion, artifact.BuildID)
		default:
			return d.hasSoftware(ctx, artifact)
		}
	}
	return false, found, nil
}

// hasSoftware reports whether an artifact of the release is of the software type. Memfault does
// not return the type of an artifact. It is known only if it is the primary type of the hardware
// version and the release is a software version of it.
//
// UNCERTAIN(artifact-software-type): whether an artifact contains its software type.
func (d *destination) hasSoftware(ctx context.Context, artifact Artifact) (ok bool, found string, err error) {
	if d.softwareType == "" {
		return true, "", nil
	}
	_, err = d.client.Software.GetVersion(ctx, d.project, d.softwareType, d.release, d.opts...)
	switch primary := artifact.HardwareVersion.PrimarySoftwareType; {
	case errors.Is(err, ErrNotFound):
		return false, fmt.Sprintf("software version %s of type %s does not exist", d.release, d.softwareType), nil
	case err != nil:
		return false, "", err
	case primary == nil || primary.Name != d.softwareType:
		return false, fmt.Sprintf("release %s has the content for hardware version %s, but not necessarily as software type %s, because that is not the primary type of the hardware version",
			d.release, d.hardwareVersion, d.softwareType), nil
	}
	return true, "", nil
}

func (a Artifact) hasMD5(md5 string) bool { return md5 != "" && strings.EqualFold(a.MD5, md5) }

// md5Of reads a whole file.
func md5Of(file *File) (string, error) {
	hash := md5.New() //nolint:gosec // see above
	if n, err := io.Copy(hash, io.NewSectionReader(file.Content, 0, file.Size)); err != nil || n < file.Size {
		return "", invalid("File: %s: read %d of %d bytes: %w", file.Name, n, file.Size, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
