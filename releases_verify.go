package memfault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// OfferError is returned by [ReleasesService.VerifyOffer] if a device is not offered the local
// file. errors.Is matches it with [ErrNotFound] if the device is offered no update, and with
// [ErrConflict] if it is offered something else.
type OfferError struct {
	DeviceSerial    string
	Filename        string // of the local file
	Size            int64  // of the local file, in bytes
	SHA256          string // of the local file, in hexadecimal
	UpdateAvailable bool
	Reason          string        // Memfault's reason for the offer, or for offering no update
	Version         string        // of the offered release
	IsDelta         bool          // whether the offered release is a delta release
	Files           []OfferedFile // files of the offered release for the device
}

// OfferedFile is a file that a device is offered, as it was downloaded.
type OfferedFile struct {
	Filename string
	Size     int64  // bytes
	SHA256   string // in hexadecimal
}

// Error returns one line with the offered version and files, and the local file.
func (e *OfferError) Error() string {
	if !e.UpdateAvailable {
		return fmt.Sprintf("memfault: VerifyOffer: device %s is offered no update (reason: %s), want %s",
			e.DeviceSerial, oneLine(cmp.Or(e.Reason, "none given"), 80), offeredText(e.Filename, e.Size, e.SHA256))
	}
	kind := "release"
	if e.IsDelta {
		kind = "delta release to"
	}
	var files []string
	for _, f := range e.Files {
		files = append(files, offeredText(f.Filename, f.Size, f.SHA256))
	}
	return fmt.Sprintf("memfault: VerifyOffer: device %s is offered %s %s: %s; want %s", e.DeviceSerial, kind, oneLine(e.Version, 80),
		cmp.Or(strings.Join(files, ", "), "no file for its hardware version"), offeredText(e.Filename, e.Size, e.SHA256))
}

func offeredText(filename string, size int64, sum string) string {
	return fmt.Sprintf("%s (%d bytes, SHA-256 %s)", cmp.Or(oneLine(filename, 200), "a file"), size, sum)
}

// Is reports whether target is the kind of e, for use with errors.Is.
func (e *OfferError) Is(target error) bool {
	if e.UpdateAvailable {
		return target == ErrConflict
	}
	return target == ErrNotFound
}

// VerifyOffer checks that a device is offered the local file: it requests the latest release of
// the device, downloads it, and compares the contents. Call it after a deployment, because
// another active deployment can shadow it; see [DeploymentsService.Active]. The download sends
// no credential.
//
// The query should describe a device of the cohort. With its CurrentVersion, the device can be
// offered nothing, a delta release, or a release that it must not skip. Without CurrentVersion,
// it is offered the highest full release. If the release has several files for the hardware
// version, one of them must be the local file. Memfault counts the request towards the limit of
// the device; see [ReleasesService.Latest].
//
// A staged rollout reaches only some of the devices. Any other device is offered an older
// release, if one is active on the cohort, or nothing. So VerifyOffer fails for it as if another
// deployment shadowed the release; [OfferError.Version] distinguishes both
// cases.
//
// A release can take some minutes until it is offered: tests of a chip maker allow 4 minutes after
// a deployment. A program should call VerifyOffer again within that time before it reports a
// failure.
//
// If the device is offered something else, or nothing, VerifyOffer fails with an [*OfferError].
// If the downloaded file differs from Memfault's own checksums, it fails with a
// [*ChecksumError]. Its other errors are those of Latest and [ArtifactsService.Download]. Both
// files are read with small buffers.
//
// Credentials: [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/retrieve-latest-release-for-a-device
func (s *ReleasesService) VerifyOffer(ctx context.Context, query LatestReleaseQuery, file *File, opts ...CallOption) error {
	if err := query.validate(); err != nil {
		return err
	}
	local, err := file.within(ctx).sha256() // first: a device may send only a few requests a day
	if err != nil {
		return err
	}
	latest, err := s.Latest(ctx, query, opts...)
	if err != nil {
		return err
	}
	offer := &OfferError{
		DeviceSerial: query.DeviceSerial, Filename: file.baseName(), Size: file.Size, SHA256: local,
		UpdateAvailable: latest.UpdateAvailable, Reason: latest.Reason, Version: latest.Version, IsDelta: latest.IsDelta,
	}
	for _, artifact := range latest.Artifacts {
		if !artifact.isPayloadFor(query.HardwareVersion) {
			continue
		}
		saved, err := clientOf(s).Artifacts.Download(ctx, artifact, io.Discard, opts...)
		if err != nil {
			return fmt.Errorf("memfault: VerifyOffer: release %s: %w", oneLine(latest.Version, 80), err)
		}
		if saved.SHA256 == local {
			return nil
		}
		offer.Files = append(offer.Files, OfferedFile{cmp.Or(artifact.Filename, saved.Filename), saved.Size, saved.SHA256})
	}
	return offer
}

// isPayloadFor reports whether a device of the hardware version can install the artifact.
// Fields that Memfault did not send are not compared.
func (a Artifact) isPayloadFor(hardwareVersion string) bool {
	return (a.Type == "" || a.Type == ArtifactTypeFirmware) &&
		(a.HardwareVersion.Name == "" || a.HardwareVersion.Name == hardwareVersion)
}

// sha256 reads the whole file.
func (f *File) sha256() (string, error) {
	if err := f.validate(); err != nil {
		return "", err
	}
	sum := sha256.New()
	content := struct{ io.Reader }{io.NewSectionReader(f.Content, 0, f.Size)} // without other methods, so that the buffer is used
	read, err := io.CopyBuffer(sum, content, make([]byte, 32<<10))
	if err != nil {
		return "", f.readFailed(err)
	}
	if read < f.Size {
		return "", invalid("File: %s: content is shorter than Size (%d bytes)", f.Name, f.Size)
	}
	if n, _ := f.Content.ReadAt(make([]byte, 1), f.Size); n > 0 {
		return "", invalid("File: %s: content is longer than Size (%d bytes)", f.Name, f.Size)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
